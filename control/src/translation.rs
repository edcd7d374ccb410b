//! From what is known of the cluster to what data planes get and what statuses say.
//!
//! ```text
//! Store ──Batch──> translate ──> slices ──publish──> Feed
//!                      │                               │ what data planes acknowledged, here and elsewhere
//!                   statuses ──overlaid <── Progress <─┘
//!                      └──> Shared (the status writer's desk)
//! ```
//!
//! Translation runs on a thread where it may take its time. One that ends in a panic is a bug of ours: it is told, and
//! what was published before stays.

mod office;
mod said;

use crate::feed::Slicer;
use crate::lease::Leadership;
use crate::observe::Metrics;
use crate::provision::group_of;
use crate::revision;
use crate::status::progress::{Progress, Publication, answers};
use crate::status::writer::Shared;
use crate::store::{Batch, Broken, Store};
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use lychgate_feed::GroupId;
use lychgate_feed::server::Feed;
use lychgate_ir::{GatewayId, ListenerId, ListenerOwner, ObjectName, Snapshot};
use lychgate_translate::{Assigned, Options, Statuses, Translation, translate};
use office::Office;
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
    /// Whether we lead, and so hear what every data plane says.
    pub leadership: Leadership,
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
        let mut office = Office::default();
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
                // Renewed, most of the time.
                () = self.leadership.changed() => if office.term == self.leadership.term() { continue },
                // What the leader before wrote last may come after we have begun.
                () = self.statuses.listeners_changed(), if office.begun().is_some() => {}
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
            }
            let (mut answers, clients, relayed) = {
                let fleet = fleet.borrow_and_update();
                let relayed: usize = fleet.relayed.values().map(|relayed| relayed.clients.len()).sum();
                (answers(&fleet), fleet.clients.len(), relayed)
            };
            for group in &served {
                for arrived in progress.heard(group, answers.remove(group).unwrap_or_default()) {
                    self.metrics.propagated(arrived.elapsed());
                }
            }
            let (groups, rejected) = progress.count();
            self.metrics.feed(clients, relayed, groups, rejected);
            again = self.say(&mut progress, &mut office);
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
            let Some(listeners) = self.feed.listeners(group) else { continue };
            let publication = Publication { version, listeners, snapshot: slice.snapshot.clone() };
            progress.published(group, publication, arrivals, Instant::now());
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
    fn say(&mut self, progress: &mut Progress, office: &mut Office) -> Option<Instant> {
        let translated = self.tell.borrow().clone()?;
        let translation = &translated.translation;
        let now = Instant::now();
        let term = self.leadership.term();
        office.look(term, now, || self.statuses.observed_where(said::is_of_data_planes));
        if let Some(as_of) = office.believes(now) {
            progress.believe(as_of, |id| self.has_programmed(&translated.objects, id));
        }
        let mut facts = progress.facts(now, office.begun(), |object| self.says_programmed(object));
        facts.held.extend(office.held(now).cloned());
        let addresses = self.addresses.borrow_and_update().clone();
        match addresses {
            Some(addresses) => facts.overlay.addresses = Arc::unwrap_or_clone(addresses),
            // What has addresses keeps them until somebody knows better: a new leader takes none away.
            None => facts.held.extend(self.with_addresses(&translation.snapshot)),
        }
        let statuses = translation.statuses.overlaid(&translation.snapshot, &facts.overlay);
        self.statuses.want(&statuses, facts.held, translated.others.clone(), term);
        [facts.again, office.again(now)].into_iter().flatten().min()
    }

    /// Gateways with listeners that have addresses at the API server.
    fn with_addresses(&self, snapshot: &Snapshot) -> BTreeSet<ObjectRef> {
        let gateways: BTreeSet<&GatewayId> = snapshot.listeners.keys().map(|id| &id.gateway).collect();
        let objects = gateways.into_iter().map(|GatewayId(name)| ObjectRef {
            kind: Kind::Gateway,
            key: ObjectKey::new(&*name.namespace, &*name.name),
        });
        objects.filter(|object| self.statuses.observed(object, said::has_addresses).unwrap_or_default()).collect()
    }

    /// Whether the API server has an object as programmed, in whichever generation.
    fn says_programmed(&self, object: &ObjectRef) -> bool {
        self.statuses.observed(object, said::is_programmed).unwrap_or_default()
    }

    /// Whether the API server has a listener as programmed in the generation that its object has.
    fn has_programmed(&self, objects: &Objects, id: &ListenerId) -> bool {
        let (kind, name) = match &id.owner {
            ListenerOwner::Gateway => (Kind::Gateway, &id.gateway.0),
            ListenerOwner::ListenerSet(set) => (Kind::ListenerSet, set),
        };
        let object = ObjectRef { kind, key: ObjectKey::new(&*name.namespace, &*name.name) };
        let generation = objects.get(kind, &object.key).map(|object| object.metadata().generation);
        let is_so = |status: &Value| said::has_programmed(status, &id.section, generation);
        self.statuses.observed(&object, is_so).unwrap_or_default()
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

#[cfg(test)]
mod tests;
