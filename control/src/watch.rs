//! Watching: one watcher a kind, from the first list to the last event.
//!
//! A kind is followed in the newest version that the server serves of those that its type can be read from. A kind that
//! nobody serves is an empty one, until it appears; a kind that we may not list is not: nothing is known of it, and
//! nothing is concluded from that.

mod backoff;
mod discovery;
mod follow;
mod raw;
mod seen;

pub use discovery::{Discovered, Served};
pub use seen::{Observed, Seen};

pub(crate) use raw::Raw;

use crate::observe::Metrics;
use kube::Client;
use lychgate_api::{GATEWAY_X_GROUP, Kind, ObjectRef};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

/// Changes that wait to be taken in; watchers wait for room.
const BACKLOG: usize = 4096;

/// What watchers tell.
#[derive(Debug)]
pub enum Change {
    /// An object came, or changed.
    Applied(Box<Seen>),
    /// An object went.
    Deleted(ObjectRef),
    /// All objects of the kind, in place of those that were known.
    Listed(Kind, Vec<Seen>),
    /// Nobody serves the kind.
    Absent(Kind),
}

/// What is watched, and how it goes.
pub struct Watch {
    /// What watchers tell.
    pub changes: mpsc::Receiver<Change>,
    /// In which version each kind is served.
    pub discovered: watch::Receiver<Arc<Discovered>>,
    /// Why kinds are not known, by kind.
    pub troubles: watch::Receiver<BTreeMap<Kind, String>>,
    /// Watching ends when the set is dropped.
    pub tasks: JoinSet<()>,
}

impl Watch {
    /// Begins to watch every kind; those of the experimental API only if they are asked for, and without them as if nobody
    /// served them.
    #[must_use]
    pub fn start(client: &Client, metrics: &Arc<Metrics>, experimental: bool) -> Self {
        let (tell, changes) = mpsc::channel(BACKLOG);
        let (found, discovered) = watch::channel(Arc::new(Discovered::default()));
        let (complain, troubles) = watch::channel(BTreeMap::new());
        let doubt = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(discovery::keep_up(client.clone(), found, doubt.clone(), metrics.clone()));
        for kind in Kind::ALL {
            if kind.group() == GATEWAY_X_GROUP && !experimental {
                tasks.spawn(ignore(*kind, tell.clone()));
                continue;
            }
            let follower = follow::Follower {
                kind: *kind,
                client: client.clone(),
                discovered: discovered.clone(),
                tell: tell.clone(),
                complain: complain.clone(),
                doubt: doubt.clone(),
                metrics: metrics.clone(),
            };
            tasks.spawn(follower.run());
        }
        Self { changes, discovered, troubles, tasks }
    }
}

/// Says that there is nothing of a kind, and that is all.
async fn ignore(kind: Kind, tell: mpsc::Sender<Change>) {
    // Nobody listens where the process ends.
    let _ = tell.send(Change::Absent(kind)).await;
}
