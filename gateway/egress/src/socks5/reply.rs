//! What became of it (RFC 1928 section 6).

use super::message::{BadMessage, Read, VERSION, read, write_host};
use crate::target::TargetHost;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names are those of RFC 1928")]
pub enum Outcome {
    Succeeded,
    GeneralFailure,
    NotAllowedByRuleset,
    NetworkUnreachable,
    HostUnreachable,
    ConnectionRefused,
    TtlExpired,
    CommandNotSupported,
    AddressTypeNotSupported,
}

const ALL: [Outcome; 9] = [
    Outcome::Succeeded,
    Outcome::GeneralFailure,
    Outcome::NotAllowedByRuleset,
    Outcome::NetworkUnreachable,
    Outcome::HostUnreachable,
    Outcome::ConnectionRefused,
    Outcome::TtlExpired,
    Outcome::CommandNotSupported,
    Outcome::AddressTypeNotSupported,
];

/// A server's last word before it carries bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What became of it.
    pub outcome: Outcome,
    /// Where the server speaks from. What is known of it to us is nobody's business: `0.0.0.0:0` is usual.
    pub bound: (TargetHost, u16),
}

impl Reply {
    /// With no address in it.
    pub fn of(outcome: Outcome) -> Self {
        Self { outcome, bound: (TargetHost::Address(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), 0) }
    }

    /// With the address that is spoken from.
    pub fn from(outcome: Outcome, address: SocketAddr) -> Self {
        Self { outcome, bound: (TargetHost::address(address.ip()), address.port()) }
    }

    /// Writes it.
    pub fn write(&self) -> Vec<u8> {
        let Self { outcome, bound: (host, port) } = self;
        let mut out = vec![VERSION, *outcome as u8, 0];
        write_host(host, *port, &mut out);
        out
    }

    /// Reads the reply of a proxy before this one.
    pub fn read(bytes: &[u8]) -> Result<Read<Self>, BadMessage> {
        read(bytes, |reader| {
            reader.version()?;
            let code = reader.byte()?;
            let outcome = ALL.get(usize::from(code)).copied().ok_or(BadMessage::Reply(code))?;
            reader.reserved()?;
            Ok(Self { outcome, bound: (reader.host()?, reader.port()?) })
        })
    }
}
