//! Pingora's pools of idle connections, as far as an endpoint that goes has to know them: it has its own closed.

use super::endpoint::EndpointState;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

type Close = Box<dyn Fn(u64) + Send + Sync>;

/// Closes the idle connections under a key of Pingora's pools. Does nothing until there are pools.
#[derive(Clone, Default)]
pub(crate) struct Pools(Arc<OnceLock<Close>>);

impl Pools {
    /// From now on, this closes them. Has to be said once.
    pub(crate) fn are_closed_by(&self, close: impl Fn(u64) + Send + Sync + 'static) {
        // The first one stays.
        let _ = self.0.set(Box::new(close));
    }

    fn close(&self, key: u64) {
        if let Some(close) = self.0.get() {
            close(key);
        }
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools").finish_non_exhaustive()
    }
}

/// Keys of one endpoint that are known at a time. Some are made of what clients say (the name that a certificate has to be
/// for), and clients say what they like: the oldest is forgotten, and its idle connections are closed.
const KNOWN: usize = 1024;

/// The keys under which connections to one endpoint are pooled.
#[derive(Debug)]
pub(crate) struct Keys {
    pools: Pools,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The oldest first.
    shared: VecDeque<u64>,
    /// Those of one client's connection each. There are no more of them than there are connections.
    owned: HashSet<u64>,
}

impl Keys {
    pub(crate) fn new(pools: Pools) -> Self {
        Self { pools, known: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Numbers, whole whoever panics.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, key: u64) {
        let mut known = self.lock();
        if known.shared.contains(&key) {
            return;
        }
        let oldest = if known.shared.len() >= KNOWN { known.shared.pop_front() } else { None };
        known.shared.push_back(key);
        // Closed outside of the lock: new connections have to take it.
        drop(known);
        oldest.into_iter().for_each(|key| self.pools.close(key));
    }

    fn add_owned(&self, key: u64) {
        self.lock().owned.insert(key);
    }

    fn remove_owned(&self, key: u64) {
        self.lock().owned.remove(&key);
    }

    pub(crate) fn close_idle(&self) {
        let keys: Vec<u64> = {
            let Known { shared, owned } = &*self.lock();
            shared.iter().chain(owned).copied().collect()
        };
        keys.into_iter().for_each(|key| self.pools.close(key));
    }
}

/// Keys that nobody else uses, forgotten with their owner: else an endpoint would remember one for every client.
#[derive(Debug, Default)]
pub(crate) struct OwnKeys(Mutex<Vec<(Weak<EndpointState>, u64)>>);

impl OwnKeys {
    pub(crate) fn add(&self, endpoint: &Arc<EndpointState>, key: u64) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.iter().any(|(of, known)| *known == key && of.as_ptr() == Arc::as_ptr(endpoint)) {
            endpoint.pooled.add_owned(key);
            keys.push((Arc::downgrade(endpoint), key));
        }
    }
}

impl Drop for OwnKeys {
    fn drop(&mut self) {
        for (endpoint, key) in self.0.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if let Some(endpoint) = endpoint.upgrade() {
                endpoint.pooled.remove_owned(key);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::upstream::Picked;

    fn endpoint() -> (Arc<EndpointState>, Arc<Mutex<Vec<u64>>>) {
        let (pools, closed) = (Pools::default(), Arc::<Mutex<Vec<u64>>>::default());
        let told = closed.clone();
        pools.are_closed_by(move |key| told.lock().unwrap().push(key));
        (Arc::new(EndpointState::new("192.0.2.1:80".parse().unwrap(), pools)), closed)
    }

    #[test]
    fn connections_are_closed_when_an_endpoint_goes_and_once_more_with_what_was_running() {
        let (endpoint, closed) = endpoint();
        let seen = || std::mem::take(&mut *closed.lock().unwrap());
        let (one, other) = (Picked::this(endpoint.clone()), Picked::this(endpoint.clone()));
        endpoint.pooled.add(7);
        endpoint.pooled.add(7);
        drop(one);
        assert_eq!(seen(), [0; 0]);
        endpoint.leave();
        assert_eq!(seen(), [7]);
        // What was in use comes back to the pool before its request is over.
        drop(other);
        assert_eq!(seen(), [7]);
    }

    #[test]
    fn keys_of_one_client_are_forgotten_with_it() {
        let (endpoint, closed) = endpoint();
        let own = OwnKeys::default();
        (0..2).for_each(|_| own.add(&endpoint, 7));
        endpoint.pooled.add(8);
        drop(own);
        endpoint.leave();
        assert_eq!(*closed.lock().unwrap(), [8]);
    }

    #[test]
    fn what_clients_say_does_not_make_it_grow() {
        let (endpoint, closed) = endpoint();
        let own = OwnKeys::default();
        own.add(&endpoint, u64::MAX);
        for key in 0..10_000 {
            endpoint.pooled.add(key);
            endpoint.pooled.add(key);
        }
        // The oldest have gone, with their connections.
        let gone = std::mem::take(&mut *closed.lock().unwrap());
        assert!(gone.into_iter().eq(0..10_000 - KNOWN as u64));
        endpoint.leave();
        let kept: HashSet<u64> = closed.lock().unwrap().iter().copied().collect();
        assert_eq!((kept.len(), kept.contains(&u64::MAX), kept.contains(&9_999)), (KNOWN + 1, true, true));
    }
}
