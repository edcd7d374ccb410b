//! Keeps what is served in step with what the control plane says, and answers what became of it.

use super::view::State;
use crate::sockets::Sockets;
use lychgate_engine::{Applied, Bind, Engine};
use lychgate_feed::client::{Client, Config, Link, Origin, Outcome};
use lychgate_feed::{Rejected, Socket, Unbound};
use lychgate_telemetry::{FeedFacts, Metrics};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::{oneshot, watch};

/// How often a socket that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Follower {
    engine: Arc<Engine>,
    sockets: Sockets,
    client: Client,
    configs: watch::Receiver<Option<Arc<Config>>>,
    links: watch::Receiver<Link>,
    /// What is served.
    current: Option<Arc<Config>>,
    /// Rules of it that the engine could not compile.
    rejected: Vec<Rejected>,
    unbound: BTreeMap<Bind, String>,
    tell: watch::Sender<State>,
}

impl Follower {
    pub(super) fn new(engine: Arc<Engine>, sockets: Sockets, client: Client, tell: watch::Sender<State>) -> Self {
        let (configs, links) = (client.configs(), client.link());
        let (rejected, unbound) = (Vec::new(), BTreeMap::new());
        Self { engine, sockets, client, configs, links, current: None, rejected, unbound, tell }
    }

    /// Serves what is known already.
    pub(super) async fn catch_up(&mut self) {
        let config = self.configs.borrow_and_update().clone();
        if let Some(config) = config {
            self.serve(config).await;
        }
    }

    /// Follows until stopped.
    pub(super) async fn follow(&mut self, stopped: oneshot::Receiver<()>) {
        let mut stopped = stopped;
        loop {
            tokio::select! {
                // An error means that nobody can ask for anything any more.
                _ = &mut stopped => return,
                Ok(()) = self.configs.changed() => self.catch_up().await,
                Ok(()) = self.links.changed() => self.count(),
                () = tokio::time::sleep(AGAIN), if !self.unbound.is_empty() => self.retry_sockets().await,
            }
        }
    }

    /// Follows for so long.
    pub(super) async fn follow_for(&mut self, time: Duration) {
        let (_keep, stopped) = oneshot::channel();
        // That time is over is what was waited for.
        let _ = tokio::time::timeout(time, self.follow(stopped)).await;
    }

    pub(super) fn unready(&self) {
        self.tell.send_modify(|state| (state.is_ready, state.is_ending) = (false, true));
    }

    /// Stops accepting, and waits for what there is. Tells how many connections were left.
    pub(super) async fn end(self) -> usize {
        let left = self.sockets.drain().await;
        self.client.stop().await;
        left
    }

    async fn serve(&mut self, config: Arc<Config>) {
        let before = self.current.as_ref().map(|before| &before.snapshot);
        let is_same = before.is_some_and(|before| Arc::ptr_eq(before, &config.snapshot));
        let (engine, new) = (self.engine.clone(), config.clone());
        // Thousands of routes take a while, and requests are served on this thread.
        let applying = tokio::task::spawn_blocking(move || {
            if is_same {
                engine.apply_endpoints(&new.endpoints);
                None
            } else {
                Some(engine.apply(&new.snapshot, &new.endpoints))
            }
        });
        let metrics = self.engine.observe().metrics.clone();
        match applying.await {
            Ok(Some(Applied { rejected })) => {
                self.rejected = rejected.into_iter().map(|(rule, why)| Rejected::rule(rule, why)).collect();
                self.unbound = follow(&mut self.sockets).await;
            }
            Ok(None) => {}
            Err(error) => {
                // The panic has told why. It is not acknowledged, so the control plane knows that it is not served.
                tracing::error!(%error, "a bug in Lychgate kept the config from being applied; please report it");
                metrics.reloaded(Err(()));
                return;
            }
        }
        metrics.reloaded(Ok(()));
        let origin = match config.origin {
            Origin::Cache => "cache",
            Origin::Feed(_) => "feed",
        };
        if !is_same {
            let (listeners, routes) = (config.snapshot.listeners.len(), config.snapshot.routes.len());
            let streams = config.snapshot.stream_routes.len();
            tracing::info!(origin, serial = config.serial, listeners, routes = routes + streams, "config applied");
        }
        self.log(&config);
        self.current = Some(config);
        self.report();
    }

    async fn retry_sockets(&mut self) {
        let unbound = follow(&mut self.sockets).await;
        if unbound != self.unbound {
            self.unbound = unbound;
            self.report();
        }
    }

    /// Tells the control plane, the admin port and the metrics.
    fn report(&self) {
        let Some(config) = &self.current else { return };
        let unbound = |(bind, why): (&Bind, &String)| Unbound { socket: socket(*bind), why: why.clone() };
        self.client.tell(Outcome {
            serial: config.serial,
            rejected: self.rejected.clone(),
            unbound: self.unbound.iter().map(unbound).collect(),
        });
        let all: Vec<Rejected> = self.rejected.iter().chain(config.rejected.iter()).cloned().collect();
        self.engine.observe().metrics.rejected(all.len());
        let bound = self.sockets.binds().copied().collect();
        self.tell.send_modify(|state| {
            state.is_ready = !state.is_ending;
            state.config = Some(config.clone());
            state.rejected = all;
            state.unbound = self.unbound.clone();
            state.bound = bound;
        });
    }

    /// What fails closed, where it was not said before.
    fn log(&self, config: &Config) {
        let before = self.tell.borrow();
        for Rejected { rule: _, what, why } in self.rejected.iter().chain(config.rejected.iter()) {
            if !before.rejected.iter().any(|known| known.what == *what && known.why == *why) {
                tracing::error!(what, why, "it cannot be served as it was sent; it refuses");
            }
        }
        for (bind, why) in &self.unbound {
            if before.unbound.get(bind) != Some(why) {
                tracing::error!(%bind, why, "cannot listen");
            }
        }
    }

    fn count(&mut self) {
        let link = self.links.borrow_and_update().clone();
        count(&self.engine.observe().metrics, &link);
    }
}

fn count(metrics: &Metrics, link: &Link) {
    let Link { is_open, trouble: _, version: _, not_after, updates, bytes, streams, certificates } = link;
    let seconds = not_after.and_then(|not_after| not_after.duration_since(UNIX_EPOCH).ok());
    metrics.feed(&FeedFacts {
        is_open: *is_open,
        updates: *updates,
        bytes: *bytes,
        streams: *streams,
        certificates: *certificates,
        expiry: seconds.map(|seconds| seconds.as_secs()),
    });
}

async fn follow(sockets: &mut Sockets) -> BTreeMap<Bind, String> {
    sockets.follow().await.into_iter().map(|(bind, error)| (bind, error.to_string())).collect()
}

fn socket(bind: Bind) -> Socket {
    let Bind { address, port, transport } = bind;
    Socket { address, port, transport }
}
