//! What is taken of an object: what it asks for, and, apart from that, what is said about it.
//!
//! A status that we write comes back as an event. So that it does not look like a change of what the object asks for,
//! the status, and all else that changes with it, is taken out before the object is read.

use crate::status::FIELD_MANAGER;
use k8s_openapi::jiff::Timestamp;
use lychgate_api::{Kind, Object, ObjectKey, ObjectRef};
use lychgate_translate::ObjectStatus;
use serde_json::Value;

/// Annotations that say nothing to us, and are long or change often.
const NOISE: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "endpoints.kubernetes.io/last-change-trigger-time"];

/// An object as it was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which one.
    pub reference: ObjectRef,
    /// What it asks for, or why that cannot be read.
    pub object: Result<Object, String>,
    /// What is said about it, for kinds of which we say something.
    pub observed: Option<Observed>,
    /// When it was written last, as far as the object tells, in whole seconds.
    pub written: Option<Timestamp>,
}

/// What the API server has of an object besides its spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Which of all objects that had this name.
    pub uid: String,
    /// Which version of it.
    pub resource_version: String,
    /// Its status; null where it has none.
    pub status: Value,
    /// Whether something in the status is ours.
    pub ours: bool,
}

impl Seen {
    /// Takes an object apart. None where it has no name, which no API server sends.
    pub fn new(kind: Kind, mut value: Value) -> Option<Self> {
        let map = value.as_object_mut()?;
        // Lists leave it out, watches send it, and no type has it.
        map.remove("apiVersion");
        map.remove("kind");
        let status = if ObjectStatus::is_said_of(kind) { map.remove("status") } else { None };
        let metadata = map.get_mut("metadata")?.as_object_mut()?;
        let managed = metadata.remove("managedFields");
        let resource_version = metadata.remove("resourceVersion");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            NOISE.iter().for_each(|name| drop(annotations.remove(*name)));
        }
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let (namespace, name) = (text(metadata.get("namespace")), text(metadata.get("name")));
        let uid = text(metadata.get("uid"));
        if name.is_empty() {
            return None;
        }
        if kind == Kind::Pod {
            metadata.remove("annotations");
        }
        if kind == Kind::ConfigMap {
            keep_trust_anchors(map);
        }
        let entries = managed.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let observed = ObjectStatus::is_said_of(kind).then(|| Observed {
            uid,
            resource_version: text(resource_version.as_ref()),
            status: status.unwrap_or_default(),
            ours: entries.iter().any(is_our_status),
        });
        let written = entries.iter().filter_map(|entry| entry.get("time")?.as_str()?.parse::<Timestamp>().ok()).max();
        Some(Self {
            reference: ObjectRef { kind, key: ObjectKey::new(namespace, name) },
            object: Object::decode(kind, value).map_err(|error| error.to_string()),
            observed,
            written,
        })
    }
}

fn is_our_status(entry: &Value) -> bool {
    let is = |name: &str, value: &str| entry.get(name).and_then(Value::as_str) == Some(value);
    is("manager", FIELD_MANAGER) && is("subresource", "status")
}

/// Of ConfigMaps, which may be large and many, nothing else is ever read.
fn keep_trust_anchors(map: &mut serde_json::Map<String, Value>) {
    for part in ["data", "binaryData"] {
        if let Some(data) = map.get_mut(part).and_then(Value::as_object_mut) {
            data.retain(|key, _| key == "ca.crt");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn gateway(version: &str, status: &Value, manager: &str) -> Seen {
        let value = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {
                "name": "g", "namespace": "d", "uid": "u", "resourceVersion": version, "generation": 1,
                "annotations": {NOISE[0]: "{}", "keep": "this"},
                "managedFields": [
                    {"manager": "kubectl", "time": "2026-01-01T00:00:00Z"},
                    {"manager": manager, "subresource": "status", "time": "2026-01-01T00:00:05Z"},
                ],
            },
            "spec": {"gatewayClassName": "lychgate", "listeners": []},
            "status": status,
        });
        Seen::new(Kind::Gateway, value).unwrap()
    }

    #[test]
    fn a_status_is_no_change_of_the_object() {
        let one = gateway("1", &Value::Null, "other");
        let two = gateway("2", &json!({"conditions": []}), FIELD_MANAGER);
        assert_eq!(one.object, two.object);
        let (one, two) = (one.observed.unwrap(), two.observed.unwrap());
        assert!(!one.ours && two.ours);
        assert_eq!((one.resource_version.as_str(), two.resource_version.as_str()), ("1", "2"));
        assert_eq!(two.status, json!({"conditions": []}));
    }

    #[test]
    fn what_is_noise_goes_and_what_is_said_stays() {
        let seen = gateway("1", &Value::Null, "other");
        let object = seen.object.unwrap();
        assert_eq!(object.metadata().annotations.keys().collect::<Vec<_>>(), ["keep"]);
        assert_eq!(seen.written.unwrap().to_string(), "2026-01-01T00:00:05Z");
    }

    #[test]
    fn what_cannot_be_read_is_said_of_its_object() {
        let value = json!({"metadata": {"name": "g", "namespace": "d"}, "spec": {"gatewayClassName": 7}});
        let seen = Seen::new(Kind::Gateway, value).unwrap();
        assert_eq!(seen.reference.to_string(), "Gateway/d/g");
        assert!(seen.object.unwrap_err().contains("gatewayClassName") || seen.observed.is_some());
    }

    #[test]
    fn of_pods_only_whose_address_it_is_is_kept() {
        let pod = |annotation: &str, ready: bool| {
            let value = json!({
                "metadata": {"name": "p", "namespace": "d", "labels": {"app": "x"}, "annotations": {"a": annotation}},
                "spec": {"serviceAccountName": "s", "containers": [{"name": "c", "env": [{"name": "TOKEN", "value": "t"}]}]},
                "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": ready}]},
            });
            Seen::new(Kind::Pod, value).unwrap().object.unwrap()
        };
        assert_eq!(pod("1", true), pod("2", false));
        let kept = pod("1", true).to_value().unwrap();
        assert_eq!(kept["spec"], json!({"serviceAccountName": "s"}));
        assert_eq!(kept["status"], json!({"phase": "Running", "podIP": "10.0.0.1"}));
    }

    #[test]
    fn of_config_maps_only_trust_anchors_are_kept() {
        let value = json!({"metadata": {"name": "c", "namespace": "d"}, "data": {"ca.crt": "pem", "big": "text"}});
        let Object::ConfigMap(map) = Seen::new(Kind::ConfigMap, value).unwrap().object.unwrap() else { unreachable!() };
        assert_eq!(map.data.keys().collect::<Vec<_>>(), ["ca.crt"]);
    }
}
