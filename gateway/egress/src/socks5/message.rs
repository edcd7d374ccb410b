//! What all messages have in common.

use crate::target::TargetHost;
use lychgate_ir::egress::DnsName;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

pub(super) const VERSION: u8 = 5;

/// What could be read of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// It goes on: come again with more bytes.
    More,
    /// All of it, and how many bytes it took.
    Done(T, usize),
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "their messages say it")]
pub enum BadMessage {
    #[error("version {0}, and only version 5 is spoken here")]
    Version(u8),
    #[error("version {0} of the login, and only version 1 is spoken here")]
    LoginVersion(u8),
    #[error("no method is offered")]
    NoMethod,
    #[error("an empty user name or password")]
    Empty,
    #[error("a user name or password that is no UTF-8")]
    NotText,
    #[error("the reserved byte is not 0")]
    Reserved,
    #[error("command {0}, which does not exist")]
    Command(u8),
    #[error("address type {0}, which does not exist")]
    AddressType(u8),
    #[error("a host that is none: {0}")]
    Host(String),
    #[error("port 0")]
    Port,
    #[error("reply {0}, which does not exist")]
    Reply(u8),
}

/// Reads a message from its beginning; every step may find that there are not enough bytes.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    used: usize,
}

/// Why reading stopped.
pub(super) enum Stop {
    More,
    Bad(BadMessage),
}

impl From<BadMessage> for Stop {
    fn from(bad: BadMessage) -> Self {
        Self::Bad(bad)
    }
}

/// Runs a reader over bytes.
pub(super) fn read<'a, T>(
    bytes: &'a [u8],
    message: impl FnOnce(&mut Reader<'a>) -> Result<T, Stop>,
) -> Result<Read<T>, BadMessage> {
    let mut reader = Reader { bytes, used: 0 };
    match message(&mut reader) {
        Ok(value) => Ok(Read::Done(value, reader.used)),
        Err(Stop::More) => Ok(Read::More),
        Err(Stop::Bad(bad)) => Err(bad),
    }
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.used..).unwrap_or_default();
        let taken = rest.get(..length).ok_or(Stop::More)?;
        self.used += length;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        self.take(N)?.try_into().map_err(|_| Stop::More)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        self.array().map(|[byte]| byte)
    }

    /// One byte of length, then so many.
    pub(super) fn counted(&mut self) -> Result<&'a [u8], Stop> {
        let length = self.byte()?;
        self.take(length.into())
    }

    pub(super) fn version(&mut self) -> Result<(), Stop> {
        match self.byte()? {
            VERSION => Ok(()),
            other => Err(BadMessage::Version(other).into()),
        }
    }

    pub(super) fn reserved(&mut self) -> Result<(), Stop> {
        if self.byte()? == 0 { Ok(()) } else { Err(BadMessage::Reserved.into()) }
    }

    /// ATYP and the address, which must be a host.
    pub(super) fn host(&mut self) -> Result<TargetHost, Stop> {
        Ok(match self.byte()? {
            1 => TargetHost::Address(IpAddr::V4(Ipv4Addr::from(self.array::<4>()?))),
            3 => {
                let name = self.counted()?;
                let bad = |why: String| Stop::Bad(BadMessage::Host(why));
                let text = std::str::from_utf8(name).map_err(|_| bad("it is no text".to_owned()))?;
                // Some clients write addresses as if they were names.
                match text.parse::<IpAddr>() {
                    Ok(address) => TargetHost::address(address),
                    Err(_) => TargetHost::Name(DnsName::parse(text).map_err(|error| bad(error.to_string()))?),
                }
            }
            4 => TargetHost::address(IpAddr::V6(Ipv6Addr::from(self.array::<16>()?))),
            other => return Err(BadMessage::AddressType(other).into()),
        })
    }

    pub(super) fn port(&mut self) -> Result<u16, Stop> {
        self.array().map(u16::from_be_bytes)
    }
}

/// Writes ATYP, address and port.
pub(super) fn write_host(host: &TargetHost, port: u16, out: &mut Vec<u8>) {
    match host {
        TargetHost::Address(IpAddr::V4(address)) => {
            out.push(1);
            out.extend(address.octets());
        }
        TargetHost::Address(IpAddr::V6(address)) => {
            out.push(4);
            out.extend(address.octets());
        }
        TargetHost::Name(name) => {
            out.push(3);
            // A name has at most 253 bytes.
            out.push(u8::try_from(name.as_str().len()).unwrap_or(u8::MAX));
            out.extend(name.as_str().as_bytes());
        }
    }
    out.extend(port.to_be_bytes());
}
