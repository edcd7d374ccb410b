//! Connections to backends that are told whose they are (PROXY protocol). Such a connection belongs to one connection of
//! one client: it is used for nobody else, and ends with it.

use super::EndpointState;
use super::pools::OwnKeys;
use crate::proxy_protocol::{self, Ends};
use lychgate_ir::ProxyProtocol;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// What a client's connection owns, if it owns anything.
#[derive(Debug, Default)]
pub(crate) struct Ownership {
    owner: OnceLock<(u64, watch::Sender<()>)>,
    keys: OwnKeys,
}

/// How a connection to a backend begins.
#[derive(Clone, Debug)]
pub(crate) struct Introduction {
    /// Sent before anything else.
    pub(crate) header: Vec<u8>,
    /// Unlike that of any other client's connection.
    pub(crate) owner: u64,
    over: watch::Receiver<()>,
}

impl Ownership {
    /// How a connection begins that is made for the owner of this, who is between these ends.
    pub(crate) fn introduce(&self, version: ProxyProtocol, ends: Ends) -> Introduction {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (owner, over) = self.owner.get_or_init(|| (NEXT.fetch_add(1, Ordering::Relaxed), watch::Sender::new(())));
        Introduction { header: proxy_protocol::header(version, ends), owner: *owner, over: over.subscribe() }
    }

    /// Connections to an endpoint are pooled under this key for the owner of this alone.
    pub(crate) fn connected(&self, endpoint: &Arc<EndpointState>, key: u64) {
        self.keys.add(endpoint, key);
    }
}

impl Introduction {
    /// Waits until the client's connection is over.
    pub(crate) async fn over(mut self) {
        // Nothing is ever sent: it changes by being gone.
        while self.over.changed().await.is_ok() {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_over_with_its_owner_and_nobody_else_has_it() {
        let ends = Ends::new("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
        let (one, other) = (Ownership::default(), Ownership::default());
        let first = one.introduce(ProxyProtocol::V1, ends);
        assert_eq!(first.owner, one.introduce(ProxyProtocol::V2, ends).owner);
        assert_ne!(first.owner, other.introduce(ProxyProtocol::V1, ends).owner);
        let over = tokio::spawn(first.over());
        tokio::task::yield_now().await;
        assert!(!over.is_finished());
        drop(one);
        over.await.unwrap();
    }
}
