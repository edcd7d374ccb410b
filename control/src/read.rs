//! A cluster, read once: for whoever has a question about it and goes away again. The same watchers and the same store as
//! the control plane has, up to the first time that the view is whole.

use crate::observe::Metrics;
use crate::store::{self, Batch, Broken, Observer, Store};
use crate::watch::{Observed, Watch};
use kube::Client;
use lychgate_api::{ObjectRef, Objects};
use lychgate_translate::{ObjectStatus, Statuses};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// What a cluster has.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// All objects that can be read.
    pub objects: Objects,
    /// Those that cannot be read, or whose status cannot, and why.
    pub broken: Broken,
    /// What is said of objects, by whomever.
    pub statuses: Statuses,
}

/// Why a cluster could not be read.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// What is counted on the way cannot be.
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Not everything was told in time.
    #[error("the API server did not tell everything within {} s: {}", .patience.as_secs(), .troubles.join("; "))]
    NotInTime {
        /// How long was waited.
        patience: Duration,
        /// What is known of the reasons.
        troubles: Vec<String>,
    },
}

/// Reads a cluster.
///
/// # Errors
/// If a kind cannot be listed within `patience`: half a view would answer wrongly.
pub async fn read(client: &Client, patience: Duration) -> Result<Cluster, NotRead> {
    let metrics = Metrics::new()?;
    // Of whatever there is: who asks may see it all.
    let Watch { changes, discovered: _discovered, troubles, mut tasks } = Watch::start(client, &metrics, true);
    let (store, said) = (Arc::new(Store::default()), Said::default());
    // Ends with the set.
    tasks.spawn(store::take_in(changes, store.clone(), said.clone(), metrics));
    let Ok(batch) = timeout(patience, store.next()).await else {
        let troubles: Vec<String> = troubles.borrow().iter().map(|(kind, why)| format!("{kind}: {why}")).collect();
        let troubles = if troubles.is_empty() { vec!["it does not answer".to_owned()] } else { troubles };
        return Err(NotRead::NotInTime { patience, troubles });
    };
    let Batch { objects, mut broken, arrivals: _ } = batch;
    let mut statuses = BTreeMap::new();
    for (object, status) in said.take() {
        match ObjectStatus::decode(object.kind, status) {
            Some(Ok(status)) => drop(statuses.insert(object, status)),
            Some(Err(error)) => {
                drop(Arc::make_mut(&mut broken).insert(object, format!("its status cannot be read: {error}")));
            }
            None => {}
        }
    }
    Ok(Cluster { objects, broken, statuses: statuses.into_iter().collect() })
}

/// What is said of objects.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<BTreeMap<ObjectRef, serde_json::Value>>>);

impl Said {
    fn take(&self) -> BTreeMap<ObjectRef, serde_json::Value> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Said {
    fn observe(&self, object: &ObjectRef, observed: Option<Observed>) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match observed {
            Some(Observed { uid: _, resource_version: _, status, ours: _ }) if !status.is_null() => {
                said.insert(object.clone(), status);
            }
            Some(_) | None => drop(said.remove(object)),
        }
    }
}
