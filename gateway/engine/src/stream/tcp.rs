//! One connection of a TLSRoute or TCPRoute.

use super::StreamState;
use super::relay::{Carried, relay};
use crate::limits::Limits;
use crate::proxy_protocol::{self, Ends};
use crate::upstream::{BackendCell, EndpointState, Picked, Reach, connect};
use lychgate_ir::CertificateId;
use lychgate_telemetry::StreamMetrics;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Endpoints that are tried for one connection.
const TRIES: usize = 3;

/// What a stream needs to know.
pub(crate) struct Streams<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) metrics: &'a StreamMetrics,
    /// What the Gateway presents to backends.
    pub(crate) identity: Option<&'a CertificateId>,
    pub(crate) ends: Ends,
    /// Whether what the client sends is TLS that nobody here has read: backends get it as it is, whatever policy they
    /// have, since they could not make sense of TLS within TLS.
    pub(crate) sealed: bool,
}

/// Counts a connection for as long as it lives, however it ends.
struct Counted<'a>(&'a StreamMetrics);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.closed();
    }
}

impl Streams<'_> {
    /// Carries a client's connection to a backend of the route, until it ends.
    pub(crate) async fn carry(&self, client: impl AsyncRead + AsyncWrite + Unpin, route: &StreamState) {
        self.metrics.opened();
        let _counted = Counted(self.metrics);
        match self.try_carry(client, route).await {
            Ok(Carried { up, down }) => {
                tracing::debug!(rule = %route.id, peer = %self.ends.source, up, down, "stream done")
            }
            Err(error) => tracing::debug!(rule = %route.id, peer = %self.ends.source, %error, "stream ended"),
        }
    }

    async fn try_carry(&self, client: impl AsyncRead + AsyncWrite + Unpin, route: &StreamState) -> io::Result<Carried> {
        let backend = route.backend().map_err(|refusal| {
            self.metrics.refused();
            tracing::warn!(rule = %route.id, reason = %refusal.reason, detail = %refusal.message, "stream refused");
            io::Error::other(refusal.message.to_string())
        })?;
        let (upstream, picked) = self.connect(&backend).await.inspect_err(|_| self.metrics.refused())?;
        let carried = relay(client, upstream, self.limits.stream_idle, self.metrics).await;
        drop(picked);
        carried
    }

    /// The first endpoint that can be connected to. Nothing of the client's has been sent yet, so another is as good.
    async fn connect(&self, backend: &BackendCell) -> io::Result<(connect::Upstream, Picked)> {
        let mut tried: Vec<Arc<EndpointState>> = Vec::new();
        let mut last = io::Error::other(format!("{} has no ready endpoint", backend.id));
        while tried.len() < TRIES {
            let Some(picked) = backend.pick(None, &tried, self.limits.resolve).await else { break };
            if tried.iter().any(|endpoint| endpoint.address == picked.endpoint().address) {
                break;
            }
            let state = backend.state();
            let reach = match self.sealed {
                true => &Reach::Plain,
                false => state
                    .reach(self.identity)
                    .ok_or_else(|| io::Error::other(format!("{} was not compiled for this identity", backend.id)))?,
            };
            if let Reach::Refused(refusal) = reach {
                return Err(io::Error::other(refusal.message.to_string()));
            }
            let address = picked.endpoint().address;
            let header = state.spec.proxy_protocol.map(|version| proxy_protocol::header(version, self.ends));
            let connecting = connect::stream(address, reach, header.as_deref());
            match tokio::time::timeout(self.limits.connect, connecting).await {
                Ok(Ok(upstream)) => return Ok((upstream, picked)),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("no connection to {address} in time")),
            }
            tracing::warn!(backend = %backend.id, error = %last, "endpoint cannot be connected to");
            tried.push(picked.endpoint().clone());
        }
        Err(last)
    }
}
