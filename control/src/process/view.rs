//! What the admin port sees.

use crate::lease::{Leadership, Standing};
use crate::observe::{Metrics, Source};
use crate::status::writer::Shared;
use crate::translation::Translated;
use lychgate_api::Kind;
use lychgate_feed::server::{ClientId, Feed, Known};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// The process, for whoever looks at it.
pub(super) struct View {
    pub(super) metrics: Arc<Metrics>,
    pub(super) translated: watch::Receiver<Option<Arc<Translated>>>,
    pub(super) shared: Arc<Shared>,
    pub(super) feed: Feed,
    /// What we call ourselves.
    pub(super) identity: String,
    pub(super) troubles: watch::Receiver<BTreeMap<Kind, String>>,
    pub(super) leadership: Leadership,
    pub(super) stopped: watch::Receiver<bool>,
    /// Whether the authority is there, and how we stand to who leads; for those that serve data planes.
    pub(super) serving: Option<(watch::Receiver<bool>, watch::Receiver<Standing>)>,
}

impl View {
    fn troubles(&self) -> BTreeMap<String, String> {
        self.troubles.borrow().iter().map(|(kind, why)| (kind.to_string(), why.clone())).collect()
    }
}

impl Source for View {
    fn not_ready(&self) -> Option<String> {
        if *self.stopped.borrow() {
            return Some("it ends".to_owned());
        }
        if self.translated.borrow().is_some() {
            let (authorized, standing) = self.serving.as_ref()?;
            let why = if !*authorized.borrow() {
                "the certificate authority is not there yet"
            } else if *standing.borrow() == Standing::Unknown {
                "the Lease cannot be looked at, so that nobody knows whether what is known here is of now"
            } else {
                return None;
            };
            return Some(format!("{why}; the feed is not served"));
        }
        let troubles: Vec<String> = self.troubles().into_iter().map(|(kind, why)| format!("{kind}: {why}")).collect();
        Some(if troubles.is_empty() {
            "not all kinds are listed yet".to_owned()
        } else {
            format!("not all kinds can be listed: {}", troubles.join("; "))
        })
    }

    fn config(&self) -> Value {
        let Some(translated) = self.translated.borrow().clone() else { return Value::Null };
        let translation = &translated.translation;
        json!({ "snapshot": &*translation.snapshot, "endpoints": translation.endpoints })
    }

    fn status(&self) -> Value {
        let statuses: BTreeMap<String, Value> =
            self.shared.wanted().into_iter().map(|(object, status)| (object.to_string(), status)).collect();
        let translated = self.translated.borrow().clone();
        let broken: BTreeMap<String, String> = translated
            .iter()
            .flat_map(|translated| translated.broken.iter())
            .map(|(object, why)| (object.to_string(), why.clone()))
            .collect();
        let fleet = self.feed.clients();
        let clients: Vec<Value> =
            fleet.everybody().into_iter().map(|(id, known)| data_plane(id, known, &self.identity)).collect();
        json!({
            "replica": self.identity,
            "leads": self.leadership.leads(),
            "cannotBeWatched": self.troubles(),
            "cannotBeRead": broken,
            "dataPlanes": clients,
            "statuses": statuses,
        })
    }

    fn metrics(&self) -> String {
        self.metrics.render()
    }
}

/// A data plane: which replica it follows, and what it said last to whichever.
fn data_plane(id: &ClientId, known: Known<'_>, own: &str) -> Value {
    let Known { replica, client, said } = known;
    let ack = said.and_then(|said| said.acknowledged.as_ref());
    json!({
        "group": id.group.to_string(),
        "instance": &*id.instance,
        "replica": replica.unwrap_or(own),
        "node": &*client.node,
        "product": &*client.product,
        "acknowledged": ack.map(|ack| ack.version.to_string()),
        "listeners": said.and_then(|said| said.listeners).map(|listeners| listeners.to_string()),
        "rejected": ack.map(|ack| {
            ack.rejected.iter().map(|one| json!({"what": one.what, "why": one.why})).collect::<Vec<_>>()
        }),
        "unbound": ack.map(|ack| {
            let unbound = ack.unbound.iter();
            unbound.map(|one| json!({"socket": one.socket.to_string(), "why": one.why})).collect::<Vec<_>>()
        }),
    })
}
