//! One endpoint, with what must survive a reload: how busy it is.

use super::persistence::SessionToken;
use super::pools::{Keys, Pools};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::watch;

/// An endpoint that can be dialled.
#[derive(Debug)]
pub(crate) struct EndpointState {
    pub(crate) address: SocketAddr,
    /// What sessions carry to come back here.
    pub(crate) token: SessionToken,
    in_flight: AtomicUsize,
    gone: watch::Sender<bool>,
    /// The same, to be looked at with every attempt that ends.
    has_left: AtomicBool,
    /// Where connections to it wait for the next request.
    pub(super) pooled: Keys,
}

impl EndpointState {
    pub(crate) fn new(address: SocketAddr, pools: Pools) -> Self {
        Self {
            address,
            token: SessionToken::of(address),
            in_flight: AtomicUsize::new(0),
            gone: watch::Sender::new(false),
            has_left: AtomicBool::new(false),
            pooled: Keys::new(pools),
        }
    }

    /// Attempts that are running now.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Its backend has it no more, or is gone itself. Connections to it that are idle are closed; those in use are when
    /// what runs on them is over.
    pub(crate) fn leave(&self) {
        self.has_left.store(true, Ordering::SeqCst);
        self.gone.send_replace(true);
        self.pooled.close_idle();
    }

    /// A connection to it was made that will be pooled under this key.
    pub(crate) fn connected(&self, key: u64) {
        self.pooled.add(key);
    }

    /// Waits until its backend has it no more. For what never ends by itself: requests and connections do.
    pub(crate) async fn gone(&self) {
        // An error would mean that this is dropped, and it is borrowed.
        let _ = self.gone.subscribe().wait_for(|gone| *gone).await;
    }
}

/// Counts an attempt as running for as long as it is held.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<EndpointState>);

impl InFlight {
    pub(crate) fn new(endpoint: Arc<EndpointState>) -> Self {
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(endpoint)
    }

    pub(crate) fn endpoint(&self) -> &Arc<EndpointState> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        if self.0.has_left.load(Ordering::SeqCst) {
            // Its connection has gone back to the pool.
            self.0.pooled.close_idle();
        }
    }
}

/// The endpoints of a backend at one moment.
#[derive(Debug, Default)]
pub(crate) struct EndpointList {
    /// Those that take new requests.
    pub(crate) ready: Vec<Arc<EndpointState>>,
    /// Those about to go: only for their sessions, and while nothing is ready.
    pub(crate) terminating: Vec<Arc<EndpointState>>,
}

impl EndpointList {
    /// A list of these addresses, with the states that `previous` already had for them.
    pub(crate) fn rebuild(previous: &Self, ready: &[SocketAddr], terminating: &[SocketAddr], pools: &Pools) -> Self {
        let known: std::collections::HashMap<SocketAddr, &Arc<EndpointState>> =
            previous.all().map(|endpoint| (endpoint.address, endpoint)).collect();
        let keep = |addresses: &[SocketAddr]| {
            let state = |address: &SocketAddr| match known.get(address) {
                Some(endpoint) => Arc::clone(endpoint),
                None => Arc::new(EndpointState::new(*address, pools.clone())),
            };
            addresses.iter().map(state).collect()
        };
        Self { ready: keep(ready), terminating: keep(terminating) }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<EndpointState>> {
        self.ready.iter().chain(&self.terminating)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.terminating.is_empty()
    }
}
