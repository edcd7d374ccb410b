//! ReferenceGrants (GEP-709): who may refer across namespaces.

use lychgate_api::Objects;
use lychgate_api::gateway::ReferenceGrant;
use std::collections::HashMap;
use std::sync::Arc;

/// Who refers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Referrer<'a> {
    pub(crate) group: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
}

/// What is referred to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Referent<'a> {
    pub(crate) group: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

/// All grants, by the namespace that grants.
pub(crate) struct Grants<'a>(HashMap<&'a str, Vec<&'a Arc<ReferenceGrant>>>);

impl<'a> Grants<'a> {
    pub(crate) fn new(objects: &'a Objects) -> Self {
        let mut by_namespace: HashMap<&str, Vec<_>> = HashMap::new();
        for (key, grant) in objects.reference_grants() {
            by_namespace.entry(&key.namespace).or_default().push(grant);
        }
        Self(by_namespace)
    }

    /// Within a namespace everything may be referred to; across, the namespace referred to must have said so.
    pub(crate) fn permit(&self, from: Referrer<'_>, to: Referent<'_>) -> bool {
        from.namespace == to.namespace
            || self.0.get(to.namespace).into_iter().flatten().any(|grant| {
                grant.spec.from.iter().any(|granted| {
                    granted.group == from.group && granted.kind == from.kind && granted.namespace == from.namespace
                }) && grant.spec.to.iter().any(|granted| {
                    granted.group == to.group
                        && granted.kind == to.kind
                        && granted.name.as_deref().is_none_or(|name| name.is_empty() || name == to.name)
                })
            })
    }
}

/// What to do where a grant is missing.
pub(crate) fn advice(from: Referrer<'_>, to: Referent<'_>) -> String {
    let kinds = match from.kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if from.kind.ends_with('s') => from.kind.to_owned(),
        None => format!("{}s", from.kind),
    };
    format!(
        "no ReferenceGrant in namespace {} lets {kinds} of namespace {} refer to {} {}; add one there",
        to.namespace, from.namespace, to.kind, to.name
    )
}
