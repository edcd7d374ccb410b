//! Requests that are passed on: those in absolute-form (RFC 9112 section 3.2.2), and those inside tunnels.
//!
//! ```text
//! absolute, inside ── what is asked for
//!   └ decided ── whether it may leave
//!       └ Outgoing: a connection that waits or a new one ── the request as it is sent ── its answer
//! ```

mod connection;
mod decided;
mod message;
mod outgoing;

use super::answer::{or_login, refuse};
use super::upgrade;
use super::{Desk, Inside, InsideTls, Version};
use crate::egress::body::{Body, Upload, UploadBounds, down, late, ours, over, up};
use crate::egress::refused::Refused;
use crate::egress::who::Client;
use decided::{Answered, decided};
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use lychgate_egress::target::{AbsoluteTarget, Target};
use lychgate_telemetry::Reason;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// A request, as it is passed on.
struct Passed<'a> {
    client: Client,
    target: Target,
    /// Whether the client wants the gate to speak TLS.
    is_https: bool,
    path_and_query: String,
    tls: Option<&'a InsideTls>,
    inside: Option<&'a Inside>,
}

/// A request to a proxy.
pub(super) async fn absolute(desk: &Arc<Desk>, request: Request<Incoming>) -> Response<Body> {
    let asked = || {
        let uri = request.uri();
        if uri.scheme().is_none() {
            let said = "this is a proxy: ask it with CONNECT, or for a whole URL";
            return Err(Refused::new(Reason::BadRequest, said));
        }
        let text = uri.to_string();
        let AbsoluteTarget { is_https, target, path_and_query } = AbsoluteTarget::parse(&text)
            .map_err(|error| Refused::new(Reason::BadRequest, format!("no URL: {error}")))?;
        let (_, gate) = desk.guest.gate()?;
        let client = desk.client(&gate, request.headers())?;
        let path_and_query = path_and_query.to_owned();
        Ok(Passed { client, target, is_https, path_and_query, tls: None, inside: None })
    };
    match asked() {
        Ok(passed) => pass(desk, passed, request).await,
        Err(refused) => {
            let source = desk.guest.source_of(&desk.guest.client);
            refuse(&mut desk.guest.record(source, desk.version.name()), &refused)
        }
    }
}

/// A request inside a tunnel.
pub(super) async fn inside(desk: &Arc<Desk>, inside: &Inside, request: Request<Incoming>) -> Response<Body> {
    if request.method() == Method::CONNECT {
        let source = desk.guest.source_of(&inside.client);
        let refused = Refused::new(Reason::NoTunnel, "a tunnel inside a tunnel cannot be decided about");
        return refuse(&mut desk.guest.record(source, desk.version.name()), &refused);
    }
    let path_and_query = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    let passed = Passed {
        client: inside.client.clone(),
        target: inside.target.clone(),
        is_https: false,
        path_and_query,
        tls: inside.tls.as_ref(),
        inside: Some(inside),
    };
    pass(desk, passed, request).await
}

async fn pass(desk: &Arc<Desk>, passed: Passed<'_>, request: Request<Incoming>) -> Response<Body> {
    // From before it is decided: what changes until a request has become something else counts as well.
    let changes = desk.guest.engine.gates_changed();
    let moment = match desk.guest.moment(&passed.client) {
        Ok(moment) => moment,
        Err(refused) => {
            return refuse(&mut desk.guest.record(lychgate_egress::Source::Unknown, desk.version.name()), &refused);
        }
    };
    let mut record = desk.guest.record(moment.source.clone(), desk.version.name());
    let (parts, body) = request.into_parts();
    let upload = desk.upload(&parts.headers);
    let until = desk.guest.limits().request.and_then(|whole| Instant::now().checked_add(whole));
    let mut body = Some(up(body, record.tally().clone(), upload.clone(), desk.activity.run()));
    let decided = decided(desk, &moment, passed, parts, (&mut body, &upload), &mut record);
    let decided = match until {
        Some(until) => timeout_at(until, decided).await.unwrap_or_else(|_| Err(late())),
        None => decided.await,
    };
    upload.answered();
    match decided {
        Ok(Answered { response, upgrade }) => {
            record.answered(response.status().as_u16());
            let (parts, body) = response.into_parts();
            match upgrade {
                Some(upgrade) => {
                    upgrade::carry(desk, &desk.guest, *upgrade, changes, record);
                    Response::from_parts(parts, ours(String::new()))
                }
                None => Response::from_parts(parts, down(body, record, upload, until)),
            }
        }
        Err(refused) => {
            let refused = upload.refused().unwrap_or(refused);
            let answer = refuse(&mut record, &or_login(refused, &moment.gate, &moment.source));
            match body {
                Some(body) => answer.map(|said| over(said, body, desk.guest.limits().linger)),
                None => answer,
            }
        }
    }
}

impl Desk {
    /// What a client may do with a body. Where calls go both ways it listens as well.
    fn upload(&self, headers: &HeaderMap) -> Arc<Upload> {
        let limits = self.guest.limits();
        let kind = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
        let (before, after) = match (self.version, kind.starts_with(b"application/grpc")) {
            (Version::Http1, _) => (limits.client_idle, limits.client_idle),
            (Version::Http2, false) => (limits.client_idle, limits.stream_idle),
            (Version::Http2, true) => (limits.stream_idle, limits.stream_idle),
        };
        Upload::new(UploadBounds { before, after, most: limits.body })
    }
}
