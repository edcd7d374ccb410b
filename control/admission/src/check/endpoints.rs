//! Addresses of EndpointSlices must be of the slice's type.
//!
//! API servers refuse loopback and link-local addresses too. Here they are let in: without a cluster, backends may well
//! be on the same host.

use std::net::{Ipv4Addr, Ipv6Addr};

use lychgate_api::core::{AddressFamily, EndpointSlice};

use crate::Violation;
use crate::path::{FieldPath, Segment};
use crate::schema::{Violations, is_dns_subdomain};

pub(super) fn check_addresses(slice: &EndpointSlice, found: &mut Violations) {
    for (at, endpoint) in slice.endpoints.iter().enumerate() {
        for (index, address) in endpoint.addresses.iter().enumerate() {
            let (fits, what) = match slice.address_type {
                AddressFamily::Ipv4 => (address.parse::<Ipv4Addr>().is_ok(), "an IPv4 address"),
                AddressFamily::Ipv6 => (address.parse::<Ipv6Addr>().is_ok(), "an IPv6 address"),
                AddressFamily::Fqdn => (is_dns_subdomain(address.trim_end_matches('.')), "a DNS name"),
            };
            if fits {
                continue;
            }
            let mut path = FieldPath::of(&["endpoints"]).with(Segment::Index(at)).field("addresses");
            path.push(Segment::Index(index));
            let message = format!("{address:?} is not {what}, as addressType says");
            found.push(Violation { path, message, hint: None });
        }
    }
}
