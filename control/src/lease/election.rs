//! The rules: what a replica does with the record that it sees. No clock, no network.

use super::{Record, Terms};
use k8s_openapi::jiff::Timestamp;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Somebody else leads.
    Wait,
    /// Write this, and lead if that is accepted.
    Hold(Record),
}

/// One replica's view.
#[derive(Debug)]
pub struct Election {
    identity: String,
    relay: Option<SocketAddr>,
    terms: Terms,
    /// The record that was seen last, and since when it has been the same.
    seen: Option<(Record, Instant)>,
}

impl Election {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new(identity: String, relay: Option<SocketAddr>, terms: Terms) -> Self {
        Self { identity, relay, terms, seen: None }
    }

    /// Who led when it was looked at last, and where it takes reports.
    #[must_use]
    pub fn holder(&self) -> (&str, Option<SocketAddr>) {
        self.seen.as_ref().map_or(("", None), |(record, _)| (&record.holder, record.relay))
    }

    /// Takes note of a record.
    pub fn saw(&mut self, record: &Record, now: Instant) {
        if self.seen.as_ref().is_none_or(|(seen, _)| seen != record) {
            self.seen = Some((record.clone(), now));
        }
    }

    /// What to do about the record that is there, if one is.
    pub fn decide(&mut self, record: Option<&Record>, now: Instant) -> Move {
        let stamp = Timestamp::now();
        let seconds = i32::try_from(self.terms.lease.as_secs()).unwrap_or(i32::MAX);
        let ours = |acquired, transitions| {
            let (holder, relay) = (self.identity.clone(), self.relay);
            Move::Hold(Record { holder, relay, renewed: Some(stamp), acquired: Some(acquired), seconds, transitions })
        };
        let Some(record) = record else { return ours(stamp, 0) };
        if record.holder == self.identity {
            return ours(record.acquired.unwrap_or(stamp), record.transitions);
        }
        let taken = ours(stamp, record.transitions.saturating_add(1));
        self.saw(record, now);
        if record.holder.is_empty() {
            return taken;
        }
        let silent = self.seen.as_ref().map_or(Duration::ZERO, |(_, since)| now.saturating_duration_since(*since));
        // Its own word for how long to wait, and no less than ours: a record that says nothing is not up for grabs.
        let patience = Duration::from_secs(u64::try_from(record.seconds).unwrap_or(0)).max(self.terms.lease);
        if silent > patience { taken } else { Move::Wait }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    fn election(name: &str) -> Election {
        Election::new(name.to_owned(), None, Terms::default())
    }

    fn held(step: Move) -> Record {
        match step {
            Move::Hold(record) => record,
            Move::Wait => panic!("waits"),
        }
    }

    #[test]
    fn the_first_takes_it_and_keeps_it() {
        let (mut one, now) = (election("one"), Instant::now());
        let record = held(one.decide(None, now));
        assert_eq!((record.holder.as_str(), record.seconds, record.transitions), ("one", 15, 0));
        let again = held(one.decide(Some(&record), now + Duration::from_secs(100)));
        assert_eq!((again.acquired, again.transitions), (record.acquired, 0));
    }

    #[test]
    fn another_waits_as_long_as_the_record_changes() {
        let (mut one, mut two, start) = (election("one"), election("two"), Instant::now());
        let mut record = held(one.decide(None, start));
        for round in 1..20 {
            let now = start + Duration::from_secs(10 * round);
            // Whatever the other's clock says: even one that stands still would change the record by its version.
            record.renewed = Some(Timestamp::UNIX_EPOCH + Duration::from_secs(round));
            assert_eq!(two.decide(Some(&record), now), Move::Wait);
        }
        let silent = start + Duration::from_secs(190) + Duration::from_secs(14);
        assert_eq!(two.decide(Some(&record), silent), Move::Wait);
        let over = held(two.decide(Some(&record), silent + Duration::from_secs(2)));
        assert_eq!((over.holder.as_str(), over.transitions), ("two", 1));
    }

    #[test]
    fn a_record_is_not_old_because_its_time_is() {
        let (mut two, now) = (election("two"), Instant::now());
        let ancient =
            Record { holder: "one".to_owned(), renewed: Some(Timestamp::UNIX_EPOCH), seconds: 15, ..Record::default() };
        assert_eq!(two.decide(Some(&ancient), now), Move::Wait, "it was seen only now");
    }

    #[test]
    fn what_was_given_back_is_free_at_once() {
        let (mut two, now) = (election("two"), Instant::now());
        let free = Record { transitions: 4, ..Record::default() };
        assert_eq!(held(two.decide(Some(&free), now)).transitions, 5);
    }
}
