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
/// anybody go anywhere. Datagrams of routes are for the others: no policy decides about them.
pub(super) fn of(wanted: &ProtocolType, is_egress: bool) -> Result<Protocol, Problem> {
    let routed = match wanted {
        ProtocolType::Http => Ok(Protocol::Http),
        ProtocolType::Https => Ok(Protocol::Https),
        ProtocolType::Tls => Ok(Protocol::Tls),
        ProtocolType::Tcp => Ok(Protocol::Tcp),
        ProtocolType::Udp => Ok(Protocol::Udp),
        ProtocolType::Other(name) => Err(name),
    };
    let message = match (routed, is_egress) {
        (Ok(Protocol::Udp), true) => {
            format!(
                "protocol UDP is not served by egress Gateways: no policy decides about datagrams; for DNS use {DOMAIN}DNS"
            )
        }
        (Ok(protocol), _) => return Ok(protocol),
        (Err(name), _) => match (ours(name), is_egress) {
            (Some(protocol), true) => return Ok(protocol),
            (Some(_), false) => format!("protocol {name} is for egress Gateways; use the class lychgate-egress"),
            (None, true) => {
                let ours = OURS.map(|(name, _)| format!("{DOMAIN}{name}")).join(", ");
                format!("protocol {name} is not served; use {ours}, HTTP, HTTPS, TLS or TCP")
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
