//! What a ClientHello shows (RFC 8446 section 4.1.2), read before anybody has decided whether TLS is passed on.
//!
//! Strict on purpose: what two programs could read in two ways (an extension that comes twice, two names, lengths that do
//! not fit) has a name that cannot be read, which no rule lets pass unasked.

use lychgate_egress::{Hello, ServerName};
use lychgate_ir::egress::DnsName;

/// The longest ClientHello, over all its records. Those with post-quantum keys have less than a tenth of it.
const LONGEST: usize = 64 * 1024;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
/// The draft before ECH, which some clients still speak.
const ENCRYPTED_SNI: u16 = 0xffce;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenHello {
    pub(crate) server_name: SeenName,
    pub(crate) encrypted: bool,
    /// What it offers to speak.
    pub(crate) alpn: Vec<Vec<u8>>,
}

/// The server that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SeenName {
    Missing,
    Unreadable,
    Name(DnsName),
}

/// What can be said of the first bytes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It may be one, and goes on.
    More,
    /// It is none.
    NotTls,
    /// It is one, as far as it can be read.
    Hello(SeenHello),
}

impl SeenHello {
    fn unreadable() -> Self {
        Self { server_name: SeenName::Unreadable, encrypted: false, alpn: Vec::new() }
    }

    pub(crate) fn as_ask(&self) -> Hello<'_> {
        let server_name = match &self.server_name {
            SeenName::Missing => ServerName::Missing,
            SeenName::Unreadable => ServerName::Unreadable,
            SeenName::Name(name) => ServerName::Name(name),
        };
        Hello { server_name, encrypted: self.encrypted }
    }

    /// The server that it names, if it can be read.
    pub(crate) fn name(&self) -> Option<&DnsName> {
        match &self.server_name {
            SeenName::Name(name) => Some(name),
            SeenName::Missing | SeenName::Unreadable => None,
        }
    }
}

/// Reads the first bytes of a connection.
pub(crate) fn read(bytes: &[u8]) -> Opening {
    let mut rest = bytes;
    let mut message: Vec<u8> = Vec::new();
    loop {
        match rest {
            [] => return Opening::More,
            [HANDSHAKE, ..] => {}
            // Between the records of one message nothing else may come.
            _ if message.is_empty() => return Opening::NotTls,
            _ => return Opening::Hello(SeenHello::unreadable()),
        }
        match rest.get(1) {
            None => return Opening::More,
            Some(3) => {}
            Some(_) => return Opening::NotTls,
        }
        let Some((header, after)) = rest.split_at_checked(5) else { return Opening::More };
        let &[_, _, _, high, low] = header else { return Opening::More };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((fragment, after)) = after.split_at_checked(length) else {
            return match bytes.len() > LONGEST {
                true => Opening::Hello(SeenHello::unreadable()),
                false => Opening::More,
            };
        };
        message.extend_from_slice(fragment);
        rest = after;
        if let &[kind, a, b, c, ref body @ ..] = message.as_slice() {
            let length = u32::from_be_bytes([0, a, b, c]);
            let is_too_long = usize::try_from(length).is_ok_and(|length| length > LONGEST);
            if kind != CLIENT_HELLO || is_too_long {
                return Opening::Hello(SeenHello::unreadable());
            }
            if let Some(body) = usize::try_from(length).ok().and_then(|length| body.get(..length)) {
                return Opening::Hello(hello(body).unwrap_or_else(SeenHello::unreadable));
            }
        }
        if message.len() > LONGEST {
            return Opening::Hello(SeenHello::unreadable());
        }
    }
}

/// The message itself; `None` if it is not well-formed.
fn hello(body: &[u8]) -> Option<SeenHello> {
    let mut body = Reader(body);
    // Version and random.
    body.take(2 + 32)?;
    let _session = body.short()?;
    let _suites = body.long()?;
    let _compression = body.short()?;
    let mut hello = SeenHello { server_name: SeenName::Missing, encrypted: false, alpn: Vec::new() };
    if body.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Reader(body.long()?);
    let mut seen: Vec<u16> = Vec::new();
    while !extensions.0.is_empty() {
        let kind = extensions.number()?;
        let value = extensions.long()?;
        if seen.contains(&kind) {
            return None;
        }
        seen.push(kind);
        match kind {
            SERVER_NAME => hello.server_name = name(value)?,
            ALPN => hello.alpn = protocols(value)?,
            ENCRYPTED_CLIENT_HELLO | ENCRYPTED_SNI => hello.encrypted = true,
            _ => {}
        }
    }
    body.0.is_empty().then_some(hello)
}

fn name(value: &[u8]) -> Option<SeenName> {
    const HOST_NAME: u8 = 0;
    let mut value = Reader(value);
    let mut list = Reader(value.long()?);
    let mut named = None;
    while !list.0.is_empty() {
        let kind = list.byte()?;
        let name = list.long()?;
        if kind != HOST_NAME || named.is_some() {
            return None;
        }
        let name = std::str::from_utf8(name).ok().and_then(|name| DnsName::parse(name).ok());
        named = Some(name.map_or(SeenName::Unreadable, SeenName::Name));
    }
    value.0.is_empty().then_some(named.unwrap_or(SeenName::Unreadable))
}

fn protocols(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut value = Reader(value);
    let mut list = Reader(value.long()?);
    let mut protocols = Vec::new();
    while !list.0.is_empty() {
        protocols.push(list.short()?.to_vec());
    }
    value.0.is_empty().then_some(protocols)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// One byte of length, then so many.
    fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        self.take(length.into())
    }

    /// Two bytes of length, then so many.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length.into())
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
