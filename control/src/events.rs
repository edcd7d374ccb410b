//! Events: what cannot be said in a status, because its object cannot be read, or because the status may not be written.
//!
//! Of objects, the leader tells, once for each reason. Of kinds that it cannot watch, every replica tells of itself: the
//! Event is about its own pod, where somebody looks who wonders why it is not ready.

mod note;

use crate::lease::{Leadership, Seat};
use crate::store::Broken;
use crate::translation::Translated;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};
use lychgate_api::{Kind, ObjectRef};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Denials that wait to be told. More are not told: they are in the log, and an API server has better things to do.
const WAITING: usize = 32;
/// So many denials are remembered as told.
const REMEMBERED: usize = 1000;

/// Where it is told that a status may not be written.
#[derive(Clone, Debug)]
pub struct Denials(mpsc::Sender<(ObjectRef, String)>);

impl Denials {
    /// Those that are told of, and where they arrive.
    #[must_use]
    pub(crate) fn new() -> (Self, mpsc::Receiver<(ObjectRef, String)>) {
        let (tell, told) = mpsc::channel(WAITING);
        (Self(tell), told)
    }

    /// Tells why. Never waits.
    pub fn tell(&self, object: &ObjectRef, why: &str) {
        // A full queue is no news; see above.
        let _ = self.0.try_send((object.clone(), why.to_owned()));
    }
}

/// Who tells.
pub(crate) struct Teller {
    /// The way to the API server.
    pub(crate) client: Client,
    /// Who we are: the name of our pod, where we are in one.
    pub(crate) seat: Seat,
    /// What cannot be read.
    pub(crate) translated: watch::Receiver<Option<Arc<Translated>>>,
    /// What may not be written.
    pub(crate) denials: mpsc::Receiver<(ObjectRef, String)>,
    /// What cannot be watched.
    pub(crate) troubles: watch::Receiver<BTreeMap<Kind, String>>,
    /// Whether we speak for all replicas.
    pub(crate) leadership: Leadership,
}

impl Teller {
    /// Tells, for ever.
    pub(crate) async fn run(mut self) {
        let reporter =
            Reporter { controller: "lychgate-control".to_owned(), instance: Some(self.seat.identity.clone()) };
        let recorder = Recorder::new(self.client.clone(), reporter);
        let mut broken = Broken::default();
        let mut denied: BTreeMap<ObjectRef, String> = BTreeMap::new();
        let mut troubles = BTreeMap::new();
        loop {
            tokio::select! {
                Ok(()) = self.translated.changed() => {}
                () = self.leadership.changed() => {}
                Some((object, why)) = self.denials.recv() => {
                    if denied.len() >= REMEMBERED {
                        denied.clear();
                    }
                    if denied.get(&object) != Some(&why) {
                        publish(&recorder, &note::denied(&why), &note::object(&object)).await;
                        denied.insert(object, why);
                    }
                }
                Ok(()) = self.troubles.changed() => {
                    let now = self.troubles.borrow_and_update().clone();
                    for (kind, why) in now.iter().filter(|(kind, _)| !troubles.contains_key(*kind)) {
                        publish(&recorder, &note::unwatched(*kind, why), &note::pod(&self.seat)).await;
                    }
                    troubles = now;
                }
                else => return,
            }
            if self.leadership.leads() {
                broken = tell_broken(&recorder, &self.translated, broken).await;
            }
        }
    }
}

/// Tells of objects that cannot be read and were not told of. What is told is what cannot be read now.
async fn tell_broken(
    recorder: &Recorder,
    translated: &watch::Receiver<Option<Arc<Translated>>>,
    told: Broken,
) -> Broken {
    let now = translated.borrow().as_ref().map(|translated| translated.broken.clone());
    let Some(now) = now.filter(|now| *now != told) else { return told };
    for (object, why) in now.iter().filter(|(object, why)| told.get(*object) != Some(*why)) {
        publish(recorder, &note::unreadable(why), &note::object(object)).await;
    }
    now
}

async fn publish(recorder: &Recorder, event: &Event, about: &ObjectReference) {
    if let Err(error) = recorder.publish(event, about).await {
        tracing::debug!(about = about.name, reason = event.reason, %error, "an Event could not be written");
    }
}
