//! Where to, how often, and when.

use lychgate_audit::{Record, RecordDestination, RecordProtocol, Timestamp};
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;

/// Where something went, as a policy can name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// By name, or else by address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What was spoken.
    pub protocol: RecordProtocol,
}

impl Place {
    /// Where a record went; `None` if it tells neither name nor address.
    pub fn of(record: &Record) -> Option<Self> {
        let RecordDestination { host, address, port, by_address: _, verified: _ } = &record.destination;
        let host = host.clone().or_else(|| address.map(|address| address.to_string()))?;
        Some(Self { host, port: *port, protocol: protocol(record) })
    }
}

/// What was spoken. Logs of before do not say it, and what shows a server name is TLS.
pub(crate) fn protocol(record: &Record) -> RecordProtocol {
    let guess = if record.server_name.is_some() { RecordProtocol::Tls } else { RecordProtocol::Tcp };
    record.protocol.unwrap_or(guess)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, protocol } = self;
        let protocol = match protocol {
            RecordProtocol::Tcp => "TCP",
            RecordProtocol::Tls => "TLS",
            RecordProtocol::Http => "HTTP",
            RecordProtocol::Dns => return write!(f, "{host} (DNS)"),
        };
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => write!(f, "[{address}]:{port} ({protocol})"),
            Ok(IpAddr::V4(_)) | Err(_) => write!(f, "{host}:{port} ({protocol})"),
        }
    }
}

/// How often, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// How often.
    pub count: u64,
    /// The first time.
    #[serde(serialize_with = "as_text")]
    pub first: Timestamp,
    /// The last time.
    #[serde(serialize_with = "as_text")]
    pub last: Timestamp,
}

fn as_text<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

impl Seen {
    pub(crate) fn once(at: Timestamp) -> Self {
        Self { count: 1, first: at, last: at }
    }

    pub(crate) fn again(&mut self, at: Timestamp) {
        self.join(&Self::once(at));
    }

    pub(crate) fn join(&mut self, other: &Self) {
        let Self { count, first, last } = other;
        self.count += count;
        self.first = self.first.min(*first);
        self.last = self.last.max(*last);
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, first, last } = self;
        if count == &1 { write!(f, "once, {first}") } else { write!(f, "{count} times, {first} to {last}") }
    }
}
