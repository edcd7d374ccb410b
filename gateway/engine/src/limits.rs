//! How long and how much, where nobody said otherwise.

use std::time::Duration;

/// Limits on what comes from outside. The defaults are meant to be kept.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A TLS handshake, from accept to finish. Default: 10 s.
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
    /// The longest wait between two tries. Default: 10 s.
    pub max_backoff: Duration,
    /// Idle connections to backends that are kept, over all backends. Default: 1024.
    pub idle_upstream: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
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
            max_backoff: Duration::from_secs(10),
            idle_upstream: 1024,
        }
    }
}
