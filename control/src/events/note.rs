//! The words.

use crate::lease::Seat;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};
use lychgate_api::{Kind, ObjectRef};

/// The longest note that an Event takes.
const LONGEST: usize = 1000;

pub(super) fn unreadable(why: &str) -> Event {
    let note =
        format!("Lychgate cannot read this object, and goes on with its last good version if there is one: {why}");
    warning("Unreadable", "Read", note)
}

pub(super) fn denied(why: &str) -> Event {
    let note = format!(
        "Lychgate may not write this object's status, which is out of date therefore; what the object asks for is served. \
         Let the ServiceAccount of the control plane patch the status of this kind, or see to the webhook or policy that \
         denies it: {why}"
    );
    warning("StatusDenied", "WriteStatus", note)
}

pub(super) fn unwatched(kind: Kind, why: &str) -> Event {
    let note = format!(
        "Lychgate cannot watch objects of kind {kind}. What is known of them is served; a control plane that starts is not \
         ready before it knows all of them: {why}"
    );
    warning("CannotWatch", "Watch", note)
}

fn warning(reason: &str, action: &str, mut note: String) -> Event {
    note.truncate(note.floor_char_boundary(LONGEST));
    Event {
        type_: EventType::Warning,
        reason: reason.to_owned(),
        note: Some(note),
        action: action.to_owned(),
        secondary: None,
    }
}

pub(super) fn object(object: &ObjectRef) -> ObjectReference {
    let ObjectRef { kind, key } = object;
    ObjectReference {
        api_version: Some(kind.api_version()),
        kind: Some(kind.as_str().to_owned()),
        name: Some(key.name.clone()),
        namespace: kind.namespaced().then(|| key.namespace.clone()),
        ..ObjectReference::default()
    }
}

/// Our own pod: in one, we are called as it is.
pub(super) fn pod(seat: &Seat) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(seat.identity.clone()),
        namespace: Some(seat.namespace.clone()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_its_limits() {
        for event in [unreadable(&"é".repeat(2000)), denied(&"é".repeat(2000))] {
            assert!(event.note.is_some_and(|note| note.len() <= LONGEST && note.starts_with("Lychgate ")));
        }
    }

    #[test]
    fn an_event_says_what_is_wrong_and_what_to_do() {
        let note = denied("admission webhook \"w\" denied the request").note.unwrap_or_default();
        assert!(note.contains("webhook or policy") && note.ends_with("denied the request"), "{note}");
        let note = unwatched(Kind::Secret, "secrets is forbidden").note.unwrap_or_default();
        assert!(note.contains("kind Secret") && note.ends_with("secrets is forbidden"), "{note}");
    }
}
