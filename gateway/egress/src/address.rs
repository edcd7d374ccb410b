//! Which addresses are not public, in whatever form they come.
//!
//! A public name may lead to a private address: by mistake, by an attack on whoever fetches URLs for others (SSRF), or
//! because the answer changes between the check and the connection (DNS rebinding). So every address is judged when it is
//! about to be dialled, and IPv4 addresses that are hidden in IPv6 ones are judged as what they lead to.

mod blocks;
mod embedded;

pub use embedded::{canonical, embedded};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// What an address that is not public is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AddressClass {
    /// Pods, Services, nodes: what the configuration says.
    Cluster,
    /// Metadata of a cloud's instances: credentials for whoever asks.
    Metadata,
    /// The machine itself.
    Loopback,
    /// No address, or "this network", which many systems take for themselves.
    Unspecified,
    /// The link.
    LinkLocal,
    /// Private networks (RFC 1918, RFC 4193), and those of providers (RFC 6598).
    Private,
    /// Many at once.
    Multicast,
    /// Ends elsewhere than it says: 6to4, Teredo, NAT64 of a network's own.
    Tunnel,
    /// Documentation, benchmarks, what is not given out yet.
    Reserved,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "of the cluster",
            Self::Metadata => "cloud metadata",
            Self::Loopback => "loopback",
            Self::Unspecified => "unspecified",
            Self::LinkLocal => "link-local",
            Self::Private => "private",
            Self::Multicast => "multicast",
            Self::Tunnel => "of a tunnel",
            Self::Reserved => "reserved",
        })
    }
}

/// A block of addresses that are not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it is for.
    pub class: AddressClass,
    /// The block.
    pub net: IpNet,
}

impl Block {
    /// Whether a rule that has this network means the block, or a part of it: `10.0.0.0/8` means what is private, and
    /// `0.0.0.0/0` means the internet.
    pub fn is_named_by(&self, net: &IpNet) -> bool {
        self.net.contains(net)
    }
}

/// The smallest block that an address belongs to; `None` is a public address.
pub fn block(address: IpAddr, cluster: &[IpNet]) -> Option<Block> {
    let address = canonical(address);
    let of_cluster =
        |address: IpAddr| cluster.iter().filter(move |net| net.contains(&address)).max_by_key(|net| net.prefix_len());
    let own = match (of_cluster(address), blocks::find(address)) {
        (Some(net), Some(block)) if block.net.prefix_len() > net.prefix_len() => Some(block),
        (Some(net), _) => Some(Block { class: AddressClass::Cluster, net: *net }),
        (None, block) => block,
    };
    // What it leads to may be worse than what it is, and then nothing but the very address names it.
    let inner = embedded(address).and_then(|inner| block(IpAddr::V4(inner), cluster));
    inner.map(|inner| Block { class: inner.class, net: IpNet::from(address) }).or(own)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn class(text: &str) -> Option<AddressClass> {
        let cluster = ["10.96.0.0/12".parse().unwrap(), "2600:1f00::/40".parse().unwrap()];
        block(text.parse().unwrap(), &cluster).map(|block| block.class)
    }

    #[test]
    fn every_address_has_the_class_that_registries_give_it() {
        for (text, expected) in [
            ("8.8.8.8", None),
            ("1.1.1.1", None),
            ("172.32.0.1", None),
            ("100.128.0.1", None),
            ("2606:4700:4700::1111", None),
            ("169.254.169.254", Some(AddressClass::Metadata)),
            ("169.254.170.2", Some(AddressClass::Metadata)),
            ("100.100.100.200", Some(AddressClass::Metadata)),
            ("168.63.129.16", Some(AddressClass::Metadata)),
            ("fd00:ec2::254", Some(AddressClass::Metadata)),
            ("169.254.0.1", Some(AddressClass::LinkLocal)),
            ("fe80::1", Some(AddressClass::LinkLocal)),
            ("10.0.0.1", Some(AddressClass::Private)),
            ("172.16.0.1", Some(AddressClass::Private)),
            ("192.168.1.1", Some(AddressClass::Private)),
            ("100.64.0.1", Some(AddressClass::Private)),
            ("fd12::1", Some(AddressClass::Private)),
            ("10.96.0.1", Some(AddressClass::Cluster)),
            ("2600:1f00:5::1", Some(AddressClass::Cluster)),
            ("127.0.0.53", Some(AddressClass::Loopback)),
            ("::1", Some(AddressClass::Loopback)),
            ("0.0.0.0", Some(AddressClass::Unspecified)),
            ("::", Some(AddressClass::Unspecified)),
            ("224.0.0.251", Some(AddressClass::Multicast)),
            ("ff02::1", Some(AddressClass::Multicast)),
            ("255.255.255.255", Some(AddressClass::Reserved)),
            ("192.0.2.1", Some(AddressClass::Reserved)),
            ("2001:db8::1", Some(AddressClass::Reserved)),
            ("4000::1", Some(AddressClass::Reserved)),
        ] {
            assert_eq!(class(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_hidden_in_an_ipv6_address_is_judged() {
        for (text, expected) in [
            ("::ffff:169.254.169.254", Some(AddressClass::Metadata)),
            ("::ffff:8.8.8.8", None),
            ("::127.0.0.1", Some(AddressClass::Loopback)),
            ("::ffff:0:10.0.0.1", Some(AddressClass::Private)),
            ("64:ff9b::8.8.8.8", None),
            ("64:ff9b::10.96.0.1", Some(AddressClass::Cluster)),
            ("64:ff9b:1::a9fe:a9fe", Some(AddressClass::Metadata)),
            ("64:ff9b:1::8.8.8.8", Some(AddressClass::Tunnel)),
            ("2002:7f00:1::", Some(AddressClass::Loopback)),
            ("2002:808:808::", Some(AddressClass::Tunnel)),
            // Teredo: the client's address is inverted.
            ("2001:0:808:808::5601:5601", Some(AddressClass::Metadata)),
            ("2001:0:808:808::f7f7:f7f7", Some(AddressClass::Tunnel)),
            // ISATAP, at home in any network.
            ("2606:4700::5efe:192.168.0.1", Some(AddressClass::Private)),
            ("2606:4700::200:5efe:8.8.8.8", None),
        ] {
            assert_eq!(class(text), expected, "{text}");
        }
    }

    #[test]
    fn a_block_is_named_by_what_lies_in_it() {
        let named =
            |address: &str, net: &str| block(address.parse().unwrap(), &[]).unwrap().is_named_by(&net.parse().unwrap());
        assert!(named("10.1.2.3", "10.0.0.0/8"));
        assert!(named("10.1.2.3", "10.1.2.3/32"));
        assert!(!named("10.1.2.3", "0.0.0.0/0"));
        assert!(!named("10.1.2.3", "8.0.0.0/5"));
        assert!(!named("169.254.169.254", "169.254.0.0/16"));
        assert!(named("169.254.169.254", "169.254.169.254/32"));
        assert!(!named("64:ff9b::10.0.0.1", "64:ff9b::/96"));
    }
}
