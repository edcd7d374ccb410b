//! An attempt at a request that may leave.

use super::exit::{Exit, ExitTls};
use super::leaver::Leaver;
use crate::egress::record::Record;
use crate::egress::refused::Refused;
use crate::egress::tunnel::later::denies;
use crate::stream::Counts;
use crate::upstream::{BackendCell, EndpointState, Picked, leaving_peer};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use lychgate_egress::Source;
use lychgate_telemetry::{Direction, Reason};
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// It may leave. What becomes of it is told when this is dropped.
pub(crate) struct Leaving {
    leaver: Leaver,
    record: Record,
    exit: Arc<Exit>,
    picked: Option<Picked>,
    credential: Option<(HeaderName, HeaderValue)>,
    /// A policy that came later denies it.
    denied: Arc<OnceLock<Refused>>,
}

impl Leaving {
    pub(super) fn new(
        leaver: Leaver,
        record: Record,
        exit: Exit,
        picked: Picked,
        credential: Option<(HeaderName, HeaderValue)>,
    ) -> Self {
        Self { leaver, record, exit: Arc::new(exit), picked: Some(picked), credential, denied: Arc::default() }
    }

    /// Where it goes, counted as one that is busy there; once.
    pub(crate) fn endpoint(&mut self) -> Option<Picked> {
        self.picked.take()
    }

    /// Whether it leaves over TLS of the gate's.
    pub(crate) fn is_tls(&self) -> bool {
        match &self.exit.tls {
            ExitTls::None => false,
            ExitTls::OfBackend(_) | ExitTls::OfRule(..) => true,
        }
    }

    /// How Pingora reaches it.
    pub(crate) fn peer(&self, backend: &BackendCell, endpoint: &EndpointState, connect: Duration) -> HttpPeer {
        let Exit { version, .. } = &*self.exit;
        leaving_peer(self.exit.clone(), self.exit.key(), endpoint.address, *version, connect, &backend.metrics)
    }

    /// What the rule adds that allows it.
    pub(crate) fn edit(&self, head: &mut RequestHeader) {
        if let Some((name, value)) = &self.credential {
            // Fails only for names and values that do not parse; these have.
            let _ = head.insert_header(name.clone(), value.clone());
        }
    }

    pub(crate) fn connected(&mut self) {
        self.record.connected();
    }

    pub(crate) fn carried(&self, direction: Direction, piece: Option<&Bytes>) {
        if let Some(piece) = piece {
            self.record.tally().carried(direction, piece.len() as u64);
        }
    }

    /// No request any more, but a connection: it ends when policies have changed so that they deny it.
    pub(crate) fn denied_later(&self) -> impl Future<Output = ()> + Send + 'static {
        let (leaver, exit, denied) = (self.leaver.clone(), self.exit.clone(), self.denied.clone());
        let source: Source = self.record.source().clone();
        async move {
            let gates = leaver.gates.clone();
            let gate = || leaver.live.pin().gates.get(leaver.gateway()).cloned();
            let refused = denies(gate, &source, gates, &exit.passage, &exit.way).await;
            // The first one stays.
            let _ = denied.set(refused.because("a policy that has changed denies it now"));
        }
    }

    /// It ended as both ends wanted, with this answer.
    pub(crate) fn done(mut self, status: Option<u16>) {
        status.into_iter().for_each(|status| self.record.answered(status));
        self.record.done();
    }

    /// It ended before its end.
    pub(crate) fn failed(mut self, status: Option<u16>, reason: Reason, detail: &str) {
        status.into_iter().for_each(|status| self.record.answered(status));
        self.record.failed(reason, detail);
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(refused) = self.denied.get() {
            self.record.refused(refused);
        }
    }
}
