//! What a listener speaks.

use crate::names::DOMAIN;
use crate::status::condition::Problem;
use crate::status::reason;
use lychgate_api::gateway::ProtocolType;
use lychgate_ir::Protocol;

/// Protocols of ours, as listeners name them after our domain.
const OURS: [(&str, Protocol); 4] = [
    ("Proxy", Protocol::Proxy),
    ("Transparent", Protocol::Transparent),
    ("DNS", Protocol::Dns),
    ("DNSoverTCP", Protocol::DnsOverTcp),
];

/// The protocol of ours that is named so, wherever it is written.
pub(super) fn ours(name: &str) -> Option<Protocol> {
    let name = name.strip_prefix(DOMAIN)?;
    OURS.iter().find(|(known, _)| *known == name).map(|(_, protocol)| *protocol)
}

/// The protocol, or why it is not spoken. Ours are for Gateways through which things leave: without policies, they would let
/// anybody go anywhere.
pub(super) fn of(wanted: &ProtocolType, is_egress: bool) -> Result<Protocol, Problem> {
    let message = match wanted {
        ProtocolType::Http => return Ok(Protocol::Http),
        ProtocolType::Https => return Ok(Protocol::Https),
        ProtocolType::Tls => return Ok(Protocol::Tls),
        ProtocolType::Tcp => return Ok(Protocol::Tcp),
        ProtocolType::Udp => return Ok(Protocol::Udp),
        ProtocolType::Other(name) => match (ours(name), is_egress) {
            (Some(protocol), true) => return Ok(protocol),
            (Some(_), false) => format!("protocol {name} is for egress Gateways; use the class lychgate-egress"),
            (None, true) => {
                let ours = OURS.map(|(name, _)| format!("{DOMAIN}{name}")).join(", ");
                format!("protocol {name} is not served; use HTTP, HTTPS, TLS, TCP, UDP, {ours}")
            }
            (None, false) => format!("protocol {name} is not served; use HTTP, HTTPS, TLS, TCP or UDP"),
        },
    };
    Err(Problem::new(reason::UNSUPPORTED_PROTOCOL, message))
}

/// Whether listeners of one port are told apart by host.
pub(super) fn has_hosts(protocol: Protocol) -> bool {
    match protocol {
        Protocol::Http | Protocol::Https | Protocol::Tls => true,
        Protocol::Tcp
        | Protocol::Udp
        | Protocol::Proxy
        | Protocol::Transparent
        | Protocol::Dns
        | Protocol::DnsOverTcp => false,
    }
}
