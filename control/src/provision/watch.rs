//! What is there, kept up to date.

use super::live::{Live, LiveKey, LiveKind};
use super::marks::{MANAGED_BY, MANAGER, REVISION};
use futures::StreamExt;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use lychgate_api::ObjectKey;
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// What a watcher tells.
#[derive(Debug)]
pub(super) enum Change {
    /// All that is there of a kind.
    All(LiveKind, BTreeMap<LiveKey, Live>),
    /// This is there, or has changed.
    There(LiveKey, Live),
    /// This is gone.
    Gone(LiveKey),
}

impl LiveKind {
    pub(super) fn resource(self) -> ApiResource {
        let (group, version) = self.api_version().split_once('/').unwrap_or(("", self.api_version()));
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, self.as_str()))
    }
}

/// Tells of everything of a kind that bears our mark, until nobody listens.
pub(super) async fn follow(client: Client, kind: LiveKind, revision: Option<String>, tell: mpsc::Sender<Change>) {
    let ours = match revision {
        Some(revision) => format!("{MANAGED_BY}={MANAGER},{REVISION}={revision}"),
        None => format!("{MANAGED_BY}={MANAGER},!{REVISION}"),
    };
    let api: Api<DynamicObject> = Api::all_with(client, &kind.resource());
    let mut events = Box::pin(watcher::watcher(api, watcher::Config::default().labels(&ours)).default_backoff());
    let mut listed = BTreeMap::new();
    let mut complained = false;
    while let Some(event) = events.next().await {
        let change = match event {
            Ok(Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(Event::InitApply(object)) => {
                listed.extend(read(kind, &object));
                continue;
            }
            Ok(Event::InitDone) => Some(Change::All(kind, std::mem::take(&mut listed))),
            Ok(Event::Apply(object)) => read(kind, &object).map(|(key, live)| Change::There(key, live)),
            Ok(Event::Delete(object)) => read(kind, &object).map(|(key, _)| Change::Gone(key)),
            Err(error) => {
                // The watcher goes on by itself; once is enough to say so.
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(
                        kind = kind.as_str(), %error,
                        "what data planes consist of cannot be watched; may our ServiceAccount list and watch it?"
                    );
                }
                continue;
            }
        };
        complained = false;
        let Some(change) = change else { continue };
        if tell.send(change).await.is_err() {
            return;
        }
    }
}

/// With kind and version, which objects in lists have not.
pub(super) fn read(kind: LiveKind, object: &DynamicObject) -> Option<(LiveKey, Live)> {
    let key = ObjectKey::new(object.metadata.namespace.clone()?, object.metadata.name.clone()?);
    let mut value = serde_json::to_value(object).ok()?;
    value["apiVersion"] = kind.api_version().into();
    value["kind"] = kind.as_str().into();
    Some((LiveKey { kind, key }, Live(value)))
}
