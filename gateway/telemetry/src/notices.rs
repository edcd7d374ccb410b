//! Lines in the log of limits that act. An attack acts on a limit thousands of times a second, and a log that grows with
//! it is one more target: a line a second for each reason says how many there were.

use crate::Reason;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one line of a reason in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// What was noticed lately, by reason.
#[derive(Debug, Default)]
pub struct Notices(Mutex<HashMap<Reason, Noticed>>);

#[derive(Debug)]
struct Noticed {
    told: Instant,
    untold: u64,
}

impl Notices {
    /// A limit acted on a client: logs it, or counts it for the next line.
    pub fn acted(&self, reason: Reason, client: IpAddr, detail: &str) {
        if let Some(untold) = self.turn(reason, Instant::now()) {
            tracing::warn!(%reason, %client, untold, "a limit acted: {detail}");
        }
    }

    /// How many lines were not written since the last, if it is time for one.
    fn turn(&self, reason: Reason, now: Instant) -> Option<u64> {
        // Whoever panicked left a map that is whole.
        let mut noticed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match noticed.get_mut(&reason) {
            Some(noticed) if now.duration_since(noticed.told) < PAUSE => {
                noticed.untold += 1;
                None
            }
            Some(noticed) => {
                noticed.told = now;
                Some(std::mem::take(&mut noticed.untold))
            }
            None => {
                noticed.insert(reason, Noticed { told: now, untold: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_a_second_and_none_is_lost() {
        let notices = Notices::default();
        let now = Instant::now();
        assert_eq!(notices.turn(Reason::SlowHead, now), Some(0));
        for _ in 0..1000 {
            assert_eq!(notices.turn(Reason::SlowHead, now + PAUSE / 2), None);
        }
        assert_eq!(notices.turn(Reason::NoRequest, now), Some(0));
        assert_eq!(notices.turn(Reason::SlowHead, now + PAUSE), Some(1000));
        assert_eq!(notices.turn(Reason::SlowHead, now + PAUSE * 2), Some(0));
    }
}
