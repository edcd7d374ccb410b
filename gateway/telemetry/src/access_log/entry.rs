//! What is logged of a request.

use super::field::Field;
use crate::Reason;
use crate::trace::TraceContext;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// Where the time went, from the end of the request's head; for what is not HTTP, from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Before that, the TLS handshake of the connection, from accept to finish: on the first request of a connection
    /// only.
    pub tls: Option<Duration>,
    /// Until the last attempt began: waiting before another try, and for the first answer of DNS.
    pub queue: Option<Duration>,
    /// Until the last attempt had a connection.
    pub connect: Option<Duration>,
    /// Until the head of the response was there.
    pub first_byte: Option<Duration>,
    /// Until the end.
    pub total: Duration,
}

/// One request; or one connection or flow that is not read as HTTP.
#[derive(Clone, Debug)]
pub struct AccessEntry {
    /// When its head had arrived.
    pub time: SystemTime,
    /// What client and operator call it.
    pub request_id: String,
    /// The client's end of the connection.
    pub client: SocketAddr,
    /// The method of a request.
    pub method: Option<String>,
    /// `http` or `https`; `tcp`, `tls` or `udp` for what is not read.
    pub scheme: &'static str,
    /// The authority of a request, or the server name of a TLS handshake.
    pub host: Option<String>,
    /// The target as the client sent it, query included.
    pub path: Option<String>,
    /// The protocol of the client.
    pub protocol: &'static str,
    /// What the client got; `None` if it got nothing, or if this is no request.
    pub status: Option<u16>,
    /// Why it was refused or failed.
    pub reason: Option<Reason>,
    /// The same for people, with names that clients are not told.
    pub detail: Option<String>,
    /// The listener.
    pub listener: Option<String>,
    /// The rule that decided, with the generation of its route.
    pub rule: Option<String>,
    /// The backend.
    pub backend: Option<String>,
    /// The endpoint of the last attempt.
    pub endpoint: Option<SocketAddr>,
    /// Attempts.
    pub attempts: u32,
    /// Bytes of the request's body, or all bytes from the client.
    pub received: u64,
    /// Bytes of the response's body, or all bytes to the client.
    pub sent: u64,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// Its trace, if requests are traced.
    pub trace: Option<TraceContext>,
    /// Where the time went.
    pub timing: Timing,
}

/// What a field holds: borrowed, so that nothing is made of what is only written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Text(&'a str),
    Number(u64),
    Moment(SystemTime),
    Address(SocketAddr),
    Trace(&'a TraceContext),
    /// Written in milliseconds.
    Took(Duration),
}

impl AccessEntry {
    /// The names of all fields, in the order in which they are written.
    pub const FIELDS: [&'static str; 25] = Field::NAMES;

    pub(super) fn field(&self, field: Field) -> Value<'_> {
        fn text(text: Option<&String>) -> Value<'_> {
            text.map_or(Value::None, |text| Value::Text(text))
        }
        let took = |took: Option<Duration>| took.map_or(Value::None, Value::Took);
        match field {
            Field::Time => Value::Moment(self.time),
            Field::RequestId => Value::Text(&self.request_id),
            Field::Client => Value::Address(self.client),
            Field::Method => text(self.method.as_ref()),
            Field::Scheme => Value::Text(self.scheme),
            Field::Host => text(self.host.as_ref()),
            Field::Path => text(self.path.as_ref()),
            Field::Protocol => Value::Text(self.protocol),
            Field::Status => self.status.map_or(Value::None, |status| Value::Number(status.into())),
            Field::Reason => self.reason.map_or(Value::None, |reason| Value::Text(reason.as_str())),
            Field::Detail => text(self.detail.as_ref()),
            Field::Listener => text(self.listener.as_ref()),
            Field::Rule => text(self.rule.as_ref()),
            Field::Backend => text(self.backend.as_ref()),
            Field::Endpoint => self.endpoint.map_or(Value::None, Value::Address),
            Field::Attempts => Value::Number(self.attempts.into()),
            Field::Received => Value::Number(self.received),
            Field::Sent => Value::Number(self.sent),
            Field::UserAgent => text(self.user_agent.as_ref()),
            Field::TraceId => self.trace.as_ref().map_or(Value::None, Value::Trace),
            Field::Tls => took(self.timing.tls),
            Field::Queue => took(self.timing.queue),
            Field::Connect => took(self.timing.connect),
            Field::FirstByte => took(self.timing.first_byte),
            Field::Total => Value::Took(self.timing.total),
        }
    }
}
