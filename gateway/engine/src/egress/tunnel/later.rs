//! Policies that change while a tunnel runs.

use super::Tunnel;
use crate::egress::gate::Gate;
use crate::egress::guest::Guest;
use crate::egress::passage::{Passage, Way, claimed};
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
    pub(super) async fn denies(self, passage: &Passage, way: &Way) -> Refused {
        let Self { guest, source, changes } = self;
        denies(|| guest.gate().ok().map(|(_, gate)| gate), &source, changes, passage, way).await
    }
}

/// The same, for whatever `gate` belongs to.
pub(in crate::egress) async fn denies(
    gate: impl Fn() -> Option<Arc<Gate>>,
    source: &Source,
    mut changes: watch::Receiver<()>,
    passage: &Passage,
    way: &Way,
) -> Refused {
    loop {
        if changes.changed().await.is_err() {
            // Nobody is left who could change anything.
            std::future::pending::<()>().await;
        }
        // Without its Gateway there is nobody who denies it; it ends with its listener.
        let Some(gate) = gate() else { continue };
        // Rules that want to know where its name leads may be new.
        let answer = match (passage.is_asked, way.address) {
            (true, _) | (false, None) => passage.answer.clone(),
            (false, Some(_)) => claimed(&gate, source, &passage.wish).await.unwrap_or_default(),
        };
        let egress = gate.policies.of(source);
        let ask = passage.wish.ask();
        let decision = match way.address {
            Some(address) => egress.decide(&ask, &Reached { address, answer: &answer }),
            None => egress.decide_beyond(&ask),
        };
        if decision.verdict == Verdict::Deny {
            return Refused::denied(decision);
        }
    }
}
