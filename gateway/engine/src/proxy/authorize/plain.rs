//! Services that speak HTTP: they get a request like the one that is asked about.

use super::super::head::PingoraRequest;
use super::super::{Gateway, RequestContext};
use super::Inquiry;
use super::call::{Broken, Reply};
use crate::upstream::{EndpointState, Offer};
use lychgate_filters::external_auth::{Answer, Question, http_answer};
use lychgate_ir::filter::HttpAuth;
use pingora_http::RequestHeader;
use std::sync::Arc;
use std::time::Instant;

impl Gateway {
    pub(super) async fn ask_http(
        &self,
        ctx: &mut RequestContext,
        inquiry: &Inquiry<'_>,
        tried: &[Arc<EndpointState>],
        auth: &HttpAuth,
        end: Instant,
    ) -> Result<Answer, Broken> {
        let mut head = inquiry.head.clone();
        let question = Question::of(auth, &PingoraRequest(&mut head), inquiry.body.len());
        let head = as_request(question).map_err(|error| Broken::late(error.to_string()))?;
        let way = self.way(inquiry, Offer::All, &head, tried, end).await?;
        let Reply { status, headers, body, trailers: _, is_http2: _ } =
            self.call(ctx, inquiry, way, head, inquiry.body.clone()).await?;
        if self.is_too_long(&headers) {
            return Err(Broken::late("the head of its answer is over the limit"));
        }
        Ok(http_answer(auth, status, &headers, body))
    }
}

fn as_request(question: Question) -> pingora_error::Result<RequestHeader> {
    let Question { method, target, headers } = question;
    let mut request = RequestHeader::build(method, target.as_bytes(), Some(headers.len() + 4))?;
    for (name, value) in &headers {
        request.append_header(name.clone(), value.clone())?;
    }
    Ok(request)
}
