//! What statuses say that the API server has.

use serde_json::Value;

/// Whether it says that an object is programmed, in whichever generation.
pub(super) fn is_programmed(status: &Value) -> bool {
    holds_programmed(status, None)
}

/// Whether it says so of a listener, in this generation of the object.
pub(super) fn has_programmed(status: &Value, section: &str, generation: Option<i64>) -> bool {
    let named = |listener: &&Value| listener["name"] == section;
    list(&status["listeners"]).iter().find(named).is_some_and(|listener| holds_programmed(listener, generation))
}

/// Whether it has an address.
pub(super) fn has_addresses(status: &Value) -> bool {
    !list(&status["addresses"]).is_empty()
}

/// Whether it says what only data planes can have told: rules that they reject, sockets that they could not open. It may be
/// that translation has said so.
pub(super) fn is_of_data_planes(status: &Value) -> bool {
    let parts = ["parents", "listeners"].map(|part| list(&status[part]));
    [status].into_iter().chain(parts.into_iter().flatten()).flat_map(|part| list(&part["conditions"])).any(
        |condition| {
            let reason = condition["reason"].as_str().unwrap_or_default();
            reason == "PortUnavailable" || reason == "UnsupportedValue"
        },
    )
}

fn holds_programmed(part: &Value, generation: Option<i64>) -> bool {
    list(&part["conditions"]).iter().any(|condition| {
        condition["type"] == "Programmed"
            && condition["status"] == "True"
            && generation.is_none_or(|generation| condition["observedGeneration"] == generation)
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn condition(kind: &str, status: &str, reason: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason, "observedGeneration": 2})
    }

    #[test]
    fn a_listener_is_programmed_in_its_generation() {
        let listener = json!({"name": "http", "conditions": [condition("Programmed", "True", "Programmed")]});
        let status = json!({"listeners": [listener], "conditions": [condition("Programmed", "False", "Pending")]});
        assert!(has_programmed(&status, "http", Some(2)) && has_programmed(&status, "http", None));
        assert!(!has_programmed(&status, "http", Some(3)) && !has_programmed(&status, "https", Some(2)));
        assert!(!is_programmed(&status) && !is_programmed(&Value::Null));
    }

    #[test]
    fn what_data_planes_told_is_known_wherever_it_stands() {
        let bad = condition("PartiallyInvalid", "True", "UnsupportedValue");
        let shut = condition("Programmed", "False", "PortUnavailable");
        let fine = condition("Accepted", "True", "Accepted");
        assert!(is_of_data_planes(&json!({"parents": [{"conditions": [fine, bad]}]})));
        assert!(is_of_data_planes(&json!({"listeners": [{"conditions": [shut]}]})));
        assert!(is_of_data_planes(&json!({"conditions": [shut]})));
        assert!(!is_of_data_planes(&json!({"conditions": [fine], "parents": [{"conditions": [fine]}]})));
        assert!(!is_of_data_planes(&Value::Null));
    }
}
