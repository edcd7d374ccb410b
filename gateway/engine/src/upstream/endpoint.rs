//! One endpoint, with what must survive a reload: how busy it is.

use super::persistence::SessionToken;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// An endpoint that can be dialled.
#[derive(Debug)]
pub(crate) struct EndpointState {
    pub(crate) address: SocketAddr,
    /// What sessions carry to come back here.
    pub(crate) token: SessionToken,
    in_flight: AtomicUsize,
    gone: watch::Sender<bool>,
}

impl EndpointState {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let gone = watch::Sender::new(false);
        Self { address, token: SessionToken::of(address), in_flight: AtomicUsize::new(0), gone }
    }

    /// Attempts that are running now.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Its backend has it no more, or is gone itself.
    pub(crate) fn leave(&self) {
        self.gone.send_replace(true);
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
    pub(crate) fn rebuild(previous: &Self, ready: &[SocketAddr], terminating: &[SocketAddr]) -> Self {
        let known: std::collections::HashMap<SocketAddr, &Arc<EndpointState>> =
            previous.all().map(|endpoint| (endpoint.address, endpoint)).collect();
        let keep = |addresses: &[SocketAddr]| {
            let state = |address: &SocketAddr| match known.get(address) {
                Some(endpoint) => Arc::clone(endpoint),
                None => Arc::new(EndpointState::new(*address)),
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
