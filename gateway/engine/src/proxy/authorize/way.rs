//! Where one question goes: to an endpoint of the service, or out of an egress Gateway, if it may leave.

use super::super::Gateway;
use super::Inquiry;
use super::call::Broken;
use crate::egress::{Leaving, Refused, Wanted};
use crate::upstream::{BackendState, EndpointState, Offer, Picked, Reach, peer};
use lychgate_telemetry::ConnectFailure;
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An endpoint, and what was decided about the question.
pub(super) struct Way {
    picked: Picked,
    pub(super) offer: Offer,
    pub(super) leaving: Option<Box<Leaving>>,
}

impl Gateway {
    /// Finds an endpoint for a question, as it will be sent.
    pub(super) async fn way(
        &self,
        inquiry: &Inquiry<'_>,
        offer: Offer,
        head: &RequestHeader,
        tried: &[Arc<EndpointState>],
        end: Instant,
    ) -> Result<Way, Broken> {
        let service = inquiry.service;
        let (picked, leaving) = match &inquiry.leaver {
            None => {
                let patience = end.saturating_duration_since(Instant::now()).min(self.authorizer.resolve);
                (service.pick(None, tried, patience).await, None)
            }
            Some(leaver) => {
                let wanted = Wanted { head, backend: service, offer, session: None, tried };
                let leaving = Box::pin(leaver.leave(wanted)).await;
                let mut leaving = leaving.map_err(|Refused { detail, .. }| Broken::late(detail))?;
                (leaving.endpoint(), Some(Box::new(leaving)))
            }
        };
        let picked = picked.ok_or_else(|| {
            service.metrics.not_connected(ConnectFailure::NoEndpoint);
            Broken::late("it has no ready endpoint")
        })?;
        Ok(Way { picked, offer, leaving })
    }
}

impl Way {
    pub(super) fn endpoint(&self) -> &Arc<EndpointState> {
        self.picked.endpoint()
    }

    /// Whether the question goes over TLS.
    pub(super) fn is_tls(&self, reach: &Reach) -> bool {
        self.leaving.as_ref().map_or(matches!(reach, Reach::Tls(_)), |leaving| leaving.is_tls())
    }

    /// What a limit has against it, or any address that it could leave from, wherever else it is asked.
    pub(super) fn limited_elsewhere(&self) -> Option<Refused> {
        self.leaving.as_ref()?.limited_elsewhere()
    }

    /// How it is reached.
    pub(super) async fn peer(
        &self,
        inquiry: &Inquiry<'_>,
        state: &Arc<BackendState>,
        reach: &Reach,
        connect: Duration,
    ) -> pingora_error::Result<HttpPeer> {
        match &self.leaving {
            Some(leaving) => Ok(leaving.peer(inquiry.service, self.endpoint(), connect)),
            None => {
                peer(inquiry.service, state, reach, self.endpoint().address, self.offer, connect, &inquiry.client).await
            }
        }
    }

    /// There is a connection; an error if another one has got its place meanwhile.
    pub(super) async fn connected(
        &mut self,
        digest: Option<&Digest>,
        head: &mut RequestHeader,
    ) -> pingora_error::Result<()> {
        if let Some(leaving) = &mut self.leaving {
            leaving.connected(digest).await?;
            leaving.edit(head);
        }
        Ok(())
    }
}
