//! A request on its way out, until its answer begins.

use super::super::Desk;
use super::super::fields::Named;
use super::Passed;
use crate::egress::body::{Body, ours};
use crate::egress::gate::Gate;
use crate::egress::limits::{Fare, Share};
use crate::egress::passage::{Passage, Way};
use crate::egress::record::Record;
use crate::egress::refused::Refused;
use http::Response;
use hyper::body::Incoming;
use lychgate_telemetry::Reason;
use std::pin::pin;
use tokio::time::timeout;

/// A request on its way out.
pub(super) struct Outgoing<'a> {
    pub(super) desk: &'a Desk,
    pub(super) gate: &'a Gate,
    pub(super) passage: &'a Passage,
    pub(super) passed: &'a Passed<'a>,
    /// The server that it names, as it was decided about.
    pub(super) named: Option<Named>,
    pub(super) path_and_query: String,
    pub(super) record: &'a mut Record,
    pub(super) fare: Fare,
}

impl Outgoing<'_> {
    /// Sends it, over another connection if the one that waited is closed.
    pub(super) async fn send(
        &mut self,
        parts: http::request::Parts,
        body: &mut Option<Body>,
    ) -> Result<(Response<Incoming>, Way), Refused> {
        loop {
            let (mut held, way, is_fresh) = self.connection().await?;
            self.record.takes(self.passage, &way).await?;
            self.record.carried_by(held.share.clone());
            self.record.connected();
            let request = self.request(&parts, &held, &way)?;
            let request = request.map(|()| body.take().unwrap_or_else(|| ours(String::new())));
            match self.in_time(held.sender.send(request), &way).await? {
                Ok(response) => {
                    // It is ready again when this response has ended.
                    self.desk.pool.keep(held);
                    return Ok((response, way));
                }
                // A connection that had been waiting was closed meanwhile, before anything was sent.
                Err((_, Some(back))) if !is_fresh => *body = Some(back.into_body()),
                Err((error, _)) => {
                    if let Some(exceeded) = held.share.as_ref().and_then(Share::ended) {
                        return Err(Refused::limited(&exceeded, &way.decision));
                    }
                    let said = "the destination broke off, or does not speak HTTP";
                    let refused = Refused::new(Reason::UpstreamError, said).because(error.to_string());
                    return Err(refused.after(&way.decision));
                }
            }
        }
    }

    /// Waits for an answer to begin, for as long as the destination is sent something or may be silent.
    async fn in_time<T>(&self, answer: impl Future<Output = T>, way: &Way) -> Result<T, Refused> {
        let (silence, tally) = (self.desk.guest.limits().stream_idle, self.record.tally());
        let mut answer = pin!(answer);
        loop {
            let sent = tally.sent();
            match timeout(silence, answer.as_mut()).await {
                Ok(answer) => return Ok(answer),
                Err(_) if tally.sent() == sent => {
                    let refused = Refused::new(Reason::Timeout, "the destination did not answer in time");
                    return Err(refused.after(&way.decision));
                }
                Err(_) => {}
            }
        }
    }
}
