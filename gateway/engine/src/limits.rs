//! How long and how much, where nobody said otherwise.

use crate::connection::{GuardLimits, HeadLimits};
use std::time::Duration;

/// Limits on what comes from outside. The defaults are meant to be kept.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections of one socket; more are closed at once. Default: 32768.
    pub connections: usize,
    /// Open connections from one address, or network of IPv6 (/64); more are closed at once. Default: 16384.
    pub connections_of_source: usize,
    /// Bytes of the head of a request, or of its trailers. Default: 64 KiB.
    pub head: usize,
    /// Header fields of a request. Default: 100.
    pub fields: usize,
    /// Bytes of the target of a request of HTTP/1. Default: 16 KiB.
    pub target: usize,
    /// From the first byte of a request's head to its last, and from the beginning of a connection to its first request.
    /// Default: 15 s.
    pub head_time: Duration,
    /// Bytes of the body of a request. Default: no limit.
    pub body: Option<u64>,
    /// The whole life of a request that is no upgrade, if its rule has no shorter timeout. Default: no limit.
    pub request: Option<Duration>,
    /// Streams of one HTTP/2 connection of a client. Default: 100.
    pub streams: u32,
    /// An HTTP/2 connection of a client without streams. Default: 5 min.
    pub http2_idle: Duration,
    /// A connection of a client of HTTP; then it ends as soon as no request is running. Default: no limit.
    pub connection: Option<Duration>,
    /// What a client says before it is served: a header of the PROXY protocol and a TLS handshake, from accept to
    /// finish. Default: 10 s.
    pub handshake: Duration,
    /// Connecting to an endpoint, TLS included. Default: 5 s.
    pub connect: Duration,
    /// Waiting for a client to read or write the next piece of a body. Default: 60 s.
    pub client_idle: Duration,
    /// A connection of a TLSRoute or TCPRoute on which nobody says anything. Default: 1 h.
    pub stream_idle: Duration,
    /// A flow of a UDPRoute in which nobody says anything. Default: 60 s.
    pub datagram_idle: Duration,
    /// Flows of one UDP socket; datagrams of more clients are dropped. Default: 16384.
    pub flows: usize,
    /// After a request was answered before its end: reading on, so that the client gets to see the answer. Default: 2 s.
    pub linger: Duration,
    /// Waiting for the first answer of DNS for a backend. Default: 5 s.
    pub resolve: Duration,
    /// Whole life of a mirrored copy. Default: 30 s.
    pub mirror: Duration,
    /// Mirrored copies in flight; more are not sent. Default: 1024.
    pub mirrors: usize,
    /// Bytes of one body that may wait for its mirror; a mirror that is further behind loses its copy. Default: 2 MiB.
    pub mirror_backlog: usize,
    /// The same over all copies. Default: 64 MiB.
    pub mirrors_backlog: usize,
    /// A whole question to an authorization service, from picking an endpoint to the end of the answer, all tries included.
    /// Default: 5 s.
    pub auth: Duration,
    /// Bytes of bodies that are kept to be shown to authorization services, over all requests; those for which there is no
    /// room are refused. Default: 64 MiB.
    pub auth_bodies: usize,
    /// Bytes of responses that clients have not taken yet, over all of them. Once as much waits, no response is read
    /// further than one small piece ahead of its client, who has to take it within a second. Default: 64 MiB.
    pub responses_backlog: usize,
    /// The longest wait between two tries. Default: 10 s.
    pub max_backoff: Duration,
    /// Idle connections to backends that are kept, over all backends: a part of it for each worker, but not less than 128 (or
    /// half of it). Default: 1024.
    pub idle_upstream: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32_768,
            connections_of_source: 16_384,
            head: 64 << 10,
            fields: 100,
            target: 16 << 10,
            head_time: Duration::from_secs(15),
            body: None,
            request: None,
            streams: 100,
            http2_idle: Duration::from_secs(300),
            connection: None,
            handshake: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            client_idle: Duration::from_secs(60),
            stream_idle: Duration::from_secs(3600),
            datagram_idle: Duration::from_secs(60),
            flows: 16_384,
            linger: Duration::from_secs(2),
            resolve: Duration::from_secs(5),
            mirror: Duration::from_secs(30),
            mirrors: 1024,
            mirror_backlog: 2 << 20,
            mirrors_backlog: 64 << 20,
            auth: Duration::from_secs(5),
            auth_bodies: 64 << 20,
            responses_backlog: 64 << 20,
            max_backoff: Duration::from_secs(10),
            idle_upstream: 1024,
        }
    }
}

impl Limits {
    /// What the guard of a connection needs.
    pub(crate) fn guard(&self) -> GuardLimits {
        let head = HeadLimits { bytes: self.head, fields: self.fields, target: self.target };
        GuardLimits { head, head_time: self.head_time }
    }
}
