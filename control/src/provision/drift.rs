//! Whether an object is as it shall be.

use super::live::Live;
use super::marks::{APPLIED, MANAGER};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

/// Marks an object with what it says. A field that we want no more is not seen by comparing what is there with what is
/// wanted; the mark is.
pub(super) fn mark(mut object: Value) -> Value {
    let hash = digest(&SHA256, object.to_string().as_bytes());
    let text: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    object["metadata"]["annotations"][APPLIED] = text.into();
    object
}

/// Whether what is there is what is wanted: the mark is the same, and so is every field that we set.
pub(super) fn is_current(live: &Live, wanted: &Value) -> bool {
    live.annotation(APPLIED) == wanted["metadata"]["annotations"][APPLIED].as_str() && holds(&live.0, wanted)
}

/// Whether `there` has all that `wanted` says. What others or the API server have added does not count, except in lists.
fn holds(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| match there.get(key) {
            Some(there) => holds(there, wanted),
            // An empty map or list is not stored.
            None => {
                matches!(wanted, Value::Object(map) if map.is_empty())
                    || matches!(wanted, Value::Array(list) if list.is_empty())
            }
        }),
        (Value::Array(there), Value::Array(wanted)) => {
            there.len() == wanted.len() && there.iter().zip(wanted).all(|(there, wanted)| holds(there, wanted))
        }
        (there, wanted) => there == wanted,
    }
}

/// The number of replicas is the autoscaler's from the moment on at which it has set one. Until then it is ours to keep:
/// whoever lets go of a field that nobody else has set gives it its default, which is one pod.
pub(super) fn keep_replicas(wanted: &mut Value, live: Option<&Live>, least: u64) {
    let Some(live) = live else {
        wanted["spec"]["replicas"] = least.into();
        return;
    };
    let managers = live.0.pointer("/metadata/managedFields").and_then(Value::as_array);
    let is_others = managers
        .into_iter()
        .flatten()
        .any(|entry| entry["manager"] != MANAGER && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some());
    if !is_others {
        wanted["spec"]["replicas"] = live.0["spec"]["replicas"].as_u64().unwrap_or(least).max(least).into();
    }
}
