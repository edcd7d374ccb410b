//! How many connections there may be, on a socket and from one source.

use crate::runtime::Bind;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Locks, so that connections that come at the same time seldom wait for each other.
const SHARDS: usize = 64;

/// Counts of open connections.
#[derive(Debug)]
pub(crate) struct Quotas {
    sockets: Counts<Bind>,
    sources: Counts<IpAddr>,
}

impl Quotas {
    /// So many of a socket, and of a source.
    pub(crate) fn new(of_socket: usize, of_source: usize) -> Self {
        Self { sockets: Counts::new(of_socket), sources: Counts::new(of_source) }
    }

    /// Lets a connection in, unless its socket has too many.
    pub(crate) fn of_socket(&self, bind: Bind) -> Option<Pass<Bind>> {
        self.sockets.enter(bind)
    }

    /// Lets a connection in, unless its source has too many. A network of IPv6 that one customer gets is one source.
    pub(crate) fn of_source(&self, source: IpAddr) -> Option<Pass<IpAddr>> {
        let source = match source.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        };
        self.sources.enter(source)
    }
}

#[derive(Debug)]
struct Counts<K>(Arc<Shards<K>>);

#[derive(Debug)]
struct Shards<K> {
    most: usize,
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<K, usize>>>,
}

/// A connection that was let in, until dropped.
#[derive(Debug)]
pub(crate) struct Pass<K: Eq + Hash + Copy> {
    key: K,
    shards: Arc<Shards<K>>,
}

impl<K: Eq + Hash + Copy> Counts<K> {
    fn new(most: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self(Arc::new(Shards { most, hasher: RandomState::new(), shards }))
    }

    fn enter(&self, key: K) -> Option<Pass<K>> {
        let entered = self.0.with(&key, |counts| {
            let count = counts.entry(key).or_insert(0);
            let fits = *count < self.0.most;
            *count += usize::from(fits);
            if *count == 0 {
                counts.remove(&key);
            }
            fits
        });
        entered.then(|| Pass { key, shards: self.0.clone() })
    }
}

impl<K: Eq + Hash> Shards<K> {
    fn with(&self, key: &K, change: impl FnOnce(&mut HashMap<K, usize>) -> bool) -> bool {
        let at = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        let Some(shard) = self.shards.get(at) else { return false };
        change(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K: Eq + Hash + Copy> Drop for Pass<K> {
    fn drop(&mut self) {
        let key = self.key;
        self.shards.with(&key, |counts| {
            let Some(count) = counts.get_mut(&key) else { return false };
            *count -= 1;
            if *count == 0 {
                // Sources are many, and most never come back.
                counts.remove(&key);
            }
            true
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lychgate_ir::Transport;

    #[test]
    fn a_source_gets_so_many_and_no_more_and_takes_none_from_others() {
        let quotas = Quotas::new(10, 2);
        let source = |text: &str| quotas.of_source(text.parse().unwrap());
        let first = source("192.0.2.1");
        let _second = source("::ffff:192.0.2.1");
        assert!(first.is_some() && source("192.0.2.1").is_none());
        let _other = source("192.0.2.2").unwrap();
        drop(first);
        assert!(source("192.0.2.1").is_some());
    }

    #[test]
    fn neighbours_of_a_network_are_one_source() {
        let quotas = Quotas::new(10, 1);
        let source = |text: &str| quotas.of_source(text.parse().unwrap());
        let _one = source("2001:db8:0:1::1").unwrap();
        assert!(source("2001:db8:0:1:ffff::2").is_none());
        assert!(source("2001:db8:0:2::1").is_some());
    }

    #[test]
    fn sockets_are_counted_apart_and_nothing_is_kept_of_what_is_gone() {
        let quotas = Quotas::new(1, 1);
        let bind = |port| Bind { address: None, port, transport: Transport::Tcp };
        let one = quotas.of_socket(bind(1)).unwrap();
        assert!(quotas.of_socket(bind(1)).is_none());
        let two = quotas.of_socket(bind(2)).unwrap();
        drop((one, two));
        let left: usize = quotas.sockets.0.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert_eq!(left, 0);
        assert!(Quotas::new(0, 0).of_socket(bind(1)).is_none());
    }
}
