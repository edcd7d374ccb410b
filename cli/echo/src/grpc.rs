//! gRPC over HTTP/2: the echo service of the Gateway API conformance suite, and a generic echo of any message.
//!
//! | method | kind | answer |
//! |---|---|---|
//! | `/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/Echo`, `…/EchoTwo` | unary | [`EchoResponse`] |
//! | `/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/EchoThree` | unary | UNIMPLEMENTED, as the suite wants it |
//! | `/lychgate.echo.v1.Echo/Unary` | unary | the message, whatever it is |
//! | `/lychgate.echo.v1.Echo/Collect` | client streams | after the last message, all of them as one |
//! | `/lychgate.echo.v1.Echo/Repeat` | server streams | the message, three times |
//! | `/lychgate.echo.v1.Echo/Stream` | both ways | every message as it comes, whatever it is |
//!
//! All else is UNIMPLEMENTED. Knobs come as metadata (`x-echo-grpc-status: 14`, `x-echo-delay: 1s`).

mod message;
mod wire;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
/// Encodes and decodes the messages.
pub use prost::Message;

pub use message::{Assertions, Context, EchoRequest, EchoResponse, Header, TlsAssertions};

use crate::body::{Broken, EchoBody, Mirrored, Script, Step, empty};
use crate::http::{Exchange, Unread, read_body};
use crate::knobs::Abort;
use crate::limits::MAX_GRPC_MESSAGE;

/// The service of the conformance suite.
pub const CONFORMANCE_SERVICE: &str = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho";
/// The service that echoes any message.
pub const SERVICE: &str = "lychgate.echo.v1.Echo";

/// How often `Repeat` answers.
const REPEATED: usize = 3;

/// The status of a call that may be tried again.
pub(crate) const UNAVAILABLE: u8 = 14;
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// Whether a request is a gRPC call (gRPC over HTTP/2: a POST with `application/grpc`, `+proto` or alike).
pub(crate) fn is_call<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = content_type.strip_prefix(b"application/grpc");
    request.method() == Method::POST && rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// A method that we have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rpc {
    Conformance,
    Unary,
    Collect,
    Repeat,
    Stream,
}

fn rpc(path: &str) -> Option<Rpc> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    match (service, method) {
        (CONFORMANCE_SERVICE, "Echo" | "EchoTwo") => Some(Rpc::Conformance),
        (SERVICE, "Unary") => Some(Rpc::Unary),
        (SERVICE, "Collect") => Some(Rpc::Collect),
        (SERVICE, "Repeat") => Some(Rpc::Repeat),
        (SERVICE, "Stream") => Some(Rpc::Stream),
        _ => None,
    }
}

/// How a call ended, if not well.
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

const INVALID_ARGUMENT: u8 = 3;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;

pub(crate) async fn answer(mut exchange: Exchange, request: Request<Incoming>) -> Result<Response<EchoBody>, Broken> {
    if request.version() != Version::HTTP_2 {
        return Ok(exchange.refuse(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "gRPC wants HTTP/2"));
    }
    let (head, incoming) = request.into_parts();
    let Some(rpc) = rpc(head.uri.path()) else {
        let failure = Failure::new(UNIMPLEMENTED, format!("no method {}", head.uri.path()));
        return Ok(fail(exchange, &failure));
    };
    if rpc == Rpc::Stream {
        exchange.trouble().await?;
        if let Some(response) = asked_to_fail(&mut exchange) {
            return Ok(response);
        }
        return Ok(stream(exchange, &head.headers, incoming));
    }
    let read = messages(&exchange, incoming).await?;
    let read = read.and_then(|body| {
        let message = if rpc == Rpc::Collect { wire::Framed::joined(body) } else { wire::Framed::only(body) };
        message.map_err(|error| Failure::new(INVALID_ARGUMENT, error.to_string()))
    });
    let message = match read {
        Ok(message) => message,
        Err(failure) => return Ok(fail(exchange, &failure)),
    };
    exchange.trouble().await?;
    if let Some(response) = asked_to_fail(&mut exchange) {
        return Ok(response);
    }
    match rpc {
        Rpc::Unary | Rpc::Collect => return Ok(reply(exchange, &head.headers, &message.framed(), 1)),
        Rpc::Repeat => return Ok(reply(exchange, &head.headers, &message.framed(), REPEATED)),
        Rpc::Conformance | Rpc::Stream => {}
    }
    if message.compressed {
        return Ok(fail(exchange, &Failure::new(UNIMPLEMENTED, "this method reads no compressed messages")));
    }
    match EchoRequest::decode(message.payload) {
        Ok(request) => {
            let response = EchoResponse::new(exchange.ticket.report(), request);
            let message = wire::Framed { compressed: false, payload: response.encode_to_vec().into() };
            Ok(reply(exchange, &HeaderMap::new(), &message.framed(), 1))
        }
        Err(error) => Ok(fail(exchange, &Failure::new(INVALID_ARGUMENT, format!("EchoRequest: {error}")))),
    }
}

/// Reads all that the client has to say.
async fn messages(exchange: &Exchange, incoming: Incoming) -> Result<Result<Bytes, Failure>, Broken> {
    let most = (MAX_GRPC_MESSAGE + wire::PREFIX) as u64;
    let mut whole = BytesMut::new();
    match read_body(incoming, most, |data| whole.extend_from_slice(data)).await {
        Ok(seen) => exchange.ticket.body_read(seen),
        Err(Unread::Broken(broken)) => return Err(broken),
        Err(Unread::TooLong) => return Ok(Err(Failure::new(RESOURCE_EXHAUSTED, "a message of more than 4 MiB"))),
    }
    Ok(Ok(whole.freeze()))
}

/// The failure that the request asked for: a gRPC status, or an HTTP status without any.
fn asked_to_fail(exchange: &mut Exchange) -> Option<Response<EchoBody>> {
    let trouble = &exchange.knobs.trouble;
    let response = match (trouble.status, trouble.grpc_status) {
        (Some(status), _) => exchange.head(status, None),
        (None, Some(code)) => {
            let mut response = exchange.head(StatusCode::OK, Some(CONTENT_TYPE));
            response.headers_mut().extend(status(code, "the request asked for it"));
            response
        }
        (None, None) => return None,
    };
    exchange.ticket.answered();
    Some(response.map(|()| empty()))
}

/// A response of trailers only (gRPC over HTTP/2, "Trailers-Only").
fn fail(mut exchange: Exchange, failure: &Failure) -> Response<EchoBody> {
    let mut response = exchange.head(StatusCode::OK, Some(CONTENT_TYPE));
    response.headers_mut().extend(status(failure.code, &failure.message));
    exchange.ticket.answered();
    response.map(|()| empty())
}

fn status(code: u8, message: &str) -> HeaderMap {
    let mut fields = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from(u16::from(code)))]);
    if let Ok(message) = HeaderValue::from_str(&wire::percent_encoded(message))
        && code != 0
    {
        fields.insert(GRPC_MESSAGE, message);
    }
    fields
}

fn head(exchange: &Exchange, request: &HeaderMap) -> Response<()> {
    let mut response = exchange.head(StatusCode::OK, Some(CONTENT_TYPE));
    if let Some(encoding) = request.get(GRPC_ENCODING) {
        response.headers_mut().insert(GRPC_ENCODING, encoding.clone());
    }
    response
}

fn last_words(exchange: &Exchange) -> HeaderMap {
    let mut trailers = status(0, "");
    if exchange.knobs.trailers {
        trailers.insert("x-echo-trailer", HeaderValue::from_static("done"));
    }
    trailers
}

/// The message, so often; a gate is after the first.
fn reply(exchange: Exchange, request: &HeaderMap, message: &Bytes, times: usize) -> Response<EchoBody> {
    let response = head(&exchange, request);
    let mut steps = VecDeque::from([Step::Data(message.clone())]);
    if let Some(gate) = &exchange.knobs.hold_body {
        steps.push_back(Step::Hold(gate.clone()));
    }
    steps.extend((1..times).map(|_| Step::Data(message.clone())));
    if exchange.knobs.trouble.abort == Some(Abort::Body) {
        steps.push_back(Step::Abort);
    } else {
        steps.push_back(Step::Trailers(last_words(&exchange)));
    }
    let Exchange { server, connection: _, ticket, knobs: _ } = exchange;
    response.map(|()| Script { server, ticket, steps, declared: None }.into_body())
}

fn stream(exchange: Exchange, request: &HeaderMap, incoming: Incoming) -> Response<EchoBody> {
    let response = head(&exchange, request);
    let trailers = last_words(&exchange);
    // Messages keep their frames, so what comes in can go out as it is.
    response.map(|()| Mirrored::new(incoming, exchange.ticket, Some(trailers)).boxed_unsync())
}
