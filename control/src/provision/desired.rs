//! The objects of a group, as they shall be.

mod deployment;
mod scaling;
mod service;

use super::group::Group;
use super::live::LiveKind;
use super::marks::{CLASS_NAME, DIRECTION, GATEWAY_NAME, GROUP, MANAGED_BY, MANAGER, REVISION};
use super::names;
use lychgate_api::meta::StringMap;
use lychgate_translate::Direction;
use serde_json::{Map, Value, json};

/// What is the same for all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The image of `lychgate-gateway`.
    pub image: String,
    /// When nodes fetch it; Kubernetes decides where absent.
    pub pull_policy: Option<String>,
    /// Secrets with credentials for its registry, in each namespace with Gateways.
    pub pull_secrets: Vec<String>,
    /// Where data planes find the feed, such as `https://lychgate-control.lychgate-system.svc:9910`.
    pub control: String,
    /// Whom data planes trust to be the control plane, as PEM.
    pub trust_bundle: String,
    /// Which of several control planes this is.
    pub revision: Option<String>,
}

/// Everything that there shall be for a group.
#[must_use]
pub fn desired(group: &Group, context: &Context) -> Vec<Value> {
    let plain = Parts { group, context };
    let mut all = vec![
        plain.object(LiveKind::ServiceAccount, &group.key.name, json!({ "automountServiceAccountToken": false })),
        plain.object(LiveKind::ConfigMap, &group.key.name, json!({ "data": { "ca.crt": context.trust_bundle } })),
        deployment::deployment(&plain),
    ];
    all.extend(group.addresses.iter().filter_map(|wish| service::service(&plain, *wish)));
    all.extend(scaling::autoscaler(&plain));
    all.extend(scaling::disruption_budget(&plain));
    all
}

/// What all objects of a group are made from.
struct Parts<'a> {
    group: &'a Group,
    context: &'a Context,
}

impl Parts<'_> {
    /// By which the pods of a group are found. It never changes, since a Deployment's selector cannot.
    fn selector(&self) -> StringMap {
        StringMap::from([(GROUP.to_owned(), self.group.key.name.clone())])
    }

    /// Labels of everything. Ours win: by them we know our own.
    fn labels(&self) -> StringMap {
        let mut labels = self.group.labels.clone();
        if let Some(senior) = self.group.gateways.first() {
            labels.insert(GATEWAY_NAME.to_owned(), names::label(&senior.metadata.name));
            labels.insert(CLASS_NAME.to_owned(), names::label(&senior.spec.gateway_class_name));
        }
        labels.insert("app.kubernetes.io/name".to_owned(), "lychgate-gateway".to_owned());
        labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
        match self.group.direction {
            Direction::Ingress => labels.remove(DIRECTION),
            Direction::Egress => labels.insert(DIRECTION.to_owned(), "egress".to_owned()),
        };
        if let Some(revision) = &self.context.revision {
            labels.insert(REVISION.to_owned(), revision.clone());
        }
        labels.extend(self.selector());
        labels
    }

    /// An object with metadata of the group. `body` is what it has besides.
    fn object(&self, kind: LiveKind, name: &str, body: Value) -> Value {
        self.object_with(kind, name, &StringMap::new(), &StringMap::new(), body)
    }

    /// The same with more labels and annotations; ours win.
    fn object_with(
        &self,
        kind: LiveKind,
        name: &str,
        labels: &StringMap,
        annotations: &StringMap,
        body: Value,
    ) -> Value {
        let mut all_labels = labels.clone();
        all_labels.extend(self.labels());
        let mut all_annotations = self.group.annotations.clone();
        all_annotations.extend(annotations.clone());
        // Without a uid a Gateway is in no cluster, and cannot own anything.
        let owners = self.group.gateways.iter().filter_map(|gateway| {
            let uid = gateway.metadata.uid.as_ref()?;
            let name = &gateway.metadata.name;
            Some(json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "name": name, "uid": uid }))
        });
        let metadata = json!({
            "name": name,
            "namespace": self.group.key.namespace,
            "labels": all_labels,
            "annotations": all_annotations,
            "ownerReferences": owners.collect::<Vec<_>>(),
        });
        let mut object = Map::from_iter([
            ("apiVersion".to_owned(), kind.api_version().into()),
            ("kind".to_owned(), kind.as_str().into()),
            ("metadata".to_owned(), metadata),
        ]);
        if let Value::Object(body) = body {
            object.extend(body);
        }
        Value::Object(object)
    }
}

/// Puts a value in where there is one: an API server takes a null for a wish to have the field gone.
fn put(object: &mut Value, key: &str, value: Option<impl serde::Serialize>) {
    if let (Some(object), Some(value)) =
        (object.as_object_mut(), value.and_then(|value| serde_json::to_value(value).ok()))
    {
        object.insert(key.to_owned(), value);
    }
}
