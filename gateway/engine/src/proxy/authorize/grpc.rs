//! Services that speak gRPC: Envoy's `envoy.service.auth.v3.Authorization`, whose messages are public.

mod answer;
mod attributes;
mod frame;
mod message;

use super::super::{Gateway, RequestContext};
use super::Inquiry;
use super::call::{Broken, Reply};
use crate::upstream::{EndpointState, Offer};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use lychgate_filters::external_auth::Answer;
use lychgate_ir::filter::AuthHeaders;
use lychgate_ir::{BackendTls, Resolution};
use message::{CheckRequest, CheckResponse};
use pingora_http::RequestHeader;
use prost::Message;
use std::sync::Arc;
use std::time::Instant;

const CHECK: &[u8] = b"/envoy.service.auth.v3.Authorization/Check";

impl Gateway {
    pub(super) async fn ask_grpc(
        &self,
        ctx: &mut RequestContext,
        inquiry: &Inquiry<'_>,
        tried: &[Arc<EndpointState>],
        sees: &AuthHeaders,
        end: Instant,
    ) -> Result<Answer, Broken> {
        let question = CheckRequest { attributes: Some(attributes::of(ctx, inquiry, sees)) };
        let head = head(inquiry, end).map_err(|error| Broken::late(error.to_string()))?;
        let body = frame::write(&question.encode_to_vec());
        let way = self.way(inquiry, Offer::Http2, &head, tried, end).await?;
        let reply = self.call(ctx, inquiry, way, head, body).await?;
        let message = message_of(reply).map_err(Broken::late)?;
        let response = CheckResponse::decode(message.as_slice())
            .map_err(|error| Broken::late(format!("its answer cannot be read: {error}")))?;
        answer::read(response).map_err(Broken::late)
    }
}

/// The head of the call. It is not about the host of the request, which the message has.
fn head(inquiry: &Inquiry<'_>, end: Instant) -> pingora_error::Result<RequestHeader> {
    let mut head = RequestHeader::build(Method::POST, CHECK, Some(8))?;
    let state = inquiry.service.state();
    let authority = match (&state.spec.tls, &state.spec.resolution) {
        (BackendTls::Tls(tls), _) => tls.hostname.to_string(),
        (BackendTls::Plain | BackendTls::Broken(_), Resolution::Dns { hostname, port: _ }) => hostname.to_string(),
        (BackendTls::Plain | BackendTls::Broken(_), Resolution::Endpoints) => {
            let name = &inquiry.service.id.name;
            format!("{}.{}", name.name, name.namespace)
        }
    };
    head.insert_header(HOST, authority)?;
    head.insert_header(CONTENT_TYPE, "application/grpc")?;
    head.insert_header("grpc-timeout", format!("{}m", end.saturating_duration_since(Instant::now()).as_millis()))?;
    Ok(head)
}

/// The message of a good answer, or why it is not good.
fn message_of(reply: Reply) -> Result<Vec<u8>, String> {
    let Reply { status, headers, body, trailers, is_http2 } = reply;
    if !is_http2 || status != StatusCode::OK {
        return Err(format!("it answered {}, which is not gRPC", status.as_u16()));
    }
    // One that has nothing to say says its status in the head.
    let said = |map: &HeaderMap| map.get("grpc-status").map(HeaderValue::as_bytes).map(<[u8]>::to_vec);
    match said(&trailers).or_else(|| said(&headers)) {
        Some(code) if code == b"0" => {}
        Some(code) => return Err(format!("it answered with grpc-status {}", String::from_utf8_lossy(&code))),
        None => return Err("it answered without a grpc-status".to_owned()),
    }
    frame::read(&body.ok_or("its answer is longer than is kept")?)
}
