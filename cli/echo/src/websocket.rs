//! WebSocket over an HTTP/1.1 upgrade (RFC 6455): every text and binary message comes back as it came.

use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::body::{Broken, EchoBody, empty};
use crate::http::Exchange;
use crate::journal::Ticket;
use crate::limits::MAX_WEBSOCKET_MESSAGE;
use crate::server::Shared;

/// Whether a request asks for a WebSocket (RFC 6455, section 4.2.1).
pub(crate) fn is_handshake<B>(request: &Request<B>) -> bool {
    let fields = request.headers();
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && has_token(fields, &header::CONNECTION, "upgrade")
        && has_token(fields, &header::UPGRADE, "websocket")
}

fn has_token(fields: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    fields
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

pub(crate) async fn answer(
    mut exchange: Exchange,
    mut request: Request<Incoming>,
) -> Result<Response<EchoBody>, Broken> {
    exchange.trouble().await?;
    let fields = request.headers();
    if fields.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut response = exchange.refuse(StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version: wants 13");
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Ok(response);
    }
    let Some(key) = fields.get(header::SEC_WEBSOCKET_KEY) else {
        return Ok(exchange.refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing"));
    };
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
        return Ok(exchange.refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is no key"));
    };
    let protocol = fields
        .get(header::SEC_WEBSOCKET_PROTOCOL)
        .and_then(|offered| offered.to_str().ok()?.split(',').next())
        .and_then(|first| HeaderValue::from_str(first.trim()).ok());

    let mut response = exchange.head(StatusCode::SWITCHING_PROTOCOLS, None);
    let fields = response.headers_mut();
    fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        fields.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }

    let upgrade = hyper::upgrade::on(&mut request);
    let Exchange { server, connection: _, ticket, knobs: _ } = exchange;
    let tasks = server.tasks.clone();
    tasks.spawn(async move {
        let cut = server.cut.clone();
        let session = async {
            match upgrade.await {
                Ok(upgraded) => converse(&server, TokioIo::new(upgraded), ticket).await,
                Err(error) => tracing::debug!(%error, "the client did not go on after the upgrade"),
            }
        };
        cut.run_until_cancelled(session).await;
    });
    Ok(response.map(|()| empty()))
}

async fn converse(server: &Shared, io: TokioIo<hyper::upgrade::Upgraded>, mut ticket: Ticket) {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_WEBSOCKET_MESSAGE))
        .max_frame_size(Some(MAX_WEBSOCKET_MESSAGE));
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(limits)).await;
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = server.closing.cancelled() => {
                let away = CloseFrame { code: CloseCode::Away, reason: "the echo server shuts down".into() };
                if socket.close(Some(away)).await.is_ok() {
                    ticket.answered();
                }
                return;
            }
        };
        match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                if let Err(error) = socket.send(message).await {
                    tracing::debug!(%error, "a WebSocket client does not take its message back");
                    return;
                }
                ticket.message_echoed();
            }
            // The library answers pings and closes by itself, when it is polled or flushed again.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_))) => {}
            Some(Err(Error::ConnectionClosed)) | None => {
                ticket.answered();
                return;
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a WebSocket client broke off");
                return;
            }
        }
    }
}
