//! Several control planes side by side: which of them serves what.
//!
//! A Gateway or GatewayClass with the label `lychgate.dev/revision` is for the control plane of that revision, one without
//! for the control plane that has none. A Gateway moves when its label changes; its data plane is taken over as it is.

use crate::provision::REVISION;
use lychgate_api::gateway::ParentGatewayReference;
use lychgate_api::meta::ObjectMeta;
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use std::collections::BTreeSet;

/// Whether an object is for the control plane of this revision.
#[must_use]
pub fn is_ours(metadata: &ObjectMeta, revision: Option<&str>) -> bool {
    metadata.labels.get(REVISION).map(String::as_str) == revision
}

/// The objects without Gateways that are for others. Classes stay: Gateways of several revisions may have one class.
#[must_use]
pub fn select(objects: &Objects, revision: Option<&str>) -> Objects {
    let others: Vec<ObjectRef> = objects
        .gateways()
        .filter(|(_, gateway)| !is_ours(&gateway.metadata, revision))
        .map(|(key, _)| ObjectRef { kind: Kind::Gateway, key: key.clone() })
        .collect();
    others.iter().fold(objects.clone(), |objects, other| objects.remove(other))
}

/// Classes and Gateways that are for others, and the ListenerSets that belong to them: what is said about them is theirs
/// to say.
#[must_use]
pub fn others(objects: &Objects, revision: Option<&str>) -> BTreeSet<ObjectRef> {
    let gateways = objects.gateways().filter(|(_, gateway)| !is_ours(&gateway.metadata, revision));
    let mut others: BTreeSet<ObjectRef> =
        gateways.map(|(key, _)| ObjectRef { kind: Kind::Gateway, key: key.clone() }).collect();
    let sets = objects.listener_sets().filter(|(key, set)| {
        let ParentGatewayReference { group, kind, namespace, name } = &set.spec.parent_ref;
        let namespace = namespace.as_ref().unwrap_or(&key.namespace);
        let gateway = Kind::find(group, kind)
            .map(|kind| ObjectRef { kind, key: ObjectKey::new(namespace.as_str(), name.as_str()) });
        gateway.is_some_and(|gateway| others.contains(&gateway))
    });
    let sets: Vec<ObjectRef> = sets.map(|(key, _)| ObjectRef { kind: Kind::ListenerSet, key: key.clone() }).collect();
    others.extend(sets);
    let classes = objects.gateway_classes().filter(|(_, class)| !is_ours(&class.metadata, revision));
    others.extend(classes.map(|(key, _)| ObjectRef { kind: Kind::GatewayClass, key: key.clone() }));
    others
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use lychgate_api::Object;

    #[test]
    fn each_revision_sees_its_own_gateways() {
        let gateway = |name: &str, labels: serde_json::Value| {
            let metadata = serde_json::json!({"name": name, "namespace": "d", "labels": labels});
            let object = serde_json::json!({"metadata": metadata, "spec": {"gatewayClassName": "lychgate"}});
            Object::decode(Kind::Gateway, object).unwrap()
        };
        let objects: Objects =
            [gateway("old", serde_json::json!({})), gateway("new", serde_json::json!({REVISION: "canary"}))]
                .into_iter()
                .collect();
        let names = |revision| {
            let selected = select(&objects, revision);
            selected.gateways().map(|(key, _)| key.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["old"]);
        assert_eq!(names(Some("canary")), ["new"]);
        assert!(names(Some("other")).is_empty());
        let set = serde_json::json!({
            "metadata": {"name": "s", "namespace": "d"}, "spec": {"parentRef": {"name": "new"}, "listeners": []},
        });
        let objects = objects.insert(Object::decode(Kind::ListenerSet, set).unwrap());
        let theirs = |revision| others(&objects, revision).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(theirs(None), ["Gateway/d/new", "ListenerSet/d/s"]);
        assert_eq!(theirs(Some("canary")), ["Gateway/d/old"]);
    }
}
