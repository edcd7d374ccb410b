//! Whether what is judged here is written, and what is not known yet when that begins.
//!
//! A replica that has just begun to lead has not heard all data planes: those of other replicas are about to be reported, and
//! those of the leader before are about to come. What the API server has from it stands meanwhile.

use lychgate_api::ObjectRef;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// As long as it may take a data plane to come back, and to be heard: its longest pause between two tries, and a little.
const SETTLING: Duration = Duration::from_secs(20);

/// The office of the leader, as this replica holds it or not.
#[derive(Debug, Default)]
pub(super) struct Office {
    /// The term in which it is held.
    pub(super) term: Option<u64>,
    /// Since when, and what is left alone at first: what data planes have told the leader before.
    began: Option<(Instant, BTreeSet<ObjectRef>)>,
}

impl Office {
    /// Takes note of the term. `told` are the objects whose statuses say what data planes told.
    pub(super) fn look(&mut self, term: Option<u64>, now: Instant, told: impl FnOnce() -> BTreeSet<ObjectRef>) {
        if self.term != term {
            self.term = term;
            self.began = term.map(|_| (now, told()));
        }
        if self.began.as_ref().is_some_and(|(began, _)| *began + SETTLING < now) {
            self.began = None;
        }
    }

    /// As of when the API server is believed about what was acknowledged: as of now by those who do not lead, as of when it
    /// began by one that leads since a moment ago, and not any more by one that hears all.
    pub(super) fn believes(&self, now: Instant) -> Option<Instant> {
        match self.term {
            None => Some(now),
            Some(_) => self.begun(),
        }
    }

    /// When it began to lead, if that is a moment ago.
    pub(super) fn begun(&self) -> Option<Instant> {
        self.began.as_ref().map(|(began, _)| *began)
    }

    /// What is left alone for now.
    pub(super) fn held(&self, now: Instant) -> impl Iterator<Item = &ObjectRef> {
        let held = self.began.iter().filter(move |(began, _)| now < *began + SETTLING);
        held.flat_map(|(_, told)| told)
    }

    /// When to look again though nothing happened.
    pub(super) fn again(&self, now: Instant) -> Option<Instant> {
        self.began.as_ref().map(|(began, _)| *began + SETTLING).filter(|end| now < *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lychgate_api::{Kind, ObjectKey};

    #[test]
    fn a_new_leader_leaves_alone_for_a_while_what_it_cannot_know() {
        let (mut office, now) = (Office::default(), Instant::now());
        let route = ObjectRef { kind: Kind::HttpRoute, key: ObjectKey::new("d", "r") };
        let told = || BTreeSet::from([route.clone()]);
        office.look(None, now, told);
        let later = now + Duration::from_secs(100);
        assert_eq!((office.believes(later), office.held(later).count()), (Some(later), 0), "it writes nothing");

        office.look(Some(1), later, told);
        let soon = later + SETTLING / 2;
        office.look(Some(1), soon, BTreeSet::new);
        assert_eq!((office.believes(soon), office.held(soon).count()), (Some(later), 1));
        let end = office.again(soon);
        assert_eq!(end, Some(later + SETTLING));
        let end = end.unwrap_or(now);
        assert_eq!((office.held(end).count(), office.again(end)), (0, None));
        let after = end + Duration::from_millis(1);
        office.look(Some(1), after, told);
        assert_eq!((office.believes(after), office.held(after).count()), (None, 0), "now it knows");

        // The next term, though it was not seen that there was none between.
        office.look(Some(2), after, told);
        assert_eq!((office.believes(after), office.held(after).count()), (Some(after), 1));
    }
}
