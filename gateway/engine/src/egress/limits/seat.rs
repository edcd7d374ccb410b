//! Connections that are counted for as long as they are open.

use super::share::{Share, is_same, lock};
use crate::egress::passage::Way;
use crate::egress::refused::Refused;
use lychgate_egress::limits::SharedAccount;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// An open connection that is counted.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Place>);

/// The seat of a connection that nobody uses at the moment: another one may have it, and it closes.
#[derive(Clone, Debug)]
pub(crate) struct Spare(Weak<Place>);

#[derive(Debug)]
struct Place(Mutex<Held>);

/// What a connection has of its account.
#[derive(Debug)]
enum Held {
    /// It counts as one of the account's.
    Counted(SharedAccount),
    /// It counts as none: a limit in shadow would not have let it be opened.
    Uncounted,
    /// It was one, and another is it now.
    GivenAway,
}

impl Seat {
    pub(super) fn new(account: Option<SharedAccount>) -> Self {
        Self(Arc::new(Place(Mutex::new(account.map_or(Held::Uncounted, Held::Counted)))))
    }

    /// Its seat, for when nobody uses it.
    pub(crate) fn spare(&self) -> Spare {
        Spare(Arc::downgrade(&self.0))
    }
}

impl Spare {
    /// Takes it, if it is one of this account's: another's count is not its to give away.
    pub(super) fn take(&self, of: &SharedAccount) -> Option<Seat> {
        let place = self.0.upgrade()?;
        let mut held = place.lock();
        match &*held {
            Held::Counted(account) if Arc::ptr_eq(account, of) => *held = Held::GivenAway,
            Held::Counted(_) | Held::Uncounted | Held::GivenAway => return None,
        }
        Some(Seat::new(Some(of.clone())))
    }

    /// Whether the connection still has it.
    pub(crate) fn is_there(&self) -> bool {
        self.0.upgrade().is_some_and(|place| match &*place.lock() {
            Held::Counted(_) | Held::Uncounted => true,
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
            Held::Counted(account) => lock(&account).close(),
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
}

impl Fare {
    /// Counts a connection by this way, and the request that it is for.
    pub(crate) fn enter(&mut self, way: &Way) -> Result<Option<(Share, Seat)>, Refused> {
        let Some(share) = &way.share else { return Ok(None) };
        self.pay(way)?;
        let seat = share.seat(self.spare.as_ref()).map_err(|full| Refused::limited(&full, &way.decision))?;
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
        assert!(spare.take(&other).is_none() && spare.is_there());
        assert!(spare.take(&own).is_some() && !spare.is_there());
        // It has none to give, and goes on.
        let uncounted = Seat::new(None);
        assert!(uncounted.spare().take(&own).is_none() && uncounted.spare().is_there());
    }
}
