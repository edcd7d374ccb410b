//! The blocks that are not public, from the IANA registries of special-purpose addresses (RFC 6890 and what updates it),
//! and addresses where clouds answer for their instances' metadata.

use super::{AddressClass, Block};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(segments: [u16; 8], length: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length)
}

const V4: &[(Ipv4Net, AddressClass)] = &[
    (v4(0, 0, 0, 0, 8), AddressClass::Unspecified),
    (v4(10, 0, 0, 0, 8), AddressClass::Private),
    (v4(100, 64, 0, 0, 10), AddressClass::Private),
    // Alibaba Cloud.
    (v4(100, 100, 100, 200, 32), AddressClass::Metadata),
    (v4(127, 0, 0, 0, 8), AddressClass::Loopback),
    // Azure's host agent, in the midst of public addresses.
    (v4(168, 63, 129, 16, 32), AddressClass::Metadata),
    (v4(169, 254, 0, 0, 16), AddressClass::LinkLocal),
    (v4(169, 254, 169, 254, 32), AddressClass::Metadata),
    // Credentials of tasks (ECS) and pods (EKS).
    (v4(169, 254, 170, 2, 32), AddressClass::Metadata),
    (v4(169, 254, 170, 23, 32), AddressClass::Metadata),
    (v4(172, 16, 0, 0, 12), AddressClass::Private),
    (v4(192, 0, 0, 0, 24), AddressClass::Reserved),
    // Oracle Cloud.
    (v4(192, 0, 0, 192, 32), AddressClass::Metadata),
    (v4(192, 0, 2, 0, 24), AddressClass::Reserved),
    (v4(192, 88, 99, 0, 24), AddressClass::Tunnel),
    (v4(192, 168, 0, 0, 16), AddressClass::Private),
    (v4(198, 18, 0, 0, 15), AddressClass::Reserved),
    (v4(198, 51, 100, 0, 24), AddressClass::Reserved),
    (v4(203, 0, 113, 0, 24), AddressClass::Reserved),
    (v4(224, 0, 0, 0, 4), AddressClass::Multicast),
    (v4(240, 0, 0, 0, 4), AddressClass::Reserved),
];

/// `None` is public: of IPv6 only what is listed as such is given out.
const V6: &[(Ipv6Net, Option<AddressClass>)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 0), Some(AddressClass::Reserved)),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), Some(AddressClass::Unspecified)),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), Some(AddressClass::Loopback)),
    // NAT64 (RFC 6052): what is inside decides.
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), None),
    // NAT64 within a network (RFC 8215).
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), Some(AddressClass::Tunnel)),
    (v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3), None),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), Some(AddressClass::Reserved)),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), Some(AddressClass::Tunnel)),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), Some(AddressClass::Reserved)),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), Some(AddressClass::Tunnel)),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), Some(AddressClass::Reserved)),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), Some(AddressClass::Private)),
    // AWS: metadata of instances, credentials of pods.
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), Some(AddressClass::Metadata)),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128), Some(AddressClass::Metadata)),
    // Google Cloud.
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), Some(AddressClass::Metadata)),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), Some(AddressClass::LinkLocal)),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), Some(AddressClass::Private)),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), Some(AddressClass::Multicast)),
];

/// The smallest of these that an address belongs to.
pub(super) fn find(address: IpAddr) -> Option<Block> {
    match address {
        IpAddr::V4(address) => {
            let of = V4.iter().filter(|(net, _)| net.contains(&address));
            let (net, class) = of.max_by_key(|(net, _)| net.prefix_len())?;
            Some(Block { class: *class, net: IpNet::V4(*net) })
        }
        IpAddr::V6(address) => {
            let of = V6.iter().filter(|(net, _)| net.contains(&address));
            let (net, class) = of.max_by_key(|(net, _)| net.prefix_len())?;
            class.map(|class| Block { class, net: IpNet::V6(*net) })
        }
    }
}
