//! Reports to the replica that leads, whoever that is.

use crate::ca::Authority;
use crate::lease::Standing;
use crate::observe::Metrics;
use lychgate_feed::relay::{self, Leader, Step};
use lychgate_feed::server::Feed;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::sleep;

/// From the first try again to the last. A leader that is gone is known within the lease.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What is reported, and to whom.
pub(super) struct Relay {
    pub(super) feed: Feed,
    /// What we call ourselves.
    pub(super) replica: String,
    pub(super) authority: watch::Receiver<Arc<Authority>>,
    pub(super) trust_domain: String,
    /// A name that the certificate of every replica has.
    pub(super) name: String,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) metrics: Arc<Metrics>,
}

impl Relay {
    /// Reports for as long as it is polled.
    pub(super) async fn run(mut self) {
        let (first, last) = RETRY;
        let mut wait = first;
        loop {
            let leader = match self.standing.borrow_and_update().clone() {
                Standing::Follows { holder, relay: Some(address) } => Some((holder, address)),
                Standing::Follows { holder: _, relay: None } | Standing::Leads | Standing::Unknown => None,
            };
            let mut standing = self.standing.clone();
            let told = async {
                match leader {
                    Some((holder, address)) => self.to(&holder, Leader { address, name: self.name.clone() }).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                was_whole = told => {
                    if was_whole {
                        wait = first;
                    }
                    tokio::select! {
                        () = sleep(wait.mul_f64(rand::random_range(0.5..=1.0))) => wait = (wait * 2).min(last),
                        changed = standing.changed() => if changed.is_err() { return },
                    }
                }
                changed = standing.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    wait = first;
                }
            }
        }
    }

    /// Reports to this one until that fails. Tells whether it had all by then.
    async fn to(&self, holder: &str, leader: Leader) -> bool {
        let was_whole = AtomicBool::new(false);
        let authority = self.authority.borrow().clone();
        let why = match authority.replica(&self.trust_domain, SystemTime::now()) {
            Ok(credentials) => {
                let step = |step| match step {
                    Step::Reported(count) => self.metrics.relayed(count),
                    Step::Whole(clients) => {
                        was_whole.store(true, Ordering::Relaxed);
                        tracing::info!(leader = holder, clients, "reports to the replica that leads");
                    }
                };
                relay::report(&self.feed, &self.replica, &leader, &credentials, step).await.to_string()
            }
            Err(error) => error.to_string(),
        };
        self.metrics.relay_failed();
        tracing::warn!(leader = holder, error = why, "cannot report to the replica that leads; trying again");
        was_whole.into_inner()
    }
}
