//! Policies that change while a tunnel runs.

use super::Tunnel;
use crate::egress::guest::Guest;
use crate::egress::passage::{Passage, Way};
use crate::egress::refused::Refused;
use lychgate_egress::{Reached, Source, Verdict};
use std::sync::Arc;
use tokio::sync::watch;

/// What is needed to decide again. Who asks is who it was when it began: an address may belong to somebody else by now,
/// the connection does not.
pub(super) struct Later {
    guest: Arc<Guest>,
    source: Source,
    changes: watch::Receiver<()>,
}

impl Tunnel {
    pub(super) fn later(&self) -> Later {
        Later { guest: self.guest.clone(), source: self.source.clone(), changes: self.changes.clone() }
    }
}

impl Later {
    /// Ends when policies have changed so that they deny what runs.
    pub(super) async fn denies(mut self, passage: &Passage, way: &Way) -> Refused {
        loop {
            if self.changes.changed().await.is_err() {
                // Nobody is left who could change anything.
                std::future::pending::<()>().await;
            }
            // Without its Gateway there is nobody who denies it; it ends with its listener.
            let Ok((_, gate)) = self.guest.gate() else { continue };
            let egress = gate.policies.of(&self.source);
            let ask = passage.wish.ask();
            let decision = match way.address {
                Some(address) => egress.decide(&ask, &Reached { address, answer: &passage.answer }),
                None => egress.decide_beyond(&ask),
            };
            if decision.verdict == Verdict::Deny {
                return Refused::denied(decision);
            }
        }
    }
}
