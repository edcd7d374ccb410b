//! An attempt at a request that may leave.

use super::exit::{Exit, ExitTls, noted};
use super::leaver::Leaver;
use crate::egress::limits::InUse;
use crate::egress::record::Record;
use crate::egress::refused::Refused;
use crate::egress::tunnel::later::denies;
use crate::stream::Counts;
use crate::upstream::{BackendCell, EndpointState, Picked, leaving_peer};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, StatusCode, Version};
use lychgate_egress::Source;
use lychgate_telemetry::{Direction, Reason};
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType};
use pingora_http::{RequestHeader, ResponseHeader};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// It may leave. What becomes of it is told when this is dropped.
pub(crate) struct Leaving {
    leaver: Leaver,
    record: Record,
    exit: Arc<Exit>,
    picked: Option<Picked>,
    credential: Option<(HeaderName, HeaderValue)>,
    /// Its connection, where there are limits.
    in_use: Option<InUse>,
    /// Whether nothing but the end of the connection says where its answer ends.
    ends_with_connection: bool,
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
        Self {
            leaver,
            record,
            exit: Arc::new(exit),
            picked: Some(picked),
            credential,
            in_use: None,
            ends_with_connection: false,
            denied: Arc::default(),
        }
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

    /// It has this connection; an error if another one has got its place meanwhile.
    pub(crate) async fn connected(&mut self, digest: Option<&Digest>) -> pingora_error::Result<()> {
        if let Some(line) = noted(digest) {
            let Some(in_use) = line.enter() else {
                // Or the next attempt would be given the same again.
                line.closes().await;
                return Error::e_explain(ErrorType::ConnectionClosed, "another connection has its place");
            };
            self.record.carried_by(Some(line.share().clone()));
            self.in_use = Some(in_use);
        }
        self.record.connected();
        self.exit.connected();
        Ok(())
    }

    /// Whether it has a connection, as far as it is known here.
    pub(crate) fn is_connected(&self) -> bool {
        self.record.is_connected()
    }

    /// Its answer has begun.
    pub(crate) fn answered(&mut self, head: &ResponseHeader) {
        let has_frames = head.version == Version::HTTP_2
            || head.headers.contains_key(CONTENT_LENGTH)
            || head.headers.contains_key(TRANSFER_ENCODING);
        self.ends_with_connection = !has_frames;
    }

    /// What a limit of its rule has against it, or why it has ended; or that there is no address that it may leave from.
    pub(crate) fn limited(&self) -> Option<Refused> {
        let ended = || {
            let exceeded = self.in_use.as_ref()?.share().ended()?;
            Some(Refused::limited(&exceeded, &self.exit.way.decision))
        };
        self.exit.limited.get().cloned().or_else(ended)
    }

    /// The same, where another attempt would fare no better: to another endpoint there may be an address to leave from.
    pub(crate) fn limited_elsewhere(&self) -> Option<Refused> {
        self.limited().filter(|refused| !refused.is_absent() || !self.exit.has_others)
    }

    /// What has ended it, where the end of an answer says no more than that its connection has ended.
    pub(crate) fn cut(&self) -> Option<Refused> {
        self.limited().filter(|_| self.ends_with_connection)
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
        match self.limited() {
            // What a request became ends with its connection.
            Some(Refused { reason, detail, .. }) if status == Some(StatusCode::SWITCHING_PROTOCOLS.as_u16()) => {
                self.record.failed(reason, detail);
            }
            Some(_) | None => self.record.done(),
        }
    }

    /// It ended before its end.
    pub(crate) fn failed(mut self, status: Option<u16>, reason: Reason, detail: &str) {
        status.into_iter().for_each(|status| self.record.answered(status));
        self.record.failed(reason, detail);
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(refused) = self.denied.get().or(self.exit.limited.get()) {
            self.record.refused(refused);
        }
    }
}
