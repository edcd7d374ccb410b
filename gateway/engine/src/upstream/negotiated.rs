//! What endpoints chose by ALPN, for backends that leave it to them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::RwLock;

/// The HTTP version that an endpoint speaks over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// The last choice of each endpoint of one backend. Forgotten with the backend's settings, and for endpoints that went.
#[derive(Debug, Default)]
pub(crate) struct Negotiated(RwLock<HashMap<SocketAddr, Version>>);

impl Negotiated {
    pub(crate) fn get(&self, address: SocketAddr) -> Option<Version> {
        self.0.read().ok()?.get(&address).copied()
    }

    pub(crate) fn learn(&self, address: SocketAddr, version: Version) {
        if let Ok(mut known) = self.0.write() {
            known.insert(address, version);
        }
    }

    /// An endpoint that chose differently this time is asked again.
    pub(crate) fn forget(&self, address: SocketAddr) {
        if let Ok(mut known) = self.0.write() {
            known.remove(&address);
        }
    }

    pub(crate) fn retain(&self, still_there: impl Fn(SocketAddr) -> bool) {
        if let Ok(mut known) = self.0.write() {
            known.retain(|address, _| still_there(*address));
        }
    }
}
