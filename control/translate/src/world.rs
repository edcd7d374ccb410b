//! What every part of a translation looks at.

use crate::Options;
use crate::certificate::Store;
use crate::memo::Memo;
use crate::names::name_of;
use crate::reference_grant::{Grants, Referent, Referrer, advice};
use lychgate_api::gateway::SecretObjectReference;
use lychgate_api::meta::StringMap;
use lychgate_api::{Kind, ObjectKey, Objects, labels};
use lychgate_ir::{Certificate, Redacted, Secret, SecretId};
use std::sync::Arc;

/// The objects, how to translate them, and what is looked up in them again and again.
pub(crate) struct World<'a> {
    pub(crate) objects: &'a Objects,
    pub(crate) options: &'a Options,
    pub(crate) grants: Grants<'a>,
    pub(crate) store: Store<'a>,
}

/// Why a reference to a certificate or to trust anchors leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BadRef {
    /// A kind that cannot hold one.
    Kind(String),
    /// It crosses namespaces without a grant.
    NotPermitted(String),
    /// It is not there, or not what it should be.
    Broken(String),
}

impl BadRef {
    pub(crate) fn into_message(self) -> String {
        match self {
            Self::Kind(message) | Self::NotPermitted(message) | Self::Broken(message) => message,
        }
    }
}

impl<'a> World<'a> {
    pub(crate) fn new(objects: &'a Objects, options: &'a Options, before: Option<&'a Memo>) -> Self {
        let store = Store::new(objects, before.map(|memo| &*memo.verdicts));
        Self { objects, options, grants: Grants::new(objects), store }
    }

    /// The labels of a namespace. One that no object describes still has its name, as on every cluster.
    pub(crate) fn namespace_labels(&self, name: &str) -> StringMap {
        let found = self.objects.get_namespace(&ObjectKey::new("", name));
        let mut found = found.map(|namespace| namespace.metadata.labels.clone()).unwrap_or_default();
        found.insert(labels::NAMESPACE_NAME.to_owned(), name.to_owned());
        found
    }

    /// Follows a reference to a certificate and its key.
    pub(crate) fn certificate(
        &self,
        from: Referrer<'_>,
        reference: &SecretObjectReference,
    ) -> Result<Arc<Certificate>, BadRef> {
        let SecretObjectReference { group, kind, name, namespace } = reference;
        if !(group.is_empty() && kind == Kind::Secret.as_str()) {
            return Err(BadRef::Kind(format!(
                "{} {name} is no Secret; refer to a Secret of type kubernetes.io/tls",
                qualified(group, kind)
            )));
        }
        let namespace = namespace.as_deref().unwrap_or(from.namespace);
        let to = Referent { group, kind, namespace, name };
        if !self.grants.permit(from, to) {
            return Err(BadRef::NotPermitted(advice(from, to)));
        }
        self.store.pair(&ObjectKey::new(namespace, name.as_str())).map_err(BadRef::Broken)
    }

    /// Follows a reference to one text of a Secret, in the namespace of whoever refers where none is named.
    pub(crate) fn secret_text(
        &self,
        from: Referrer<'_>,
        namespace: Option<&str>,
        name: &str,
        key: &str,
    ) -> Result<Secret, BadRef> {
        let namespace = namespace.unwrap_or(from.namespace);
        let to = Referent { group: "", kind: Kind::Secret.as_str(), namespace, name };
        if !self.grants.permit(from, to) {
            return Err(BadRef::NotPermitted(advice(from, to)));
        }
        let object = ObjectKey::new(namespace, name);
        let broken = |what: String| BadRef::Broken(what);
        let secret = self.objects.get_secret(&object);
        let secret = secret.ok_or_else(|| broken(format!("Secret {object} does not exist; create it")))?;
        let bytes = secret.get(key).ok_or_else(|| broken(format!("Secret {object} has no key {key}")))?;
        let text = std::str::from_utf8(bytes.expose())
            .ok()
            .filter(|text| !text.is_empty())
            .ok_or_else(|| broken(format!("{key} of Secret {object} is empty, or no text")))?;
        Ok(Secret { id: SecretId { object: name_of(&object), key: key.into() }, text: Redacted::new(text.to_owned()) })
    }

    /// Follows a reference to trust anchors.
    pub(crate) fn trust_anchors(&self, from: Referrer<'_>, to: Referent<'_>) -> Result<Arc<str>, BadRef> {
        let Referent { group, kind, namespace, name } = to;
        match Kind::find(group, kind) {
            Some(Kind::ConfigMap) if self.grants.permit(from, to) => {
                self.store.bundle(&ObjectKey::new(namespace, name)).map_err(BadRef::Broken)
            }
            Some(Kind::ConfigMap) => Err(BadRef::NotPermitted(advice(from, to))),
            // It is in no namespace, so there is nobody to grant it.
            Some(Kind::ClusterTrustBundle) => self.store.cluster_bundle(name).map_err(BadRef::Broken),
            Some(_) | None => Err(BadRef::Kind(format!(
                "{} {name} holds no trust anchors; refer to a ConfigMap with a ca.crt, or to a ClusterTrustBundle",
                qualified(group, kind)
            ))),
        }
    }
}

/// A kind with its group, which core has not.
fn qualified(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}
