//! The writer: does the desk's jobs, many at once, each with server-side apply, and only while this replica leads.

use super::FIELD_MANAGER;
use super::desk::{Desk, Job, Outcome};
use super::refusal::{Refusal, judge};
use crate::clock;
use crate::events::Denials;
use crate::lease::Leadership;
use crate::observe::Metrics;
use crate::store::Observer;
use crate::watch::{Discovered, Observed, Raw, Seen};
use kube::api::{Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client, Error};
use lychgate_api::{Kind, ObjectRef};
use lychgate_translate::Statuses;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// Writes at the same time. An API server has other clients, too.
const AT_ONCE: usize = 16;
/// How long one write may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The desk, for everybody who has something to put on it.
#[derive(Debug, Default)]
pub struct Shared {
    desk: Mutex<Desk>,
    news: Notify,
    /// News of what has listeners.
    listeners: Notify,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What shall be said from now on, as judged in this term of office; what is held is left alone for now, and what others
    /// speak for always.
    pub fn want(&self, statuses: &Statuses, held: BTreeSet<ObjectRef>, others: BTreeSet<ObjectRef>, term: Option<u64>) {
        let mut desk = self.desk();
        desk.want(statuses, held, others, Instant::now());
        desk.judged_in(term);
        drop(desk);
        self.news.notify_one();
    }

    /// In which term what shall be said was judged.
    #[must_use]
    pub fn term(&self) -> Option<u64> {
        self.desk().term()
    }

    /// Ends when something is another than before. One waits at a time.
    pub async fn changed(&self) {
        self.news.notified().await;
    }

    /// Ends when the API server has another status of a Gateway or a ListenerSet. One waits at a time.
    pub async fn listeners_changed(&self) {
        self.listeners.notified().await;
    }

    /// The objects of which the API server is known to have a status that is so.
    pub fn observed_where(&self, is_so: impl Fn(&Value) -> bool) -> BTreeSet<ObjectRef> {
        self.desk().observed_where(is_so)
    }

    /// Looks at the status that the API server has of an object; None where the object is not known.
    pub fn observed<T>(&self, object: &ObjectRef, look: impl FnOnce(&Value) -> T) -> Option<T> {
        self.desk().observed(object).map(|observed| look(&observed.status))
    }

    /// What shall be said of every object.
    #[must_use]
    pub fn wanted(&self) -> BTreeMap<ObjectRef, Value> {
        self.desk().wanted()
    }
}

impl Observer for Arc<Shared> {
    fn observe(&self, object: &ObjectRef, observed: Option<Observed>) {
        self.desk().observe(object, observed, Instant::now());
        self.news.notify_one();
        if matches!(object.kind, Kind::Gateway | Kind::ListenerSet) {
            self.listeners.notify_one();
        }
    }
}

/// Who writes.
pub struct Writer {
    /// The way to the API server.
    pub client: Client,
    /// Where the jobs are.
    pub shared: Arc<Shared>,
    /// Under which names kinds are served.
    pub discovered: watch::Receiver<Arc<Discovered>>,
    /// Whether we may.
    pub leadership: Leadership,
    /// Where objects are told of that may not be written.
    pub denials: Denials,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Writer {
    /// Writes until `stop`, and ends when what is on its way has arrived.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut running: JoinSet<(ObjectRef, Outcome)> = JoinSet::new();
        let mut led = false;
        loop {
            let term = self.leadership.term();
            // What was judged before this term began is not written in it: who does not lead hears less.
            let leads = term.is_some() && self.shared.term() == term;
            if leads && !led {
                self.shared.desk().look_at_all(Instant::now());
            }
            led = leads;
            while leads && running.len() < AT_ONCE {
                let Some(job) = self.shared.desk().next(Instant::now(), clock::now()) else { break };
                running.spawn(self.start(job));
            }
            let (due, waiting) = {
                let desk = self.shared.desk();
                (desk.next_due(), desk.waiting())
            };
            self.metrics.status_backlog(waiting);
            let due = due.filter(|_| leads && running.len() < AT_ONCE);
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                Some(done) = running.join_next() => self.finish(done),
                () = self.shared.changed() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                () = self.leadership.changed() => {}
            }
        }
        while let Some(done) = running.join_next().await {
            self.finish(done);
        }
    }

    fn finish(&self, done: Result<(ObjectRef, Outcome), tokio::task::JoinError>) {
        match done {
            Ok((object, outcome)) => self.shared.desk().done(&object, outcome, Instant::now()),
            // Its object stays as it is until something else is to be said of it.
            Err(error) => tracing::error!(%error, "a bug in Lychgate ended a status write; please report it"),
        }
    }

    fn start(&self, job: Job) -> impl Future<Output = (ObjectRef, Outcome)> + Send + 'static {
        let resource = self.discovered.borrow().resource(job.object.kind).cloned();
        let (client, metrics, leadership) = (self.client.clone(), self.metrics.clone(), self.leadership.clone());
        let denials = self.denials.clone();
        async move {
            let Job { object, uid, resource_version, status } = job;
            let Some(resource) = resource else { return (object, Outcome::Gone) };
            if !leadership.leads() {
                return (object, Outcome::Failed);
            }
            let api = api(client, &resource, &object);
            let mut metadata = json!({ "name": object.key.name, "uid": uid });
            if let Some(map) = metadata.as_object_mut() {
                if object.kind.namespaced() {
                    map.insert("namespace".to_owned(), object.key.namespace.clone().into());
                }
                if let Some(version) = resource_version {
                    map.insert("resourceVersion".to_owned(), version.into());
                }
            }
            let body = json!({
                "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "status": status,
            });
            let outcome = put(&api, &object, body, &denials).await;
            metrics.status_written(object.kind, result(&outcome));
            (object, outcome)
        }
    }
}

fn api(client: Client, resource: &ApiResource, object: &ObjectRef) -> Api<Raw> {
    if object.kind.namespaced() {
        Api::namespaced_with(client, &object.key.namespace, resource)
    } else {
        Api::all_with(client, resource)
    }
}

async fn put(api: &Api<Raw>, object: &ObjectRef, body: Value, denials: &Denials) -> Outcome {
    let name = object.key.name.as_str();
    let how = PatchParams::apply(FIELD_MANAGER).force();
    let Ok(written) = timeout(PATIENCE, api.patch_status(name, &how, &Patch::Apply(body))).await else {
        tracing::warn!(%object, "the API server did not answer a status write in time; trying again");
        return Outcome::Failed;
    };
    match written {
        Ok(raw) => observed(object.kind, raw).map_or(Outcome::Failed, Outcome::Written),
        Err(Error::Api(refusal)) => match refusal.code {
            404 => Outcome::Gone,
            409 => match timeout(PATIENCE, api.get_opt(name)).await {
                Ok(Ok(Some(raw))) => Outcome::Overtaken(observed(object.kind, raw)),
                Ok(Ok(None)) => Outcome::Gone,
                Ok(Err(_)) | Err(_) => Outcome::Overtaken(None),
            },
            code => match judge(code, &refusal.message) {
                Refusal::Invalid => {
                    tracing::error!(%object, why = refusal.message, "the API server refuses this status; this is a bug in \
                        Lychgate, or the CRD is not the one that it knows");
                    Outcome::Refused
                }
                Refusal::Denied => {
                    tracing::warn!(%object, why = refusal.message, "the status may not be written; let the ServiceAccount \
                        patch the status of this kind, or see to the webhook or policy that denies it");
                    denials.tell(object, &refusal.message);
                    Outcome::Failed
                }
                Refusal::Passing => {
                    tracing::warn!(%object, code, why = refusal.message, "a status could not be written; trying again");
                    Outcome::Failed
                }
            },
        },
        Err(error) => {
            tracing::debug!(%object, %error, "a status could not be written; trying again");
            Outcome::Failed
        }
    }
}

fn observed(kind: Kind, raw: Raw) -> Option<Observed> {
    Seen::new(kind, raw.value)?.observed
}

/// The word that metrics have for it.
fn result(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Written(_) => "written",
        Outcome::Overtaken(_) => "conflict",
        Outcome::Gone => "gone",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    }
}
