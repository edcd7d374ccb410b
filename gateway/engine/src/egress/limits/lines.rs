//! Connections that requests of many clients share, one after the other or at a time: whoever needs another connection may
//! have the place of one that nobody uses.

use super::seat::{Fate, Seat, Spare};
use super::share::Share;
use lychgate_egress::limits::SharedAccount;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The connections of a Gateway that are open, counted, and used by nobody: by their account, those first that were made
/// first.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<BTreeMap<(usize, u64), Weak<Line>>>);

/// A connection that is counted, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Line {
    share: Share,
    spare: Spare,
    number: u64,
    lines: Weak<Lines>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    users: usize,
    /// Another connection has its place.
    is_given_up: bool,
}

/// How many others have their turn while a connection closes.
const TURNS: usize = 64;

/// Somebody uses a connection, until this is dropped.
#[derive(Debug)]
pub(crate) struct InUse(Arc<Line>);

impl Lines {
    /// Takes the place of a connection that nobody uses, and that this account counts.
    pub(super) fn give(&self, of: &SharedAccount, fate: Fate) -> Option<Seat> {
        let account = number(of);
        loop {
            // Dropped outside of the lock, which its end would take.
            let line = {
                let mut idle = self.lock();
                let first = idle.range((account, 0)..=(account, u64::MAX)).next().map(|(key, _)| *key)?;
                idle.remove(&first)
            };
            if let Some(seat) = line.and_then(|line| line.upgrade()?.give_up(of, fate)) {
                return Some(seat);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(usize, u64), Weak<Line>>> {
        // A map of what may be gone, whole whoever panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An account lives as long as the lines that it counts.
fn number(account: &SharedAccount) -> usize {
    Arc::as_ptr(account) as usize
}

impl Line {
    pub(crate) fn new(lines: &Arc<Lines>, share: Share, spare: Spare) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { share, spare, number, lines: Arc::downgrade(lines), state: Mutex::default() })
    }

    pub(crate) fn share(&self) -> &Share {
        &self.share
    }

    /// Uses it; nothing if another connection has got its place meanwhile.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InUse> {
        let is_first = {
            let mut state = self.lock();
            if state.is_given_up {
                return None;
            }
            state.users += 1;
            state.users == 1
        };
        if is_first {
            self.is_not_idle();
        }
        Some(InUse(self.clone()))
    }

    /// Another connection has its place: gives whoever serves it the time to hear of that, and to close it. Not for ever, since
    /// that may be who asks.
    pub(crate) async fn closes(&self) {
        for _ in 0..TURNS {
            if self.spare.is_closed() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn give_up(&self, of: &SharedAccount, fate: Fate) -> Option<Seat> {
        let mut state = self.lock();
        if state.users > 0 || state.is_given_up {
            return None;
        }
        let seat = self.spare.take(of, fate)?;
        state.is_given_up = fate == Fate::Ends;
        Some(seat)
    }

    fn is_not_idle(&self) {
        if let Some(lines) = self.lines.upgrade() {
            lines.lock().remove(&self.key());
        }
    }

    fn key(&self) -> (usize, u64) {
        (number(self.share.account()), self.number)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InUse {
    /// What it is counted by.
    pub(crate) fn share(&self) -> &Share {
        &self.0.share
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.is_not_idle();
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let is_idle = {
            let mut state = self.0.lock();
            state.users -= 1;
            state.users == 0
        };
        if is_idle && let Some(lines) = self.0.lines.upgrade() {
            lines.lock().insert(self.0.key(), Arc::downgrade(&self.0));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lychgate_egress::limits::Book;
    use lychgate_ir::egress::{EgressLimitScope, EgressLimits, EgressMode, Percent};

    fn share() -> Share {
        share_of(EgressMode::Enforce)
    }

    fn share_of(mode: EgressMode) -> Share {
        Share::of_all(Arc::new(Book::new(EgressLimits {
            mode,
            per: EgressLimitScope::Rule,
            connections: Some(1),
            requests_per_second: None,
            bytes_per_second: None,
            bytes_per_day: None,
        })))
    }

    fn seat(share: &Share, lines: &Lines) -> Option<Seat> {
        share.seat(|account, fate| lines.give(account, fate)).ok()
    }

    #[test]
    fn a_connection_makes_room_when_nobody_uses_it_and_is_no_use_then() {
        let (lines, share) = (Arc::new(Lines::default()), share());
        let first = seat(&share, &lines).unwrap();
        let line = Line::new(&lines, share.clone(), first.spare());
        assert!(seat(&share, &lines).is_none(), "it waits for whom it was made");
        let (one, other) = (line.enter().unwrap(), line.enter().unwrap());
        drop(one);
        assert!(seat(&share, &lines).is_none(), "somebody uses it");
        drop(other);
        drop(line.enter().unwrap());
        let second = seat(&share, &lines).unwrap();
        assert!(line.enter().is_none() && !first.spare().is_there() && second.spare().is_there());
        assert!(seat(&share, &lines).is_none(), "it has given what it had");
        // It ends later than the one that has its place.
        drop(second);
        drop((line, first));
        assert!(seat(&share, &lines).is_some());
    }

    #[test]
    fn in_shadow_only_the_count_moves() {
        let (lines, share) = (Arc::new(Lines::default()), share_of(EgressMode::Shadow(Percent::ALL)));
        let first = seat(&share, &lines).unwrap();
        let line = Line::new(&lines, share.clone(), first.spare());
        drop(line.enter().unwrap());
        let _second = seat(&share, &lines).unwrap();
        assert!(share.would_refuse().is_none(), "enforced, it would have had the place of the other one");
        assert!(line.enter().is_some() && first.spare().is_there(), "and that one stays open");
        let _third = seat(&share, &lines).unwrap();
        assert!(share.would_refuse().is_some());
    }

    #[test]
    fn those_of_others_stay_and_those_that_are_gone_are_forgotten() {
        let (lines, own, other) = (Arc::new(Lines::default()), share(), share());
        let seats = [&own, &other].map(|share| seat(share, &lines).unwrap());
        let idle = [(&own, &seats[0]), (&other, &seats[1])].map(|(share, seat)| {
            let line = Line::new(&lines, share.clone(), seat.spare());
            drop(line.enter());
            line
        });
        let [of_own, of_other] = idle;
        drop(of_own);
        assert!(seat(&own, &lines).is_none() && of_other.enter().is_some());
        drop(of_other);
        assert!(lines.lock().is_empty());
    }
}
