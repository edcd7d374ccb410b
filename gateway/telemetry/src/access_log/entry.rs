//! What is logged of a request.

use crate::Reason;
use crate::trace::TraceContext;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The form of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessFormat {
    /// A JSON object.
    Json,
    /// `name=value`, separated by spaces; values with spaces or quotes are quoted, `-` is none.
    Text,
}

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

impl AccessEntry {
    /// The names of all fields, in the order in which they are written.
    pub const FIELDS: [&'static str; 25] = [
        "time",
        "request_id",
        "client",
        "method",
        "scheme",
        "host",
        "path",
        "protocol",
        "status",
        "reason",
        "detail",
        "listener",
        "rule",
        "backend",
        "endpoint",
        "attempts",
        "received",
        "sent",
        "user_agent",
        "trace_id",
        "tls_ms",
        "queue_ms",
        "connect_ms",
        "first_byte_ms",
        "total_ms",
    ];

    pub(super) fn field(&self, name: &str) -> Value {
        let millis = |duration: Duration| Value::from((duration.as_secs_f64() * 1_000_000.0).round() / 1000.0);
        match name {
            "time" => OffsetDateTime::from(self.time).format(&Rfc3339).map_or(Value::Null, Value::from),
            "request_id" => self.request_id.as_str().into(),
            "client" => self.client.to_string().into(),
            "method" => self.method.as_deref().into(),
            "scheme" => self.scheme.into(),
            "host" => self.host.as_deref().into(),
            "path" => self.path.as_deref().into(),
            "protocol" => self.protocol.into(),
            "status" => self.status.into(),
            "reason" => self.reason.map(Reason::as_str).into(),
            "detail" => self.detail.as_deref().into(),
            "listener" => self.listener.as_deref().into(),
            "rule" => self.rule.as_deref().into(),
            "backend" => self.backend.as_deref().into(),
            "endpoint" => self.endpoint.map(|endpoint| endpoint.to_string()).into(),
            "attempts" => self.attempts.into(),
            "received" => self.received.into(),
            "sent" => self.sent.into(),
            "user_agent" => self.user_agent.as_deref().into(),
            "trace_id" => self.trace.as_ref().map(|trace| trace.trace_id().to_string()).into(),
            "tls_ms" => self.timing.tls.map_or(Value::Null, millis),
            "queue_ms" => self.timing.queue.map_or(Value::Null, millis),
            "connect_ms" => self.timing.connect.map_or(Value::Null, millis),
            "first_byte_ms" => self.timing.first_byte.map_or(Value::Null, millis),
            "total_ms" => millis(self.timing.total),
            _ => Value::Null,
        }
    }

    /// As a line, without its end.
    pub(super) fn line<'a>(&self, format: AccessFormat, fields: impl Iterator<Item = &'a str>) -> String {
        match format {
            AccessFormat::Json => {
                let map: Map<String, Value> = fields.map(|name| (name.to_owned(), self.field(name))).collect();
                Value::Object(map).to_string()
            }
            AccessFormat::Text => {
                let mut line = String::new();
                for name in fields {
                    let separator = if line.is_empty() { "" } else { " " };
                    // Writing to a String cannot fail.
                    let _ = match self.field(name) {
                        Value::Null => write!(line, "{separator}{name}=-"),
                        Value::String(text) if is_plain(&text) => write!(line, "{separator}{name}={text}"),
                        value => write!(line, "{separator}{name}={value}"),
                    };
                }
                line
            }
        }
    }
}

/// Whether text needs no quotes: what a client sent must not be able to write fields or lines of its own.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text != "-" && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}
