//! One connection of a TLSRoute or TCPRoute.

use super::record::Record;
use super::relay::{BrokenOff, End, relay};
use super::{Failure, StreamState};
use crate::limits::Limits;
use crate::proxy_protocol::{self, Ends};
use crate::upstream::{BackendCell, EndpointState, NotConnected, Open, Picked, Reach, connect};
use lychgate_ir::CertificateId;
use lychgate_telemetry::{ConnectFailure, Direction, Reason};
use std::io;
use std::sync::Arc;

/// Endpoints that are tried for one connection.
const TRIES: usize = 3;

/// What a stream needs to know.
pub(crate) struct Streams<'a> {
    pub(crate) limits: &'a Limits,
    /// What the Gateway presents to backends.
    pub(crate) identity: Option<&'a CertificateId>,
    pub(crate) ends: Ends,
    /// Whether what the client sends is TLS that nobody here has read: backends get it as it is, whatever policy they
    /// have, since they could not make sense of TLS within TLS.
    pub(crate) sealed: bool,
}

/// A connection to an endpoint, counted as one for as long as it is held.
struct Connected {
    upstream: connect::Upstream,
    _picked: Picked,
    _open: Open,
}

impl Streams<'_> {
    /// Carries a client's connection to a backend of the route, until it ends.
    pub(crate) async fn carry(&self, client: impl End, route: &Arc<StreamState>, mut record: Record) {
        record.routed(route);
        let upstream = match self.reach(route, &mut record).await {
            Ok(upstream) => upstream,
            Err(Failure { reason, detail }) => return record.refused(reason, detail),
        };
        let Some(meter) = record.meter().cloned() else { return };
        let Connected { upstream, _picked, _open } = upstream;
        match relay(client, upstream, self.limits.stream_idle, &*meter).await {
            Ok(()) => record.done(),
            Err(BrokenOff::Silent) => record.failed(Reason::Idle, "nothing was said for too long"),
            Err(BrokenOff::By(Direction::Up, error)) => record.failed(Reason::Aborted, error.to_string()),
            Err(BrokenOff::By(Direction::Down, error)) => record.failed(Reason::UpstreamError, error.to_string()),
        }
    }

    /// Chooses a backend of the route, and connects to it.
    async fn reach(&self, route: &StreamState, record: &mut Record) -> Result<Connected, Failure> {
        let backend = route.backend().map_err(|refusal| Failure::refused(&refusal))?;
        record.goes_to(&backend);
        self.connect(&backend, record).await
    }

    /// The first endpoint that can be connected to. Nothing of the client's has been sent yet, so another is as good.
    async fn connect(&self, backend: &Arc<BackendCell>, record: &mut Record) -> Result<Connected, Failure> {
        let mut tried: Vec<Arc<EndpointState>> = Vec::new();
        let mut last = None;
        while tried.len() < TRIES {
            let Some(picked) = backend.pick(None, &tried, self.limits.resolve).await else { break };
            if tried.iter().any(|endpoint| endpoint.address == picked.endpoint().address) {
                break;
            }
            let state = backend.state();
            let reach = match self.sealed {
                true => &Reach::Plain,
                false => state.reach(self.identity).ok_or_else(|| Failure {
                    reason: Reason::Internal,
                    detail: format!("{} was not compiled for this identity", backend.id),
                })?,
            };
            let tls = match reach {
                Reach::Plain => None,
                Reach::Tls(tls) => Some(&**tls),
                Reach::Refused(refusal) => return Err(Failure::refused(refusal)),
            };
            let address = picked.endpoint().address;
            record.attempt(address);
            let header = state.spec.proxy_protocol.map(|version| proxy_protocol::header(version, self.ends));
            let connecting = connect::stream(address, tls, header.as_deref());
            let connecting = tokio::time::timeout(self.limits.connect, connecting).await;
            let late = || NotConnected {
                why: ConnectFailure::Timeout,
                error: io::Error::new(io::ErrorKind::TimedOut, format!("no connection to {address} in time")),
            };
            match connecting.map_err(|_| late()).flatten() {
                Ok(upstream) => {
                    record.connected();
                    return Ok(Connected { upstream, _picked: picked, _open: Open::new(&backend.metrics) });
                }
                Err(NotConnected { why, error }) => {
                    backend.metrics.not_connected(why);
                    tracing::warn!(backend = %backend.id, endpoint = %address, %error, "endpoint cannot be connected to");
                    last = Some(Failure { reason: why.reason(), detail: error.to_string() });
                }
            }
            tried.push(picked.endpoint().clone());
        }
        Err(last.unwrap_or_else(|| Failure::no_endpoint(backend)))
    }
}
