//! Accounts by whom they are for: only so many are kept.

use super::{Account, Now};
use crate::Source;
use lychgate_ir::egress::{DnsName, EgressLimits, Workload};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Accounts of one rule that are kept. Whoever comes when there is no room shares one with all who do: what leaves is still
/// bounded, and who invents names takes nothing from those who are known already.
pub const KEPT: usize = 16 * 1024;

/// Parts of the table that are locked by themselves.
const SHARDS: usize = 16;

/// How often a part is looked through for accounts that nobody needs.
const SWEEP: Duration = Duration::from_secs(1);

/// Whom an account is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A service account: the same by its certificate, its login and the addresses of its pods.
    ServiceAccount {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// A SPIFFE ID that names no service account.
    Identity(Arc<str>),
    /// An address, or a network of IPv6: of a source that is not known by more, or of a destination that has no name.
    Address(IpAddr),
    /// The name of a destination.
    Name(DnsName),
}

/// An account that several use.
pub type SharedAccount = Arc<Mutex<Account>>;

impl Key {
    /// That of a source, which comes from this address.
    pub fn of_source(source: &Source, address: IpAddr) -> Self {
        if let Source::Workload(workload) = source {
            let Workload { identity, namespace, service_account, labels: _ } = &**workload;
            match (identity, namespace, service_account) {
                (_, Some(namespace), Some(name)) => {
                    return Self::ServiceAccount { namespace: namespace.clone(), name: name.clone() };
                }
                (Some(identity), _, _) => return Self::Identity(identity.clone()),
                (None, _, _) => {}
            }
        }
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.into()),
            // Whoever has one address of a /64 has all of them.
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::Address(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
        }
    }

    /// That of a destination, by its name or else its address.
    pub fn of_destination(name: Option<&DnsName>, address: Option<IpAddr>) -> Option<Self> {
        name.cloned().map(Self::Name).or_else(|| address.map(|address| Self::Address(address.to_canonical())))
    }
}

/// The accounts of one rule.
#[derive(Debug)]
pub struct Accounts {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    /// Of all.
    whole: SharedAccount,
    /// Of those for whom there was no room.
    late: SharedAccount,
    most: usize,
}

#[derive(Debug, Default)]
struct Shard {
    by_key: HashMap<Key, SharedAccount>,
    swept: Option<Duration>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self::keeping(KEPT)
    }
}

impl Accounts {
    /// With room for so many, and a few more.
    pub fn keeping(most: usize) -> Self {
        Self {
            shards: Default::default(),
            hasher: RandomState::new(),
            whole: SharedAccount::default(),
            late: SharedAccount::default(),
            most: most.div_ceil(SHARDS),
        }
    }

    /// The account of all that leaves by the rule.
    pub fn whole(&self) -> SharedAccount {
        self.whole.clone()
    }

    /// The account of one; a shared one if there is no room.
    pub fn of(&self, key: Key, limits: &EgressLimits, now: Now) -> SharedAccount {
        let place = usize::try_from(self.hasher.hash_one(&key) % SHARDS as u64).unwrap_or_default();
        let Some(shard) = self.shards.get(place) else { return self.late.clone() };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = shard.by_key.get(&key) {
            return account.clone();
        }
        if shard.by_key.len() >= self.most && !shard.sweep(self.most, limits, now) {
            return self.late.clone();
        }
        shard.by_key.entry(key).or_default().clone()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        let len = |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).by_key.len();
        self.shards.iter().map(len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    /// Forgets those that say no more than new ones would, and that nobody holds. Says whether there is room then.
    fn sweep(&mut self, most: usize, limits: &EgressLimits, now: Now) -> bool {
        if self.swept.is_some_and(|swept| now.elapsed.saturating_sub(swept) < SWEEP) {
            return false;
        }
        self.swept = Some(now.elapsed);
        self.by_key.retain(|_, account| {
            Arc::strong_count(account) > 1
                || !account.lock().unwrap_or_else(PoisonError::into_inner).is_idle(limits, now)
        });
        self.by_key.len() < most
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lychgate_ir::egress::{EgressLimitScope, EgressMode};

    const LIMITS: EgressLimits = EgressLimits {
        mode: EgressMode::Enforce,
        per: EgressLimitScope::Source,
        connections: Some(1),
        requests_per_second: None,
        bytes_per_second: None,
        bytes_per_day: Some(100),
    };

    fn at(seconds: u64) -> Now {
        Now { elapsed: Duration::from_secs(seconds), unix_seconds: i64::try_from(seconds).unwrap() }
    }

    fn name(index: usize) -> Key {
        Key::Name(DnsName::parse(&format!("host-{index}.test")).unwrap())
    }

    #[test]
    fn whoever_finds_no_room_shares_and_nobody_loses_what_was_counted() {
        let accounts = Accounts::keeping(64);
        let first = accounts.of(name(0), &LIMITS, at(0));
        first.lock().unwrap().carried(100, &LIMITS, at(0));
        drop(first);
        // Each uses something, so that none can be forgotten.
        for index in 1..1000 {
            accounts.of(name(index), &LIMITS, at(index as u64)).lock().unwrap().carried(1, &LIMITS, at(index as u64));
        }
        assert!(accounts.len() <= 64, "{}", accounts.len());
        let (one, other) = (accounts.of(name(2000), &LIMITS, at(1000)), accounts.of(name(2001), &LIMITS, at(1000)));
        let shared = Arc::ptr_eq(&one, &other) || Arc::ptr_eq(&one, &accounts.of(name(2002), &LIMITS, at(1000)));
        assert!(shared, "those who came late have one account");
        assert!(accounts.of(name(0), &LIMITS, at(1000)).lock().unwrap().piece(&LIMITS, at(1000)).is_err());
    }

    #[test]
    fn what_says_nothing_makes_room_unless_somebody_holds_it() {
        let accounts = Accounts::keeping(SHARDS);
        let held: Vec<_> = (0..200).map(|index| accounts.of(name(index), &LIMITS, at(0))).collect();
        let full = accounts.len();
        let late = accounts.of(name(500), &LIMITS, at(10));
        assert!(held.iter().any(|known| Arc::ptr_eq(known, &late)), "no room: shared");
        drop((held, late));
        for index in 500..700 {
            accounts.of(name(index), &LIMITS, at(20 + index as u64));
        }
        assert!(accounts.len() <= full);
        let one = accounts.of(name(900), &LIMITS, at(2000));
        let again = accounts.of(name(900), &LIMITS, at(2001));
        assert!(Arc::ptr_eq(&one, &again));
        assert!(!Arc::ptr_eq(&one, &accounts.late), "there was room");
        // Over tomorrow, what was used today is nothing.
        one.lock().unwrap().carried(100, &LIMITS, at(2001));
        assert!(!one.lock().unwrap().is_idle(&LIMITS, at(2001)));
        assert!(one.lock().unwrap().is_idle(&LIMITS, at(100_000)));
    }

    #[test]
    fn a_source_is_who_it_is_or_else_where_it_comes_from() {
        let (v4, v6) = ("192.0.2.1".parse().unwrap(), "2001:db8:1:2:3::4".parse().unwrap());
        let workload = |identity: Option<&str>, names: Option<(&str, &str)>| {
            Source::Workload(Arc::new(Workload {
                identity: identity.map(Into::into),
                namespace: names.map(|(namespace, _)| namespace.into()),
                service_account: names.map(|(_, account)| account.into()),
                ..Workload::default()
            }))
        };
        let cart = Some(("shop", "cart"));
        let by_address = Key::of_source(&workload(None, cart), v4);
        assert_eq!(by_address, Key::of_source(&workload(Some("spiffe://a/ns/shop/sa/cart"), cart), v6));
        assert_eq!(Key::of_source(&workload(Some("spiffe://a/b"), None), v4), Key::Identity("spiffe://a/b".into()));
        assert_eq!(Key::of_source(&Source::Unknown, v4), Key::Address(v4));
        assert_eq!(Key::of_source(&Source::Unknown, v6), Key::Address("2001:db8:1:2::".parse().unwrap()));
    }
}
