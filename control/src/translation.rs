//! From what is known of the cluster to what data planes get and what statuses say.
//!
//! ```text
//! Store ──Batch──> translate ──> slices ──publish──> Feed
//!                      │                               │ what data planes acknowledged
//!                   statuses ──overlaid <── Progress <─┘
//!                      └──> Shared (the status writer's desk)
//! ```
//!
//! Translation runs on a thread where it may take its time. One that ends in a panic is a bug of ours: it is told, and
//! what was published before stays.

use crate::feed::Slicer;
use crate::observe::Metrics;
use crate::provision::group_of;
use crate::revision;
use crate::status::progress::{Progress, answers};
use crate::status::writer::Shared;
use crate::store::{Batch, Broken, Store};
use lychgate_api::meta::ConditionStatus;
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use lychgate_feed::GroupId;
use lychgate_feed::server::Feed;
use lychgate_ir::{GatewayId, ListenerId, ListenerOwner, ObjectName, Snapshot};
use lychgate_translate::{Assigned, Options, Statuses, Translation, translate};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant as Clock;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// What the newest batch became.
#[derive(Clone, Debug)]
pub struct Translated {
    /// The objects, without Gateways that are another control plane's.
    pub objects: Objects,
    /// Those Gateways, and the ListenerSets that belong to them.
    pub others: BTreeSet<ObjectRef>,
    /// Those that cannot be read.
    pub broken: Broken,
    /// What they became.
    pub translation: Translation,
}

/// Where Gateways can be reached.
pub type Addresses = Arc<BTreeMap<GatewayId, Assigned>>;

/// Translates batches as they come.
pub struct Translator {
    /// Where batches come from.
    pub store: Arc<Store>,
    /// Where slices go.
    pub feed: Feed,
    /// Where statuses go.
    pub statuses: Arc<Shared>,
    /// Which of several control planes we are.
    pub revision: Option<String>,
    /// Where Gateways can be reached; None as long as nobody knows.
    pub addresses: watch::Receiver<Option<Addresses>>,
    /// Tells everybody else.
    pub tell: watch::Sender<Option<Arc<Translated>>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Translator {
    /// Runs for ever.
    pub async fn run(mut self) {
        let mut slicer = Slicer::default();
        let mut progress = Progress::default();
        let mut served: BTreeSet<GroupId> = BTreeSet::new();
        let mut fleet = self.feed.fleet();
        let mut again = None;
        loop {
            tokio::select! {
                batch = self.store.next() => {
                    if let Some(arrivals) = self.translate(batch).await {
                        self.publish(&mut slicer, &mut progress, &mut served, &arrivals);
                    }
                }
                Ok(()) = fleet.changed() => {}
                Ok(()) = self.addresses.changed() => {}
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
            }
            let mut answers = answers(&fleet.borrow_and_update());
            for group in &served {
                for arrived in progress.heard(group, answers.remove(group).unwrap_or_default()) {
                    self.metrics.propagated(arrived.elapsed());
                }
            }
            let (groups, rejected) = progress.count();
            self.metrics.feed(fleet.borrow().clients.len(), groups, rejected);
            again = self.say(&progress);
        }
    }

    /// Translates. None if that failed.
    async fn translate(&self, batch: Batch) -> Option<Vec<Instant>> {
        let Batch { objects, broken, arrivals } = batch;
        let before = self.tell.borrow().clone();
        let revision = self.revision.clone();
        let begun = Clock::now();
        let work = tokio::task::spawn_blocking(move || {
            let options = Options { standalone: false, ..Options::default() };
            let others = revision::others(&objects, revision.as_deref());
            let objects = revision::select(&objects, revision.as_deref());
            let translation = translate(&objects, &options, before.as_deref().map(|before| &before.translation));
            Translated { objects, others, broken, translation }
        });
        match work.await {
            Ok(translated) => {
                self.metrics.translated(Ok(begun.elapsed()));
                self.tell.send_replace(Some(Arc::new(translated)));
                Some(arrivals)
            }
            Err(error) => {
                self.metrics.translated(Err(()));
                tracing::error!(%error, "a bug in Lychgate ended a translation; what was served goes on; please report it");
                None
            }
        }
    }

    fn publish(
        &self,
        slicer: &mut Slicer<GroupId>,
        progress: &mut Progress,
        served: &mut BTreeSet<GroupId>,
        arrivals: &[Instant],
    ) {
        let Some(translated) = self.tell.borrow().clone() else { return };
        let Translated { objects, others: _, broken: _, translation } = &*translated;
        let groups = groups(objects, &translation.statuses);
        let slices = slicer.cut(&translation.snapshot, &translation.endpoints, &groups);
        for (group, slice) in slices {
            let version = self.feed.publish(group, &slice.snapshot, &slice.endpoints);
            let programmed = |id: &ListenerId| self.has_programmed(objects, id);
            progress.published(group, version, &slice.snapshot, arrivals, Instant::now(), programmed);
        }
        // Their Gateways were seen to be gone, or to be another's: the view is whole.
        served.retain(|group| {
            let stays = slices.contains_key(group);
            if !stays {
                self.feed.retire(group);
                progress.retired(group);
            }
            stays
        });
        served.extend(slices.keys().cloned());
    }

    /// Puts on the desk what shall be said now. Tells when to do it again though nothing happened.
    fn say(&mut self, progress: &Progress) -> Option<Instant> {
        let translated = self.tell.borrow().clone()?;
        let translation = &translated.translation;
        let mut facts = progress.facts(&translation.snapshot, Instant::now(), |object| self.says_programmed(object));
        let addresses = self.addresses.borrow_and_update().clone();
        match addresses {
            Some(addresses) => facts.overlay.addresses = Arc::unwrap_or_clone(addresses),
            // What has addresses keeps them until somebody knows better: a new leader takes none away.
            None => facts.held.extend(self.with_addresses(&translation.snapshot)),
        }
        let statuses = translation.statuses.overlaid(&translation.snapshot, &facts.overlay);
        self.statuses.want(&statuses, facts.held, translated.others.clone());
        facts.again
    }

    /// Gateways with listeners that have addresses at the API server.
    fn with_addresses(&self, snapshot: &Snapshot) -> BTreeSet<ObjectRef> {
        let gateways: BTreeSet<&GatewayId> = snapshot.listeners.keys().map(|id| &id.gateway).collect();
        let objects = gateways.into_iter().map(|GatewayId(name)| ObjectRef {
            kind: Kind::Gateway,
            key: ObjectKey::new(&*name.namespace, &*name.name),
        });
        let has_some = |status: &Value| status["addresses"].as_array().is_some_and(|all| !all.is_empty());
        objects.filter(|object| self.statuses.observed(object, has_some).unwrap_or_default()).collect()
    }

    /// Whether the API server has an object as programmed, in whichever generation.
    fn says_programmed(&self, object: &ObjectRef) -> bool {
        self.statuses.observed(object, |status| is_programmed(status.get("conditions"), None)).unwrap_or_default()
    }

    /// Whether the API server has a listener as programmed in the generation that its object has.
    fn has_programmed(&self, objects: &Objects, id: &ListenerId) -> bool {
        let (kind, name) = match &id.owner {
            ListenerOwner::Gateway => (Kind::Gateway, &id.gateway.0),
            ListenerOwner::ListenerSet(set) => (Kind::ListenerSet, set),
        };
        let object = ObjectRef { kind, key: ObjectKey::new(&*name.namespace, &*name.name) };
        let generation = objects.get(kind, &object.key).map(|object| object.metadata().generation);
        let said = self.statuses.observed(&object, |status| {
            let listeners = status.get("listeners").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let own = |listener: &&Value| listener.get("name").and_then(Value::as_str) == Some(&*id.section);
            let own = listeners.iter().find(own);
            own.is_some_and(|listener| is_programmed(listener.get("conditions"), generation))
        });
        said.unwrap_or_default()
    }
}

/// The group of every Gateway that is ours: those of which something is said.
fn groups(objects: &Objects, statuses: &Statuses) -> BTreeMap<GatewayId, GroupId> {
    let ours = objects.gateways().filter(|(key, _)| {
        let object = ObjectRef { kind: Kind::Gateway, key: (*key).clone() };
        statuses.get(&object).is_some()
    });
    ours.map(|(key, gateway)| {
        let group = group_of(gateway);
        let id = GatewayId(ObjectName::new(key.namespace.as_str(), key.name.as_str()));
        (id, GroupId::new(group.namespace, group.name))
    })
    .collect()
}

fn is_programmed(conditions: Option<&Value>, generation: Option<i64>) -> bool {
    let conditions = conditions.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|condition| {
        let is = |name: &str, value: &str| condition.get(name).and_then(Value::as_str) == Some(value);
        let observed = condition.get("observedGeneration").and_then(Value::as_i64);
        is("type", "Programmed")
            && condition.get("status") == Some(&serde_json::json!(ConditionStatus::True))
            && generation.is_none_or(|generation| observed == Some(generation))
    })
}
