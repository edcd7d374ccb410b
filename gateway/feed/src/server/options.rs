//! How a feed is served.

use std::time::Duration;

/// How a feed is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// The trust domain that identities of data planes are in.
    pub trust_domain: String,
    /// Connections of data planes at the same time.
    pub clients: usize,
    /// Those of one data plane among them.
    pub clients_of_group: usize,
    /// Connections at the same time of those that have not shown a certificate yet.
    pub strangers: usize,
    /// Those from one address among them.
    pub strangers_of_source: usize,
    /// How long a handshake may take, and a connection without a certificate altogether.
    pub patience: Duration,
    /// How long a client may take to apply an update before it is let go.
    pub answer: Duration,
    /// Other replicas that report to this one at the same time.
    pub replicas: usize,
    /// How long what a replica reported counts when it reports no more: its clients need a moment to be elsewhere.
    pub linger: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trust_domain: "cluster.local".to_owned(),
            clients: 4096,
            clients_of_group: 512,
            strangers: 256,
            strangers_of_source: 32,
            patience: Duration::from_secs(30),
            answer: Duration::from_secs(60),
            replicas: 32,
            linger: Duration::from_secs(20),
        }
    }
}
