//! What is recorded of a request, as plain data. What it is called on the wire is decided where it is exported.

use super::TraceContext;
use http::Method;
use std::net::SocketAddr;
use std::time::SystemTime;

/// A request and its attempts.
#[derive(Clone, Debug)]
pub struct RequestTrace {
    /// Its own span, and above it the caller's.
    pub context: TraceContext,
    /// When its head had arrived.
    pub started: SystemTime,
    /// When the response had ended.
    pub ended: SystemTime,
    /// The method.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The authority, as the client sent it.
    pub host: String,
    /// The path, as the client sent it; without the query, which may hold secrets.
    pub path: String,
    /// `1.0`, `1.1` or `2`.
    pub protocol: &'static str,
    /// The client's end of the connection.
    pub client: Option<SocketAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// What client and operator call the request.
    pub request_id: Option<String>,
    /// What the client got; `None` if it got nothing.
    pub status: Option<u16>,
    /// Why it was refused or failed: a word, and for people.
    pub failure: Option<(&'static str, String)>,
    /// What decided.
    pub decided: Option<Decided>,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the response's body.
    pub sent: u64,
    /// Attempts that were made; of very many the first are recorded.
    pub tries: u32,
    /// The attempts.
    pub attempts: Vec<AttemptTrace>,
}

/// The objects that decided.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The listener.
    pub listener: String,
    /// The route, without generation, so that changes of it stay one operation.
    pub route: String,
    /// The rule, with the generation of its route.
    pub rule: String,
    /// The backend, if one was chosen.
    pub backend: Option<String>,
}

/// An attempt at an endpoint.
#[derive(Clone, Debug)]
pub struct AttemptTrace {
    /// What it was for.
    pub purpose: Purpose,
    /// Its span, and above it the request's.
    pub context: TraceContext,
    /// When its endpoint was picked.
    pub started: SystemTime,
    /// When it was over; `None` if it lasted as long as the request.
    pub ended: Option<SystemTime>,
    /// The backend.
    pub backend: String,
    /// The endpoint.
    pub endpoint: SocketAddr,
    /// The method.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The authority, as the endpoint is told it.
    pub host: String,
    /// The path, as the endpoint is told it; without the query.
    pub path: String,
    /// Whether the connection came from the pool; `None` if there was none.
    pub reused: Option<bool>,
    /// `1.1` or `2`, if the endpoint answered.
    pub protocol: Option<&'static str>,
    /// What the endpoint answered.
    pub status: Option<u16>,
    /// Why it failed: a word, and for people.
    pub failure: Option<(&'static str, String)>,
}

/// What a request of ours was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To have the client's request answered.
    Attempt,
    /// To ask an authorization service about it.
    Question,
}

/// Attempts of one request that are recorded, so that what waits for export has a bound.
const ATTEMPTS: usize = 64;

/// Texts from outside are cut after so many bytes, for the same reason.
const TEXT: usize = 1024;

impl RequestTrace {
    /// A text from outside, as much of it as is recorded.
    pub fn text(text: &str) -> String {
        let end = (0..=TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.get(..end).unwrap_or_default().to_owned()
    }

    /// Whether there is room for another attempt.
    pub fn has_room(attempts: &[AttemptTrace]) -> bool {
        attempts.len() < ATTEMPTS
    }

    /// How many spans it becomes.
    pub(super) fn spans(&self) -> u64 {
        1 + self.attempts.len() as u64
    }
}
