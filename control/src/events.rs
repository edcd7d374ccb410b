//! Events: what cannot be said in a status, because the object that it is about cannot be read.

use crate::lease::Leadership;
use crate::store::Broken;
use crate::translation::Translated;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use lychgate_api::ObjectRef;
use std::sync::Arc;
use tokio::sync::watch;

/// The longest note that an Event takes.
const LONGEST: usize = 1000;

/// Tells of objects that cannot be read, once each and for as long as we lead.
pub(crate) async fn tell(
    client: Client,
    identity: String,
    mut translated: watch::Receiver<Option<Arc<Translated>>>,
    leadership: Leadership,
) {
    let recorder =
        Recorder::new(client, Reporter { controller: "lychgate-control".to_owned(), instance: Some(identity) });
    let mut told = Broken::default();
    while translated.changed().await.is_ok() {
        let broken = translated.borrow_and_update().as_ref().map(|translated| translated.broken.clone());
        let Some(broken) = broken.filter(|broken| *broken != told && leadership.leads()) else { continue };
        for (object, why) in broken.iter().filter(|(object, why)| told.get(*object) != Some(*why)) {
            if let Err(error) = recorder.publish(&event(why), &reference(object)).await {
                tracing::debug!(%object, %error, "an Event could not be written");
            }
        }
        told = broken;
    }
}

fn event(why: &str) -> Event {
    let mut note =
        format!("Lychgate cannot read this object, and goes on with its last good version if there is one: {why}");
    note.truncate(note.floor_char_boundary(LONGEST));
    Event {
        type_: EventType::Warning,
        reason: "Unreadable".to_owned(),
        note: Some(note),
        action: "Read".to_owned(),
        secondary: None,
    }
}

fn reference(object: &ObjectRef) -> ObjectReference {
    let ObjectRef { kind, key } = object;
    ObjectReference {
        api_version: Some(kind.api_version()),
        kind: Some(kind.as_str().to_owned()),
        name: Some(key.name.clone()),
        namespace: kind.namespaced().then(|| key.namespace.clone()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_its_limits() {
        let event = event(&"é".repeat(2000));
        assert!(event.note.is_some_and(|note| note.len() <= LONGEST && note.starts_with("Lychgate cannot read")));
    }
}
