//! Answers to HTTP requests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::body::{Broken, EchoBody, Mirrored, Script, Step, empty, pattern_slices};
use crate::connection::Connection;
use crate::journal::{BodyMeter, BodySeen, Kind, Ticket};
use crate::knobs::{Abort, Content, KnobError, Knobs, Trouble, wants};
use crate::limits::MAX_BODY;
use crate::report::{EchoReport, by_canonical_name};
use crate::server::Shared;
use crate::{conformance, grpc, websocket};

const POD: HeaderName = HeaderName::from_static("x-echo-pod");
const TRAILER: HeaderName = HeaderName::from_static("x-echo-trailer");
const TRAILER_BYTES: HeaderName = HeaderName::from_static("x-echo-body-bytes");

/// How long `abort=body` lets what was sent go out: an HTTP/2 reset overtakes data that is still queued.
const FLUSH: Duration = Duration::from_millis(20);

/// A request on its way to an answer.
pub(crate) struct Exchange {
    pub(crate) server: Arc<Shared>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) ticket: Ticket,
    pub(crate) knobs: Knobs,
}

/// Answers one request. An error ends the stream (HTTP/2) or the connection (HTTP/1.1) without an answer.
pub(crate) async fn answer(
    server: Arc<Shared>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<EchoBody>, Broken> {
    let kind = kind(&request);
    let report = EchoReport::new(&request, server.journal.next_number(), &connection, &server.identity);
    let ticket = server.journal.request(kind, report);
    let (knobs, wrong) = match wishes(&server, &request, kind) {
        Ok(knobs) => (knobs, None),
        Err(wrong) => (Knobs::default(), Some(wrong)),
    };
    let exchange = Exchange { server, connection, ticket, knobs };
    if let Some(wrong) = wrong {
        return Ok(exchange.refuse(StatusCode::BAD_REQUEST, &wrong.to_string()));
    }
    match kind {
        Kind::Grpc => grpc::answer(exchange, request).await,
        Kind::WebSocket if exchange.knobs.trouble.status.is_none() => websocket::answer(exchange, request).await,
        Kind::WebSocket | Kind::Http => exchange.plain(request).await,
    }
}

fn kind<B>(request: &Request<B>) -> Kind {
    if grpc::is_call(request) {
        Kind::Grpc
    } else if websocket::is_handshake(request) {
        Kind::WebSocket
    } else {
        Kind::Http
    }
}

/// Parses what the request asks for, and decides whether it is one of those that fail.
fn wishes<B>(server: &Shared, request: &Request<B>, kind: Kind) -> Result<Knobs, KnobError> {
    let mut knobs = Knobs::parse(request.uri(), request.headers())?;
    conformance::apply(request.uri(), request.headers(), &mut knobs)?;
    for gate in [&knobs.trouble.hold, &knobs.hold_body].into_iter().flatten() {
        if !server.gates.admits(gate) {
            return Err(wants("hold", gate, "a gate that is known, for there are too many"));
        }
    }
    if let Some(fail) = &knobs.fail {
        let attempt = server.attempts.next(&fail.key);
        let attempt = attempt.map_err(|_| wants("key", &fail.key, "a key that is known, for there are too many"))?;
        let trouble = &mut knobs.trouble;
        if attempt > fail.times {
            *trouble = Trouble::default();
        } else if trouble.abort.is_none() && trouble.status.is_none() && trouble.grpc_status.is_none() {
            match kind {
                Kind::Grpc => trouble.grpc_status = Some(grpc::UNAVAILABLE),
                Kind::Http | Kind::WebSocket => trouble.status = Some(StatusCode::SERVICE_UNAVAILABLE),
            }
        }
    }
    Ok(knobs)
}

/// Why a body was not read.
pub(crate) enum Unread {
    TooLong,
    Broken(Broken),
}

/// Reads a body of at most `most` bytes; `keep` sees each piece.
pub(crate) async fn read_body(
    mut incoming: Incoming,
    most: u64,
    mut keep: impl FnMut(&Bytes),
) -> Result<BodySeen, Unread> {
    let mut meter = BodyMeter::default();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Unread::Broken(error.into()))?;
        if let Some(data) = frame.data_ref() {
            meter.data(data);
            if meter.size() > most {
                return Err(Unread::TooLong);
            }
            keep(data);
        }
        if let Some(trailers) = frame.trailers_ref() {
            meter.trailers(trailers);
        }
    }
    Ok(meter.seen())
}

impl Exchange {
    async fn plain(mut self, request: Request<Incoming>) -> Result<Response<EchoBody>, Broken> {
        let (head, incoming) = request.into_parts();
        if head.method == Method::CONNECT {
            return Ok(self.refuse(StatusCode::METHOD_NOT_ALLOWED, "an echo server is no proxy"));
        }
        if self.knobs.content == Content::Request {
            self.trouble().await?;
            return Ok(self.mirror(&head.headers, incoming));
        }
        let mut report = self.ticket.report().clone();
        if self.knobs.read {
            let seen = match read_body(incoming, MAX_BODY, |_| ()).await {
                Ok(seen) => seen,
                Err(Unread::Broken(broken)) => return Err(broken),
                Err(Unread::TooLong) => {
                    return Ok(self.refuse(StatusCode::PAYLOAD_TOO_LARGE, "more than 64 MiB; ?echo=body has no limit"));
                }
            };
            report.body_bytes = Some(seen.size);
            report.trailers = by_canonical_name(&seen.trailers);
            self.ticket.body_read(seen);
        }
        self.trouble().await?;
        let (kind, content) = match self.knobs.content {
            Content::Pattern(size) => ("application/octet-stream", Material::Pattern(size)),
            Content::Report | Content::Request => ("application/json", Material::Text(json(&report))),
        };
        Ok(self.send(&head.method, head.version, kind, &content))
    }

    /// Goes through what the request asks for before the headers.
    pub(crate) async fn trouble(&mut self) -> Result<(), Broken> {
        if let Some(gate) = &self.knobs.trouble.hold {
            self.server.gates.pass(gate).await;
        }
        if !self.knobs.trouble.delay.is_zero() {
            tokio::time::sleep(self.knobs.trouble.delay).await;
        }
        match self.knobs.trouble.abort {
            Some(Abort::Close) => {
                self.ticket.aborted();
                Err(Broken::Asked)
            }
            Some(Abort::Reset) => {
                self.ticket.aborted();
                self.connection.fuse.reset();
                // The connection's own task ends it, and this request with it.
                std::future::pending().await
            }
            Some(Abort::Body) | None => Ok(()),
        }
    }

    fn status(&self) -> StatusCode {
        self.knobs.trouble.status.unwrap_or_default()
    }

    /// The head of every answer: who answers, and what the request wants to see there.
    pub(crate) fn head(&self, status: StatusCode, content_type: Option<HeaderValue>) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = status;
        let fields = response.headers_mut();
        if let Some(content_type) = content_type {
            fields.insert(header::CONTENT_TYPE, content_type);
        }
        if let Ok(pod) = HeaderValue::from_str(&self.server.identity.pod)
            && !pod.is_empty()
        {
            fields.insert(POD, pod);
        }
        let mut asked = HeaderMap::new();
        for (name, value) in &self.knobs.headers {
            asked.append(name, value.clone());
        }
        // Of a name, all values that were asked for, and ours no more.
        fields.extend(asked);
        response
    }

    fn mirror(self, request: &HeaderMap, incoming: Incoming) -> Response<EchoBody> {
        let content_type = request.get(header::CONTENT_TYPE).cloned();
        let mut response = self.head(self.status(), content_type);
        // HTTP/1.1 sends only trailers that were announced.
        let announced = request.get(header::TRAILER).cloned().into_iter();
        let ours = self.knobs.trailers.then(|| HeaderValue::from_static("x-echo-trailer"));
        for value in announced.chain(ours) {
            response.headers_mut().append(header::TRAILER, value);
        }
        let trailers = self.knobs.trailers.then(|| HeaderMap::from_iter([(TRAILER, HeaderValue::from_static("done"))]));
        response.map(|()| Mirrored::new(incoming, self.ticket, trailers).boxed_unsync())
    }

    fn send(
        mut self,
        method: &Method,
        version: Version,
        content_type: &'static str,
        content: &Material,
    ) -> Response<EchoBody> {
        let status = self.status();
        let mut response = self.head(status, Some(HeaderValue::from_static(content_type)));
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
        if bodiless || method == Method::HEAD {
            self.ticket.answered();
            if !bodiless {
                response.headers_mut().insert(header::CONTENT_LENGTH, content.size().into());
            }
            return response.map(|()| empty());
        }
        let declared = (self.knobs.chunks == 1 && !self.knobs.trailers) || version == Version::HTTP_10;
        let declared = declared.then(|| content.size());
        if let Some(size) = declared {
            response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
        }
        if self.knobs.trailers {
            let announced = HeaderValue::from_static("x-echo-trailer, x-echo-body-bytes");
            response.headers_mut().insert(header::TRAILER, announced);
        }
        let steps = steps(&self.knobs, content);
        let Self { server, connection: _, ticket, knobs: _ } = self;
        response.map(|()| Script { server, ticket, steps, declared }.into_body())
    }

    /// Answers with a message in place of what was asked for.
    pub(crate) fn refuse(mut self, status: StatusCode, message: &str) -> Response<EchoBody> {
        let mut response = self.head(status, Some(HeaderValue::from_static("application/json")));
        let text = json(&serde_json::json!({ "message": message }));
        response.headers_mut().insert(header::CONTENT_LENGTH, text.len().into());
        self.knobs = Knobs::default();
        let Self { server, connection: _, ticket, knobs: _ } = self;
        let declared = Some(text.len() as u64);
        let steps = VecDeque::from([Step::Data(text)]);
        response.map(|()| Script { server, ticket, steps, declared }.into_body())
    }
}

fn json(value: &impl serde::Serialize) -> Bytes {
    match serde_json::to_vec_pretty(value) {
        Ok(text) => text.into(),
        // Only a map with keys that are no strings cannot be written, and there is none.
        Err(error) => format!("{{\"message\": \"{error}\"}}").into(),
    }
}

/// What a body is cut from.
enum Material {
    Text(Bytes),
    Pattern(u64),
}

impl Material {
    fn size(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Pattern(size) => *size,
        }
    }

    fn cut(&self, start: u64, size: u64) -> Vec<Bytes> {
        match self {
            Self::Pattern(_) => pattern_slices(start, size).collect(),
            Self::Text(text) => {
                let at = |place: u64| usize::try_from(place).map_or(text.len(), |place| place.min(text.len()));
                vec![text.slice(at(start)..at(start + size))]
            }
        }
    }
}

/// A body, cut into pieces, with what happens between them.
fn steps(knobs: &Knobs, content: &Material) -> VecDeque<Step> {
    let breaks = knobs.hold_body.is_some() || knobs.trouble.abort == Some(Abort::Body);
    let pieces = u64::from(knobs.chunks.max(if breaks { 2 } else { 1 }));
    let size = content.size();
    let mut steps = VecDeque::new();
    for piece in 0..pieces {
        if piece > 0 && !knobs.interval.is_zero() {
            steps.push_back(Step::Pause(knobs.interval));
        }
        if breaks && piece == pieces / 2 {
            if let Some(gate) = &knobs.hold_body {
                steps.push_back(Step::Hold(gate.clone()));
            }
            if knobs.trouble.abort == Some(Abort::Body) {
                steps.extend([Step::Pause(FLUSH), Step::Abort]);
                return steps;
            }
        }
        let (start, end) = (size * piece / pieces, size * (piece + 1) / pieces);
        steps.extend(content.cut(start, end - start).into_iter().filter(|data| !data.is_empty()).map(Step::Data));
    }
    if knobs.trailers {
        let sent = HeaderValue::from(size);
        let done = HeaderValue::from_static("done");
        steps.push_back(Step::Trailers(HeaderMap::from_iter([(TRAILER, done), (TRAILER_BYTES, sent)])));
    }
    steps
}
