//! Connections that are counted for as long as they are open.

use super::lines::Lines;
use super::share::{Share, is_same, lock};
use crate::egress::passage::Way;
use crate::egress::refused::Refused;
use lychgate_egress::limits::SharedAccount;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};

/// An open connection that is counted. Attempts side by side at one connection share it.
#[derive(Clone, Debug)]
pub(crate) struct Seat(Arc<Place>);

/// The seat of a connection that nobody uses at the moment: another one may have it, and it closes.
#[derive(Clone, Debug)]
pub(crate) struct Spare(Weak<Place>);

/// What becomes of a connection whose place another one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It closes.
    Ends,
    /// It goes on, and is not counted any more: limits in shadow end nothing.
    GoesOn,
}

#[derive(Debug)]
struct Place(Mutex<Held>);

/// What a connection has of its account.
#[derive(Debug)]
enum Held {
    /// It counts as one of the account's. Whoever reads from it wants to hear when it does not any more.
    Counted(SharedAccount, Option<Waker>),
    /// It counts as none: a limit in shadow would not have let it be opened, or would have ended it.
    Uncounted,
    /// It was one, and another is it now.
    GivenAway,
}

impl Seat {
    pub(super) fn new(account: Option<SharedAccount>) -> Self {
        let held = account.map_or(Held::Uncounted, |account| Held::Counted(account, None));
        Self(Arc::new(Place(Mutex::new(held))))
    }

    /// Its seat, for when nobody uses it.
    pub(crate) fn spare(&self) -> Spare {
        Spare(Arc::downgrade(&self.0))
    }

    /// Whether another connection has it now; if not, wakes when one gets it.
    pub(super) fn poll_given_away(&self, cx: &Context<'_>) -> bool {
        match &mut *self.0.lock() {
            Held::Counted(_, Some(waker)) => {
                waker.clone_from(cx.waker());
                false
            }
            Held::Counted(_, waker @ None) => {
                *waker = Some(cx.waker().clone());
                false
            }
            Held::Uncounted => false,
            Held::GivenAway => true,
        }
    }
}

impl Spare {
    /// Takes it, if it is one of this account's: another's count is not its to give away.
    pub(super) fn take(&self, of: &SharedAccount, fate: Fate) -> Option<Seat> {
        let place = self.0.upgrade()?;
        let mut held = place.lock();
        match &mut *held {
            Held::Counted(account, reader) if Arc::ptr_eq(account, of) => {
                let reader = reader.take();
                match fate {
                    Fate::GoesOn => *held = Held::Uncounted,
                    Fate::Ends => {
                        *held = Held::GivenAway;
                        reader.into_iter().for_each(Waker::wake);
                    }
                }
            }
            Held::Counted(..) | Held::Uncounted | Held::GivenAway => return None,
        }
        Some(Seat::new(Some(of.clone())))
    }

    /// Whether there is no such connection any more.
    pub(super) fn is_closed(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// Whether the connection still has it.
    pub(crate) fn is_there(&self) -> bool {
        self.0.upgrade().is_some_and(|place| match &*place.lock() {
            Held::Counted(..) | Held::Uncounted => true,
            Held::GivenAway => false,
        })
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let held = std::mem::replace(&mut *self.lock(), Held::GivenAway);
        match held {
            Held::Counted(account, _) => lock(&account).close(),
            Held::Uncounted | Held::GivenAway => {}
        }
    }
}

/// What somebody who dials has already.
#[derive(Debug, Default)]
pub(crate) struct Fare {
    /// What its request was counted by.
    pub(crate) paid: Option<Share>,
    /// A connection that it could do without.
    pub(crate) spare: Option<Spare>,
    /// The seats of attempts that run, one for each account.
    pub(crate) seats: Vec<(Share, Seat)>,
}

impl Fare {
    /// Counts a connection by this way, and the request that it is for. There is room for one if another can be spared.
    pub(crate) fn enter(&mut self, way: &Way, lines: &Lines) -> Result<Option<(Share, Seat)>, Refused> {
        let Some(share) = &way.share else { return Ok(None) };
        if let Some((_, seat)) = self.seats.iter().find(|(of, _)| is_same(Some(of), Some(share))) {
            return Ok(Some((share.clone(), seat.clone())));
        }
        self.pay(way)?;
        let own = |account: &_, fate| self.spare.as_ref().and_then(|spare| spare.take(account, fate));
        let seat = share.seat(|account, fate| own(account, fate).or_else(|| lines.give(account, fate)));
        let seat = seat.map_err(|full| Refused::limited(&full, &way.decision))?;
        self.seats.push((share.clone(), seat.clone()));
        Ok(Some((share.clone(), seat)))
    }

    /// Counts a request by this way, once.
    pub(crate) fn pay(&mut self, way: &Way) -> Result<(), Refused> {
        if let Some(share) = &way.share
            && !is_same(self.paid.as_ref(), Some(share))
        {
            share.request().map_err(|exceeded| Refused::limited(&exceeded, &way.decision))?;
            self.paid = Some(share.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_stays_with_its_account() {
        let (own, other) = (SharedAccount::default(), SharedAccount::default());
        let seat = Seat::new(Some(own.clone()));
        let spare = seat.spare();
        assert!(spare.take(&other, Fate::Ends).is_none() && spare.is_there());
        assert!(spare.take(&own, Fate::Ends).is_some() && !spare.is_there());
        // It has none to give, and goes on.
        let uncounted = Seat::new(None);
        assert!(uncounted.spare().take(&own, Fate::Ends).is_none() && uncounted.spare().is_there());
        // What a limit in shadow has taken goes on as well.
        let watched = Seat::new(Some(own.clone()));
        assert!(watched.spare().take(&own, Fate::GoesOn).is_some() && watched.spare().is_there());
        assert!(watched.spare().take(&own, Fate::Ends).is_none(), "it has given what it had");
    }
}
