//! What a data plane says of what it was given.

use crate::{Version, wire};
use lychgate_ir::{RuleId, Transport};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// As much of one answer as is sent; the rest is a number.
const MOST: usize = 2000;
/// The longest reason that is sent.
const LONGEST: usize = 2048;

/// What became of a version at one data plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The version that is served now.
    pub version: Version,
    /// Rules and resources that fail closed there, and why.
    pub rejected: Vec<Rejected>,
    /// Sockets that could not be opened, and why.
    pub unbound: Vec<Unbound>,
    /// How many more there are of both: an answer has its limits.
    pub more: u32,
}

/// Something that is not served as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// What: the rule, where it is one.
    pub rule: Option<RuleId>,
    /// What, for people: the rule, or the kind and name of a resource.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A socket that is not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbound {
    /// The socket.
    pub socket: Socket,
    /// Why.
    pub why: String,
}

/// A socket that a listener asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket {
    /// The address; `None` is every address of the pod.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// What it speaks.
    pub transport: Transport,
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => SocketAddr::new(address, self.port).fmt(f)?,
            None => write!(f, "*:{}", self.port)?,
        }
        match self.transport {
            Transport::Tcp => Ok(()),
            Transport::Udp => f.write_str("/udp"),
        }
    }
}

impl Rejected {
    /// A rule.
    pub fn rule(rule: RuleId, why: impl Into<String>) -> Self {
        Self { what: rule.to_string(), rule: Some(rule), why: why.into() }
    }

    /// Something else.
    pub fn resource(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { rule: None, what: what.into(), why: why.into() }
    }
}

impl Acknowledgement {
    pub(crate) fn into_wire(self) -> wire::Ack {
        let Self { version, rejected, unbound, more } = self;
        let left = rejected.len().saturating_sub(MOST) + unbound.len().saturating_sub(MOST);
        let rejection =
            |Rejected { rule, what, why }| wire::Rejection { is_rule: rule.is_some(), what: cut(what), why: cut(why) };
        let socket = |Unbound { socket: Socket { address, port, transport }, why }| wire::Unbound {
            address: address.map(|address| address.to_string()),
            port: port.into(),
            udp: transport == Transport::Udp,
            why: cut(why),
        };
        wire::Ack {
            version: version.0,
            rejected: rejected.into_iter().take(MOST).map(rejection).collect(),
            unbound: unbound.into_iter().take(MOST).map(socket).collect(),
            more: more.saturating_add(u32::try_from(left).unwrap_or(u32::MAX)),
        }
    }

    /// What cannot be read is counted.
    pub(crate) fn from_wire(ack: wire::Ack) -> Self {
        let wire::Ack { version, rejected, unbound, mut more } = ack;
        let mut all = Self { version: Version(version), ..Self::default() };
        for wire::Rejection { is_rule, what, why } in rejected {
            let rule = if is_rule { what.parse().ok() } else { None };
            all.rejected.push(Rejected { rule, what, why });
        }
        for wire::Unbound { address, port, udp, why } in unbound {
            let address = address.map(|address| address.parse()).transpose();
            let transport = if udp { Transport::Udp } else { Transport::Tcp };
            match (address, u16::try_from(port)) {
                (Ok(address), Ok(port)) => {
                    all.unbound.push(Unbound { socket: Socket { address, port, transport }, why })
                }
                _ => more = more.saturating_add(1),
            }
        }
        Self { more, ..all }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_arrives_as_it_was_given() {
        let ack = Acknowledgement {
            version: Version(7),
            rejected: vec![
                Rejected::rule("HTTPRoute/a/b#0(main)@3".parse().unwrap(), "it is new"),
                Rejected::resource("Listener Gateway/a/b/c", "it is newer"),
            ],
            unbound: vec![
                Unbound { socket: Socket { address: None, port: 80, transport: Transport::Tcp }, why: "taken".into() },
                Unbound {
                    socket: Socket { address: "::1".parse().ok(), port: 53, transport: Transport::Udp },
                    why: "taken, too".into(),
                },
            ],
            more: 2,
        };
        assert_eq!(Acknowledgement::from_wire(ack.clone().into_wire()), ack);
    }

    #[test]
    fn an_answer_has_its_limits() {
        let one = Rejected::resource("x", "é".repeat(LONGEST));
        let ack = Acknowledgement { rejected: vec![one; MOST + 3], ..Acknowledgement::default() };
        let wire = ack.into_wire();
        assert_eq!((wire.rejected.len(), wire.more), (MOST, 3));
        assert!(wire.rejected.iter().all(|rejection| rejection.why.len() <= LONGEST + 3));
    }
}
