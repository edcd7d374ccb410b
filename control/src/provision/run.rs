//! The loop: what shall be against what is there, whenever one of them changes.

use super::addresses::addresses;
use super::apply::{apply, delete, least_replicas, marked, owners_are};
use super::desired::{Context, desired};
use super::drift::is_current;
use super::group::{Groups, groups};
use super::live::{Live, LiveKey, LiveKind};
use super::obsolete::obsolete;
use super::watch::{Change, follow};
use futures::StreamExt;
use kube::Client;
use lychgate_api::gateway::Gateway;
use lychgate_api::{ObjectKey, Objects};
use lychgate_ir::{GatewayId, Snapshot};
use lychgate_translate::{Assigned, Statuses};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Writes that are under way at once.
const CONCURRENCY: usize = 8;
/// Changes that wait to be taken in.
const BACKLOG: usize = 1024;
/// From the first try again to the last.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What Gateways there are, and what is said of them. Complete: half a view is never shown here.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// All objects.
    pub objects: Objects,
    /// What they were translated to.
    pub snapshot: Arc<Snapshot>,
    /// What is said about them.
    pub statuses: Statuses,
}

/// Keeps data planes as they shall be, while we lead; and knows their addresses, always.
pub struct Provisioner {
    client: Client,
    context: watch::Receiver<Arc<Context>>,
    views: watch::Receiver<Option<Arc<View>>>,
    leading: watch::Receiver<bool>,
    addresses: watch::Sender<Arc<BTreeMap<GatewayId, Assigned>>>,
    remote: watch::Sender<BTreeMap<ObjectKey, String>>,
    groups: Groups,
    live: BTreeMap<LiveKey, Live>,
    /// Kinds of which all is known. Nothing is done about the others.
    known: BTreeSet<LiveKind>,
    /// What was written, and the version that it had then: the server may store it in other words.
    written: BTreeMap<LiveKey, (Value, Option<String>)>,
    failures: BTreeMap<LiveKey, Failure>,
}

#[derive(Debug)]
struct Failure {
    why: String,
    wait: Duration,
    again: Instant,
}

impl Provisioner {
    /// For a cluster. `views` is `None` until the first view is complete. The addresses are those that statuses show.
    #[must_use]
    pub fn new(
        client: Client,
        context: watch::Receiver<Arc<Context>>,
        views: watch::Receiver<Option<Arc<View>>>,
        leading: watch::Receiver<bool>,
    ) -> (Self, watch::Receiver<Arc<BTreeMap<GatewayId, Assigned>>>) {
        let (addresses, told) = watch::channel(Arc::default());
        let provisioner = Self {
            client,
            context,
            views,
            leading,
            addresses,
            remote: watch::Sender::default(),
            groups: Groups::default(),
            live: BTreeMap::new(),
            known: BTreeSet::new(),
            written: BTreeMap::new(),
            failures: BTreeMap::new(),
        };
        (provisioner, told)
    }

    /// Which groups are served from which other cluster.
    #[must_use]
    pub fn remote(&self) -> watch::Receiver<BTreeMap<ObjectKey, String>> {
        self.remote.subscribe()
    }

    /// Runs until nobody shows views any more.
    pub async fn run(mut self) {
        let (tell, mut changes) = mpsc::channel(BACKLOG);
        let mut watchers = JoinSet::new();
        let revision = self.context.borrow().revision.clone();
        for kind in LiveKind::ALL {
            watchers.spawn(follow(self.client.clone(), kind, revision.clone(), tell.clone()));
        }
        loop {
            let again = self.failures.values().map(|failure| failure.again).min();
            let retry = async {
                match again {
                    Some(again) => tokio::time::sleep_until(again).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                change = changes.recv() => {
                    let Some(change) = change else { return };
                    self.take(change);
                    while let Ok(change) = changes.try_recv() {
                        self.take(change);
                    }
                }
                seen = self.views.changed() => {
                    if seen.is_err() {
                        return;
                    }
                }
                seen = self.context.changed() => {
                    if seen.is_err() {
                        return;
                    }
                }
                seen = self.leading.changed() => {
                    if seen.is_err() {
                        return;
                    }
                }
                () = retry => {}
            }
            let Some(view) = self.views.borrow_and_update().clone() else { continue };
            self.groups = groups(&view.objects, &view.snapshot, &view.statuses);
            let remote = self.groups.remote.iter().map(|(group, remote)| (group.clone(), remote.cluster.clone()));
            self.remote.send_replace(remote.collect());
            if *self.leading.borrow_and_update() {
                self.write(&view).await;
            }
            self.tell();
        }
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::All(kind, all) => {
                self.live.retain(|key, _| key.kind != kind);
                self.live.extend(all);
                self.known.insert(kind);
            }
            Change::There(key, live) => {
                self.live.insert(key, live);
            }
            Change::Gone(key) => {
                self.live.remove(&key);
                self.written.remove(&key);
            }
        }
    }

    /// Says where Gateways are, once Services are known. Until then they would all seem to have no address.
    fn tell(&self) {
        if !self.known.contains(&LiveKind::Service) {
            return;
        }
        let mut found = addresses(&self.groups, &self.live);
        for group in self.groups.wanted.values() {
            let failed = self
                .failures
                .iter()
                .find(|(key, _)| key.key.namespace == group.key.namespace && key.key.name.starts_with(&group.key.name));
            let Some((_, Failure { why, .. })) = failed else { continue };
            for gateway in &group.gateways {
                let name = lychgate_ir::ObjectName::new(&*gateway.metadata.namespace, &*gateway.metadata.name);
                if let Some(assigned) = found.get_mut(&GatewayId(name)) {
                    assigned.explain(why);
                }
            }
        }
        self.addresses.send_if_modified(|known| {
            let differs = **known != found;
            if differs {
                *known = Arc::new(found);
            }
            differs
        });
    }

    async fn write(&mut self, view: &View) {
        let context = self.context.borrow_and_update().clone();
        let mut names = BTreeSet::new();
        let mut due = Vec::new();
        let now = Instant::now();
        for group in self.groups.wanted.values() {
            for wanted in desired(group, &context) {
                let Some(key) = LiveKey::of(&wanted) else { continue };
                names.insert(key.clone());
                let live = self.live.get(&key);
                let wanted = marked(wanted, least_replicas(key.kind, group), live);
                if self.known.contains(&key.kind)
                    && self.failures.get(&key).is_none_or(|failure| failure.again <= now)
                    && !self.is_done(&key, live, &wanted)
                {
                    due.push((key, wanted));
                }
            }
        }
        self.failures.retain(|key, _| names.contains(key));
        let writes = due.into_iter().map(|(key, wanted)| {
            let (client, seen) = (self.client.clone(), self.live.contains_key(&key));
            async move {
                let result = apply(client, key.clone(), wanted.clone(), seen).await;
                (key, wanted, result)
            }
        });
        // In the order of kinds within a group, as far as there is one: a pod without its account is only tried again.
        let results: Vec<_> = futures::stream::iter(writes).buffered(CONCURRENCY).collect().await;
        for (key, wanted, result) in results {
            match result {
                Ok(live) => {
                    tracing::debug!(object = %key, "written");
                    self.failures.remove(&key);
                    self.written.insert(key.clone(), (wanted, live.resource_version().map(str::to_owned)));
                    self.live.insert(key, live);
                }
                Err(error) => self.failed(key, error.to_string()),
            }
        }
        if self.known.len() == LiveKind::ALL.len() {
            self.clear_up(view, &names).await;
        }
    }

    fn is_done(&self, key: &LiveKey, live: Option<&Live>, wanted: &Value) -> bool {
        let Some(live) = live else { return false };
        let as_written = self.written.get(key).is_some_and(|(known, version)| {
            known == wanted && version.is_some() && version.as_deref() == live.resource_version()
        });
        as_written || is_current(live, wanted)
    }

    fn failed(&mut self, key: LiveKey, why: String) {
        let (first, last) = RETRY;
        let wait = self.failures.get(&key).map_or(first, |failure| (failure.wait * 2).min(last));
        tracing::warn!(object = %key, error = why, retry = ?wait, "a part of a data plane cannot be written");
        self.failures.insert(key, Failure { why, wait, again: Instant::now() + wait });
    }

    async fn clear_up(&mut self, view: &View, names: &BTreeSet<LiveKey>) {
        let keys: Vec<LiveKey> =
            obsolete(&self.live, &self.groups, names, &view.objects, &view.statuses).into_iter().cloned().collect();
        for key in keys {
            let Some(live) = self.live.get(&key) else { continue };
            let seen = |name| view.objects.get_gateway(&ObjectKey::new(key.key.namespace.as_str(), name)).cloned();
            let owners: Vec<(String, Option<Arc<Gateway>>)> =
                live.owners().map(|(name, _)| (name.to_owned(), seen(name))).collect();
            // A parameter's objects go with the parameter; a whole data plane only if its Gateways are surely elsewhere.
            let whole = !live.group().is_some_and(|group| self.groups.wanted.contains_key(&group));
            if whole && !owners_are(self.client.clone(), &key.key.namespace, &owners).await {
                tracing::info!(object = %key, "not deleted: its Gateways are not as they were seen");
                continue;
            }
            match delete(self.client.clone(), key.clone(), live).await {
                Ok(()) => {
                    tracing::info!(object = %key, "deleted: no Gateway wants it any more");
                    self.live.remove(&key);
                }
                // It has changed meanwhile; the watcher tells, and it is judged anew.
                Err(error) => tracing::debug!(object = %key, %error, "not deleted"),
            }
        }
    }
}
