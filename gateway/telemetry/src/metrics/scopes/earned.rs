//! Series that are had for being asked.
//!
//! Of thousands of rules and backends few are busy, and nobody knows which before they are. The first few that are asked
//! for anything have series at once, so that whoever tries something sees it. The others count in what all share until they
//! have been asked so often that a high quantile of theirs means something.

use super::{Families, Scopes};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// So many have series with what they are asked first.
const AT_ONCE: usize = 10;

/// The others for so much: a 99th percentile of less is that of a handful.
const EARNED: u64 = 1000;

/// Families whose gauges have to come along when something gets series of its own.
pub(in crate::metrics) trait Moving: Families {
    /// What the gauges stand at for one of many.
    type Standing: Default + Send;

    /// Takes it out of the series that all share, if it counted there, and puts it into those of its own.
    fn moved(standing: &Self::Standing, from: Option<&Self::Handle>, to: &Self::Handle);
}

/// What one rule or backend counts in.
pub(in crate::metrics) struct Earned<F: Moving> {
    key: F::Key,
    scopes: Scopes<F>,
    /// Its series, or for good those of all if there are no more.
    own: OnceLock<Arc<F::Handle>>,
    early: Mutex<Early<F>>,
}

/// As long as it has none.
struct Early<F: Moving> {
    asked: u64,
    standing: F::Standing,
    shared: Option<Arc<F::Handle>>,
}

impl<F: Moving> Earned<F> {
    pub(in crate::metrics) fn new(key: F::Key, scopes: &Scopes<F>) -> Self {
        // Those of the generation before are kept alive from here on: counters go on.
        let own = scopes.existing(&key).map_or_else(OnceLock::new, OnceLock::from);
        let early = Early { asked: 0, standing: F::Standing::default(), shared: None };
        Self { key, scopes: scopes.clone(), own, early: Mutex::new(early) }
    }

    /// Counts something of what it was asked.
    pub(in crate::metrics) fn count(&self, count: impl FnOnce(&F::Handle, &mut F::Standing)) {
        self.asked_if(|_| false, count);
    }

    /// Counts that it was asked, if that is so as the gauges stand. This is what series are had for.
    pub(in crate::metrics) fn asked_if(
        &self,
        is_asked: impl FnOnce(&F::Standing) -> bool,
        count: impl FnOnce(&F::Handle, &mut F::Standing),
    ) {
        if let Some(own) = self.own.get() {
            return count(own, &mut F::Standing::default());
        }
        let mut early = self.lock();
        // Somebody else may have been quicker.
        if self.own.get().is_none() && is_asked(&early.standing) {
            early.asked += 1;
            if let Some(own) = self.due(early.asked) {
                self.move_to(own, &mut early);
            }
        }
        match self.own.get() {
            Some(own) => count(own, &mut F::Standing::default()),
            None => {
                let Early { asked: _, standing, shared } = &mut *early;
                count(shared.get_or_insert_with(|| self.scopes.other()), standing);
            }
        }
    }

    /// Sets a gauge that those that share series do not have.
    pub(in crate::metrics) fn set(&self, series: impl FnOnce(&F::Handle), standing: impl FnOnce(&mut F::Standing)) {
        if let Some(own) = self.own.get() {
            return series(own);
        }
        let mut early = self.lock();
        match self.own.get() {
            Some(own) => series(own),
            None => standing(&mut early.standing),
        }
    }

    /// Its series, if it is time.
    fn due(&self, asked: u64) -> Option<Arc<F::Handle>> {
        match asked {
            1 => self.scopes.first(&self.key, AT_ONCE),
            EARNED.. => Some(self.scopes.get(&self.key)),
            _ => None,
        }
    }

    /// With the lock held, so that nobody counts meanwhile.
    fn move_to(&self, own: Arc<F::Handle>, early: &mut Early<F>) {
        let shared = early.shared.take();
        // Where there are no more, it stays where it is.
        if shared.as_ref().is_none_or(|shared| !Arc::ptr_eq(shared, &own)) {
            F::moved(&early.standing, shared.as_deref(), &own);
        }
        // Nobody else has: they would need the lock.
        let _ = self.own.set(own);
    }

    fn lock(&self) -> MutexGuard<'_, Early<F>> {
        // Whoever panicked left numbers.
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
