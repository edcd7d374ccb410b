//! Values by network.

use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// Values by network, looked up from the longest prefix to the shortest. A lookup costs a probe for each length that some
/// network has.
#[derive(Clone, Debug)]
pub(crate) struct NetMap<V> {
    by_length: BTreeMap<u8, HashMap<IpNet, V>>,
}

impl<V> Default for NetMap<V> {
    fn default() -> Self {
        Self { by_length: BTreeMap::new() }
    }
}

impl<V: Default> NetMap<V> {
    /// The value of a network, made if it is not there. What an address has beyond its prefix does not count.
    pub(crate) fn entry(&mut self, net: IpNet) -> &mut V {
        let net = canonical(net).trunc();
        self.by_length.entry(net.prefix_len()).or_default().entry(net).or_default()
    }
}

impl<V> NetMap<V> {
    /// The values of all networks that an address is in, the longest first.
    pub(crate) fn candidates(&self, address: IpAddr) -> impl Iterator<Item = &V> {
        // Lengths that an address of IPv4 cannot have make no network, and are passed over.
        self.by_length.iter().rev().filter_map(move |(length, nets)| {
            let net = IpNet::new(address, *length).ok()?;
            nets.get(&net.trunc())
        })
    }
}

/// Networks of IPv4-mapped addresses are networks of IPv4, as addresses are.
pub(crate) fn canonical(net: IpNet) -> IpNet {
    match (net.addr().to_canonical(), net.prefix_len()) {
        (IpAddr::V4(address), length @ 96..) if net.addr().is_ipv6() => {
            IpNet::new(IpAddr::V4(address), length - 96).unwrap_or(net)
        }
        _ => net,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_comes_first() {
        let mut map = NetMap::<Vec<&str>>::default();
        for text in ["10.0.0.0/8", "10.1.2.3/16", "0.0.0.0/0", "::/0", "2000::/3", "::ffff:10.1.0.0/112"] {
            map.entry(text.parse().unwrap()).push(text);
        }
        let found = |text: &str| map.candidates(text.parse().unwrap()).flatten().copied().collect::<Vec<_>>();
        assert_eq!(found("10.1.9.9"), ["10.1.2.3/16", "::ffff:10.1.0.0/112", "10.0.0.0/8", "0.0.0.0/0"]);
        assert_eq!(found("11.0.0.1"), ["0.0.0.0/0"]);
        assert_eq!(found("2606::1"), ["2000::/3", "::/0"]);
    }
}
