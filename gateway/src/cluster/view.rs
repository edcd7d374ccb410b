//! What the admin port sees of a data plane.

use crate::admin::{Source, running};
use lychgate_engine::{Bind, Engine};
use lychgate_feed::Rejected;
use lychgate_feed::client::{Config, Link, Origin};
use lychgate_ir::{RouteId, RuleId, Snapshot};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// What is served.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) is_ready: bool,
    pub(super) is_ending: bool,
    pub(super) config: Option<Arc<Config>>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) unbound: BTreeMap<Bind, String>,
    pub(super) bound: BTreeSet<Bind>,
}

pub(super) struct View {
    engine: Arc<Engine>,
    states: watch::Receiver<State>,
    links: watch::Receiver<Link>,
}

impl View {
    pub(super) fn new(engine: Arc<Engine>, states: watch::Receiver<State>, links: watch::Receiver<Link>) -> Self {
        Self { engine, states, links }
    }
}

impl Source for View {
    fn is_ready(&self) -> bool {
        self.states.borrow().is_ready
    }

    fn config(&self) -> Value {
        running(&self.engine)
    }

    fn status(&self) -> Value {
        let State { is_ready, is_ending: _, config, rejected, unbound, bound } = self.states.borrow().clone();
        let origin = config.as_ref().map(|config| match config.origin {
            Origin::Cache => "cache",
            Origin::Feed(_) => "feed",
        });
        let objects = config.as_ref().map(|config| routes(&config.snapshot)).unwrap_or_default();
        json!({
            "ready": is_ready,
            "controlPlane": link(&self.links.borrow()),
            "config": { "serial": config.map(|config| config.serial), "origin": origin },
            "listening": bound.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "notListening": unbound.iter().map(|(bind, why)| json!({ "socket": bind.to_string(), "why": why })).collect::<Vec<_>>(),
            "objects": objects,
            "rejected": rejected.iter().map(|Rejected { rule, what, why }| json!({ "rule": rule, "what": what, "why": why })).collect::<Vec<_>>(),
        })
    }

    fn metrics(&self) -> String {
        self.engine.observe().metrics.render()
    }
}

/// The routes that are served, and in which generation. Their statuses are the control plane's to say.
fn routes(snapshot: &Snapshot) -> Vec<Value> {
    let object = |RouteId { kind, name }: &RouteId, rule: Option<&RuleId>| {
        let generation = rule.map(|rule| rule.generation);
        let metadata = json!({ "namespace": name.namespace, "name": name.name, "generation": generation });
        json!({ "kind": kind, "metadata": metadata })
    };
    let routes = snapshot.routes.values().map(|route| object(&route.id, route.rules.first().map(|rule| &rule.id)));
    let streams = snapshot.stream_routes.values().map(|route| object(&route.id, Some(&route.rule)));
    routes.chain(streams).collect()
}

fn link(link: &Link) -> Value {
    let Link { is_open, trouble, version, not_after, updates, bytes, streams, certificates } = link;
    json!({
        "connected": is_open,
        "trouble": trouble,
        "version": version.map(|version| version.to_string()),
        "certificateEnds": not_after.map(seconds),
        "updates": updates,
        "updateBytes": bytes,
        "streams": streams,
        "certificates": certificates,
    })
}

/// Since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
