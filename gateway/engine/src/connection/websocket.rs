//! WebSocket over HTTP/2 (RFC 8441). A stream that a client opens by an extended CONNECT is served as a connection of
//! HTTP/1.1 that asks for an upgrade, within the process, so that whatever holds for those holds for it: routing, filters,
//! limits, metrics, logs.
//!
//! ```text
//! client ══ stream of HTTP/2 ══ here ── HTTP/1.1 through a pipe ── the proxy ══ HTTP/1.1 ══ backend
//! ```

mod carry;
mod head;

use super::{Connection, ConnectionApp, Pipe, Reclaimable};
use carry::{carry, send};
use http::Method;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pingora_core::apps::HttpServerApp;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::HttpSession as Http2Stream;
use pingora_core::server::ShutdownWatch;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{DuplexStream, duplex};

/// Bytes that may wait in the pipe, each way.
const PIPE: usize = 16 * 1024;

/// Why a stream is not carried to its end: it is reset, and the client may try again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the client has gone: {0}")]
    Client(#[from] h2::Error),
    #[error("within the process: {0}")]
    Pipe(#[from] std::io::Error),
    #[error("within the process: {0}")]
    Http(#[from] hyper::Error),
    #[error("no response of HTTP/2: {0}")]
    Response(#[from] Box<pingora_error::Error>),
    #[error("the stream was reset: {0}")]
    Reset(h2::Reason),
    #[error("{0}")]
    Impossible(&'static str),
}

/// Whether a request of HTTP/2 asks for WebSocket.
pub(super) fn is_asked_for(stream: &Http2Stream) -> bool {
    let request = stream.req_header();
    let protocol = request.extensions.get::<h2::ext::Protocol>();
    // What is wrong with an authority would be lost on the way over HTTP/1.
    !stream.has_invalid_authority()
        && request.method == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"))
}

/// Serves such a stream until both ends have said enough, or one breaks off.
pub(super) async fn serve(app: &ConnectionApp, stream: Http2Stream, shutdown: &ShutdownWatch) {
    let (ours, theirs) = duplex(PIPE);
    let connection = Arc::new(Connection::of_stream(&app.connection));
    // Its other end is ours, so the guard is not told to look at it.
    let theirs = Reclaimable::new(Box::new(Pipe(theirs)), app.guard, connection.clone());
    let mut session = ServerSession::new_http1(Box::new(theirs));
    session.set_keepalive(None);
    let inner = Arc::new(ConnectionApp { connection, ..app.clone() });
    let mut served = pin!(inner.process_new_http(session, shutdown));
    let mut asked = pin!(ask(stream, ours));
    let asked = tokio::select! {
        // The end of the response may not be with the client yet.
        _ = &mut served => match tokio::time::timeout(app.client_idle, asked).await {
            Ok(asked) => asked,
            Err(_) => Err(Broken::Impossible("the client does not take the end of the response")),
        },
        asked = &mut asked => {
            if asked.is_ok() {
                // Its last words are for metrics and logs.
                served.await;
            }
            asked
        }
    };
    if let Err(error) = asked {
        tracing::debug!(peer = %app.connection.ends.source, %error, "a WebSocket over HTTP/2 broke");
    }
}

/// Asks the proxy as a client of HTTP/1.1 would, and gives its answer to the client of HTTP/2.
async fn ask(mut stream: Http2Stream, pipe: DuplexStream) -> Result<(), Broken> {
    let (key, request) = head::upgrade(stream.req_header())?;
    let (mut sender, connection) = http1::handshake::<_, Empty<_>>(TokioIo::new(pipe)).await?;
    let mut connection = pin!(with(connection.with_upgrades()));
    let response = tokio::select! {
        response = sender.send_request(request) => response?,
        reset = stream.idle() => return Err(Broken::Reset(reset?)),
        never = &mut connection => match never {},
    };
    tokio::select! {
        answered = answer(stream, response, &key) => answered,
        never = &mut connection => match never {},
    }
}

/// Runs the connection beside what is done on it: how it ends is seen there.
async fn with(connection: impl Future<Output = hyper::Result<()>>) -> std::convert::Infallible {
    let _ = connection.await;
    std::future::pending().await
}

async fn answer(mut stream: Http2Stream, response: http::Response<Incoming>, key: &str) -> Result<(), Broken> {
    if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
        let Some(head) = head::switched(&response, key)? else {
            stream.write_response_header(Box::new(head::bad_gateway()?), true)?;
            return Err(Broken::Impossible("an upgrade that answers another key"));
        };
        let upgraded = hyper::upgrade::on(response).await?;
        let parts = upgraded
            .downcast::<TokioIo<DuplexStream>>()
            .map_err(|_| Broken::Impossible("an upgraded connection that is no pipe"))?;
        stream.write_response_header(Box::new(head), false)?;
        return carry(stream, parts.io.into_inner(), parts.read_buf).await;
    }
    let (head, mut body) = head::other(response)?;
    let ends_here = hyper::body::Body::is_end_stream(&body);
    stream.write_response_header(Box::new(head), ends_here)?;
    let Some(mut writer) = stream.take_response_body_writer().filter(|_| !ends_here) else { return Ok(()) };
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            send(&mut writer, data).await?;
        }
    }
    writer.send_data(bytes::Bytes::new(), true)?;
    Ok(())
}
