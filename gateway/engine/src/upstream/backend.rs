//! A backend at run time. The cell stays the same object for as long as the backend exists, whatever changes in it, so
//! that compiled rules can hold on to it and pods can come and go without touching a rule.

use super::balance::{Picked, Turn, instead, pick};
use super::endpoint::{EndpointList, EndpointState};
use super::negotiated::Negotiated;
use super::persistence::Session;
use super::pools::Pools;
use crate::live::Live;
use crate::tls::client::ClientTls;
use lychgate_ir::{Backend, BackendId, BackendTls, CertificateId, ClientIdentity, Refusal};
use lychgate_telemetry::BackendMetrics;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How connections of one client identity to a backend are made.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    Plain,
    Tls(Arc<ClientTls>),
    Refused(Refusal),
}

/// What is compiled from one generation of the backend.
#[derive(Debug)]
pub(crate) struct BackendState {
    pub(crate) spec: Arc<Backend>,
    pub(crate) negotiated: Negotiated,
    /// By the identity of the Gateway that the request came through.
    reach: HashMap<Option<CertificateId>, Reach>,
}

impl BackendState {
    pub(crate) fn new(spec: Arc<Backend>, reach: HashMap<Option<CertificateId>, Reach>) -> Self {
        Self { spec, negotiated: Negotiated::default(), reach }
    }

    /// How a request that came through a Gateway with this identity reaches the backend.
    pub(crate) fn reach(&self, gateway: Option<&CertificateId>) -> Option<&Reach> {
        match &self.spec.tls {
            BackendTls::Tls(tls) if tls.identity == ClientIdentity::Gateway => self.reach.get(&gateway.cloned()),
            BackendTls::Plain | BackendTls::Tls(_) | BackendTls::Broken(_) => self.reach.get(&None),
        }
    }
}

/// The backend itself.
pub(crate) struct BackendCell {
    pub(crate) id: BackendId,
    pub(crate) metrics: Arc<BackendMetrics>,
    state: Live<BackendState>,
    endpoints: Live<EndpointList>,
    turn: Turn,
    pools: Pools,
    /// False until endpoints are known, be it that there are none.
    known: watch::Sender<bool>,
}

impl fmt::Debug for BackendCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendCell").field("id", &self.id).finish_non_exhaustive()
    }
}

impl BackendCell {
    pub(crate) fn new(id: BackendId, state: BackendState, metrics: Arc<BackendMetrics>, pools: Pools) -> Self {
        Self {
            id,
            metrics,
            state: Live::new(Arc::new(state)),
            endpoints: Live::new(Arc::default()),
            turn: Turn::new(),
            pools,
            known: watch::Sender::new(false),
        }
    }

    pub(crate) fn state(&self) -> Arc<BackendState> {
        self.state.pin()
    }

    pub(crate) fn set_state(&self, state: BackendState) {
        self.state.set(Arc::new(state));
    }

    /// Replaces the endpoints; those that stay keep their counters, the others are gone.
    pub(crate) fn set_endpoints(&self, ready: &[SocketAddr], terminating: &[SocketAddr]) {
        let before = self.replace(ready, terminating);
        let now: HashSet<SocketAddr> = self.endpoints.pin().all().map(|endpoint| endpoint.address).collect();
        before.all().filter(|endpoint| !now.contains(&endpoint.address)).for_each(|endpoint| endpoint.leave());
    }

    /// Replaces the endpoints by what DNS says now. It may say some of them now and others the next time, so that none is
    /// gone for not being among them.
    pub(crate) fn set_resolved(&self, ready: &[SocketAddr], terminating: &[SocketAddr]) {
        self.replace(ready, terminating);
    }

    /// Gives back those before.
    fn replace(&self, ready: &[SocketAddr], terminating: &[SocketAddr]) -> Arc<EndpointList> {
        let before = self.endpoints.pin();
        let list = Arc::new(EndpointList::rebuild(&before, ready, terminating, &self.pools));
        let addresses: HashSet<SocketAddr> = list.all().map(|endpoint| endpoint.address).collect();
        self.state.pin().negotiated.retain(|address| addresses.contains(&address));
        self.metrics.endpoints(list.ready.len());
        self.endpoints.set(list);
        self.known.send_replace(true);
        before
    }

    /// There are other endpoints to come: until they are known, requests wait for them.
    pub(crate) fn forget_endpoints(&self) {
        self.known.send_replace(false);
        let before = self.endpoints.pin();
        self.endpoints.set(Arc::default());
        before.all().for_each(|endpoint| endpoint.leave());
    }

    /// Nothing leads here any more. Requests that have begun still find its endpoints.
    pub(crate) fn leave(&self) {
        self.endpoints.pin().all().for_each(|endpoint| endpoint.leave());
    }

    /// The endpoints of this moment.
    pub(crate) fn endpoints(&self) -> Arc<EndpointList> {
        self.endpoints.pin()
    }

    /// Picks an endpoint: that of the session if it has one, else by balance. Waits for the first answer of DNS if
    /// there has been none yet.
    pub(crate) async fn pick(
        &self,
        session: Option<(Session, Option<Duration>)>,
        tried: &[Arc<EndpointState>],
        patience: Duration,
    ) -> Option<Picked> {
        let mut list = self.endpoints.pin();
        if list.is_empty() && !*self.known.borrow() {
            let mut known = self.known.subscribe();
            // Too late is the same as no answer: there is nothing to pick from.
            let _ = tokio::time::timeout(patience, known.wait_for(|known| *known)).await;
            list = self.endpoints.pin();
        }
        self.pick_of(&list, session, tried)
    }

    /// The same of these addresses alone, whatever endpoints are known.
    pub(crate) fn pick_among(
        &self,
        addresses: &[SocketAddr],
        session: Option<(Session, Option<Duration>)>,
        tried: &[Arc<EndpointState>],
    ) -> Option<Picked> {
        let list = EndpointList::rebuild(&self.endpoints.pin(), addresses, &[], &self.pools);
        self.pick_of(&list, session, tried)
    }

    /// Picks in place of an endpoint that cannot be taken; none if something is against all.
    pub(crate) fn pick_instead(&self, is_out: impl Fn(&EndpointState) -> bool) -> Option<Picked> {
        instead(&self.endpoints.pin(), is_out).map(Picked::this)
    }

    fn pick_of(
        &self,
        list: &EndpointList,
        session: Option<(Session, Option<Duration>)>,
        tried: &[Arc<EndpointState>],
    ) -> Option<Picked> {
        let kept = session.filter(|_| tried.is_empty()).and_then(|(session, limit)| session.endpoint(list, limit));
        kept.or_else(|| pick(list, self.state.pin().spec.balance, &self.turn, tried)).map(Picked::this)
    }
}
