//! Which address of a gate something leaves from, where its rule leaves a choice.
//!
//! Each replica has addresses of its own, and a rule names those of all of them, or a network. What is chosen depends on who
//! goes where and on nothing else, so that it stays the same: rendezvous hashing, in which an address that comes or goes
//! moves no more than its own part.

use crate::limits::Key;
use crate::target::TargetHost;
use ipnet::{IpNet, Ipv4Net};
use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};

/// Who goes where: a source as limits know it, and a destination as it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair(u64);

impl Pair {
    /// That of a source and a destination.
    pub fn of(source: &Key, destination: &TargetHost) -> Self {
        let mut hasher = DefaultHasher::new();
        source.hash(&mut hasher);
        match destination {
            TargetHost::Name(name) => name.as_str().hash(&mut hasher),
            TargetHost::Address(address) => address.hash(&mut hasher),
        }
        Self(hasher.finish())
    }

    fn score(self, address: IpAddr) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.0, address).hash(&mut hasher);
        hasher.finish()
    }
}

/// The addresses that something may leave from to an address, in the order in which they are taken: those that lie in one of
/// these networks, of those that the host has. Where it has none, a network of one address is tried: a host may have addresses
/// that no interface shows.
pub fn in_order(networks: &[IpNet], own: &[IpAddr], to: IpAddr, pair: Pair) -> Vec<IpAddr> {
    let is_of_family = |address: &IpAddr| address.is_ipv4() == to.is_ipv4();
    let mut addresses: Vec<IpAddr> = here(networks, own).filter(is_of_family).collect();
    if addresses.is_empty() {
        let alone = networks.iter().filter(|network| network.prefix_len() == network.max_prefix_len());
        addresses.extend(alone.map(IpNet::addr).filter(is_of_family));
    }
    addresses.sort_by_cached_key(|address| Reverse((pair.score(*address), *address)));
    addresses.dedup();
    addresses
}

/// Those of a host's addresses that lie in one of these networks. Of the loopback are only those that a network of loopback
/// addresses names: from there nothing leaves a host.
pub fn here(networks: &[IpNet], own: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let is_named = |address: &IpAddr| {
        let holds = |network: &IpNet| network.contains(address) && (!address.is_loopback() || is_loopback(network));
        networks.iter().any(holds)
    };
    own.iter().copied().filter(is_named)
}

/// Whether all of a network is of the loopback.
pub fn is_loopback(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).contains(network),
        IpNet::V6(network) => network.prefix_len() == 128 && network.addr().is_loopback(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        let one = |text: &&str| text.parse().unwrap_or_else(|_| text.parse::<IpAddr>().unwrap().into());
        texts.iter().map(one).collect()
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn pair(source: &str, destination: &str) -> Pair {
        let source = Key::ServiceAccount { namespace: "shop".into(), name: source.into() };
        Pair::of(&source, &TargetHost::parse(destination).unwrap())
    }

    fn set(networks: &[&str], own: &[&str], to: &str) -> BTreeSet<String> {
        let found = in_order(&nets(networks), &addresses(own), to.parse().unwrap(), pair("cart", "api.example"));
        found.into_iter().map(|address| address.to_string()).collect()
    }

    fn is(found: &BTreeSet<String>, wanted: &[&str]) -> bool {
        found.iter().map(String::as_str).eq(wanted.iter().copied())
    }

    #[test]
    fn a_replica_leaves_from_what_it_has_of_the_list() {
        let list = ["192.0.2.0/25", "198.51.100.7", "198.51.100.8", "2001:db8::/64"];
        let own = ["127.0.0.1", "10.0.0.5", "192.0.2.9", "192.0.2.10", "192.0.2.200", "198.51.100.8", "2001:db8::5"];
        assert!(is(&set(&list, &own, "203.0.113.1"), &["192.0.2.10", "192.0.2.9", "198.51.100.8"]));
        assert!(is(&set(&list, &own, "2001:db8:1::1"), &["2001:db8::5"]));
        // Nothing of the network: what is named alone may be there all the same, the rest is not.
        assert!(is(&set(&list, &["10.0.0.5"], "203.0.113.1"), &["198.51.100.7", "198.51.100.8"]));
        assert!(set(&list, &["10.0.0.5"], "2001:db8:1::1").is_empty());
        assert!(set(&["192.0.2.0/24"], &own, "2001:db8:1::1").is_empty());
        // Twice is once.
        assert!(is(&set(&["192.0.2.9", "192.0.2.9"], &[], "203.0.113.1"), &["192.0.2.9"]));
    }

    #[test]
    fn the_loopback_is_no_address_of_everywhere() {
        let own = ["127.0.0.1", "10.0.0.5", "::1", "fd00::5"];
        assert!(is(&set(&["0.0.0.0/0", "::/0"], &own, "203.0.113.1"), &["10.0.0.5"]));
        assert!(is(&set(&["0.0.0.0/0", "::/0"], &own, "2001:db8::1"), &["fd00::5"]));
        assert!(is(&set(&["127.0.0.0/8", "10.0.0.5"], &own, "127.0.0.1"), &["10.0.0.5", "127.0.0.1"]));
        assert!(is(&set(&["::1"], &own, "::1"), &["::1"]));
    }

    /// Another one would move what runs from one release to the next: whoever updates the compiler and comes here says so.
    #[test]
    fn the_choice_is_that_of_every_release() {
        let own = addresses(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
        let first = |source: &str, destination: &str| {
            in_order(&nets(&["192.0.2.0/24"]), &own, "203.0.113.1".parse().unwrap(), pair(source, destination))
                .first()
                .copied()
        };
        let chosen = [("cart", "a.example"), ("cart", "b.example"), ("mail", "a.example"), ("cart", "203.0.113.1")];
        let chosen: Vec<String> = chosen.iter().filter_map(|(s, d)| Some(first(s, d)?.to_string())).collect();
        assert_eq!(chosen, ["192.0.2.2", "192.0.2.4", "192.0.2.4", "192.0.2.1"]);
    }

    #[test]
    fn all_of_them_are_used() {
        let own: Vec<IpAddr> = (1..=4).map(|last| Ipv4Addr::new(192, 0, 2, last).into()).collect();
        let mut uses = [0; 4];
        for number in 0..1000 {
            let pair = pair("cart", &format!("h{number}.example"));
            let chosen = in_order(&nets(&["192.0.2.0/24"]), &own, "203.0.113.1".parse().unwrap(), pair);
            uses[own.iter().position(|own| Some(own) == chosen.first()).unwrap()] += 1;
        }
        assert!(uses.iter().all(|uses| (200..=300).contains(uses)), "{uses:?}");
    }

    proptest! {
        #[test]
        fn who_comes_or_goes_moves_nothing_else(
            own in prop::collection::btree_set(1..=254u8, 1..20),
            gone in any::<prop::sample::Index>(),
            number in 0..1000u16,
        ) {
            let own: Vec<IpAddr> = own.into_iter().map(|last| Ipv4Addr::new(192, 0, 2, last).into()).collect();
            let gone = own[gone.index(own.len())];
            let pair = pair("cart", &format!("h{number}.example"));
            let order = |own: &[IpAddr]| {
                in_order(&nets(&["192.0.2.0/24"]), own, "203.0.113.1".parse().unwrap(), pair)
            };
            let (mut all, mut backwards) = (order(&own), own.clone());
            backwards.reverse();
            prop_assert_eq!(&all, &order(&backwards));
            all.retain(|address| *address != gone);
            backwards.retain(|address| *address != gone);
            prop_assert_eq!(all, order(&backwards));
        }
    }
}
