//! Following one kind: list, watch, list again where the server has forgotten too much, and never give up.

use super::Change;
use super::backoff::Waits;
use super::discovery::{Discovered, Served};
use super::raw::Raw;
use super::seen::Seen;
use crate::observe::Metrics;
use futures::{Stream, StreamExt};
use k8s_openapi::jiff::Timestamp;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use lychgate_api::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, watch};

/// A watch is begun anew so often, in seconds: a connection that died silently is noticed by then.
const TIMEOUT: u32 = 120;

/// Secrets of which surely none is a certificate, or a password or token that a policy names: most of them by size.
const NO_CREDENTIALS: &str = "type!=kubernetes.io/service-account-token,type!=kubernetes.io/dockercfg,\
    type!=kubernetes.io/dockerconfigjson,type!=bootstrap.kubernetes.io/token,type!=helm.sh/release.v1";

/// Who follows one kind.
pub(super) struct Follower {
    pub(super) kind: Kind,
    pub(super) client: Client,
    pub(super) discovered: watch::Receiver<Arc<Discovered>>,
    pub(super) tell: mpsc::Sender<Change>,
    pub(super) complain: watch::Sender<BTreeMap<Kind, String>>,
    /// Told when the kind seems to be gone.
    pub(super) doubt: Arc<Notify>,
    pub(super) metrics: Arc<Metrics>,
}

impl Follower {
    /// Follows for ever, in whichever version the kind is served.
    pub(super) async fn run(mut self) {
        loop {
            let served = self.discovered.borrow_and_update().get(self.kind).map(|served| served.cloned());
            match served {
                Some(Some(served)) => self.while_served(&served).await,
                Some(None) => {
                    self.trouble(None);
                    let _ = self.tell.send(Change::Absent(self.kind)).await;
                    self.until_other(Some(&None)).await;
                }
                None => self.until_other(None).await,
            }
            if self.tell.is_closed() {
                return;
            }
        }
    }

    /// Waits until the kind is served in another way.
    async fn until_other(&mut self, now: Option<&Option<Served>>) {
        let kind = self.kind;
        let is_other = |found: &Arc<Discovered>| found.get(kind) != now.map(Option::as_ref);
        if self.discovered.wait_for(is_other).await.is_err() {
            self.tell.closed().await;
        }
    }

    async fn while_served(&mut self, served: &Served) {
        let mut config = watcher::Config::default().timeout(TIMEOUT);
        if self.kind == Kind::Secret {
            config = config.fields(NO_CREDENTIALS);
        }
        // Of Namespaces only the labels are read, and a cluster has many.
        if self.kind == Kind::Namespace {
            let api: Api<PartialObjectMeta<Raw>> = Api::all_with(self.client.clone(), &served.resource);
            let events = watcher(api, config).map(|event| event.map(|event| map(event, of_metadata)));
            self.take(events, served).await;
        } else {
            let api: Api<Raw> = Api::all_with(self.client.clone(), &served.resource);
            let events = watcher(api, config).map(|event| event.map(|event| map(event, |raw: Raw| raw.value)));
            self.take(events, served).await;
        }
    }

    async fn take(&mut self, events: impl Stream<Item = watcher::Result<Event<Value>>>, served: &Served) {
        let mut events = pin!(events.backoff(Waits::default()));
        let mut listing = Vec::new();
        let mut discovered = self.discovered.clone();
        let kind = self.kind;
        let mut is_other = pin!(discovered.wait_for(|found| found.get(kind) != Some(Some(served))));
        loop {
            let event = tokio::select! {
                _ = &mut is_other => return,
                event = events.next() => event,
            };
            let change = match event {
                // It never ends.
                None => return,
                Some(Err(error)) => {
                    self.failed(&error);
                    continue;
                }
                Some(Ok(Event::Init)) => {
                    listing.clear();
                    continue;
                }
                Some(Ok(Event::InitApply(value))) => {
                    listing.extend(self.seen(value));
                    continue;
                }
                Some(Ok(Event::InitDone)) => Change::Listed(kind, std::mem::take(&mut listing)),
                Some(Ok(Event::Apply(value))) => match self.seen(value) {
                    Some(seen) => {
                        self.lag(&seen);
                        Change::Applied(Box::new(seen))
                    }
                    None => continue,
                },
                Some(Ok(Event::Delete(value))) => match self.seen(value) {
                    Some(seen) => Change::Deleted(seen.reference),
                    None => continue,
                },
            };
            self.trouble(None);
            if self.tell.send(change).await.is_err() {
                return;
            }
        }
    }

    fn seen(&self, value: Value) -> Option<Seen> {
        let seen = Seen::new(self.kind, value);
        if seen.is_none() {
            tracing::error!(kind = %self.kind, "the API server sent an object without a name");
        }
        seen
    }

    /// From when it was written to now, as far as both clocks agree.
    fn lag(&self, seen: &Seen) {
        if let Some(written) = seen.written {
            let lag = Timestamp::now().duration_since(written);
            self.metrics.watch_lag(lag.try_into().unwrap_or_default());
        }
    }

    fn failed(&self, error: &watcher::Error) {
        self.metrics.watch_failed(self.kind);
        let why = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
                if status.code == 404 {
                    self.doubt.notify_one();
                }
                if status.code == 403 {
                    format!("{}; let the ServiceAccount list and watch this kind in all namespaces", status.message)
                } else {
                    status.message.clone()
                }
            }
            // Too much was forgotten, and all is listed again: that is how it works.
            watcher::Error::WatchError(status) if status.code == 410 => {
                tracing::debug!(kind = %self.kind, "the watch is too old; listing again");
                return;
            }
            error => error.to_string(),
        };
        self.trouble(Some(why));
    }

    /// Says once what is wrong, and once that it is well again.
    fn trouble(&self, why: Option<String>) {
        let kind = self.kind;
        self.complain.send_if_modified(|troubles| match why {
            None => {
                let was = troubles.remove(&kind).is_some();
                if was {
                    tracing::info!(%kind, "watched again");
                }
                was
            }
            Some(why) => {
                let old = troubles.insert(kind, why.clone());
                let is_new = old.is_none();
                if is_new {
                    tracing::warn!(%kind, why, "cannot be watched; what was known of it stays, and it is tried again");
                }
                old.as_ref() != Some(&why)
            }
        });
    }
}

fn map<A, B>(event: Event<A>, with: impl Fn(A) -> B) -> Event<B> {
    match event {
        Event::Apply(object) => Event::Apply(with(object)),
        Event::Delete(object) => Event::Delete(with(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(with(object)),
        Event::InitDone => Event::InitDone,
    }
}

fn of_metadata(object: PartialObjectMeta<Raw>) -> Value {
    // Plain data always serializes.
    json!({ "metadata": serde_json::to_value(object.metadata).unwrap_or_default() })
}
