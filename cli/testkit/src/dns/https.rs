//! Questions over HTTPS (RFC 8484), in HTTP/2.

use super::{Zone, answer};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const MESSAGE: &str = "application/dns-message";

/// Answers from a zone for as long as it is awaited.
pub(super) async fn serve(zone: Arc<Mutex<Zone>>, listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let (zone, acceptor) = (zone.clone(), acceptor.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let answers = service_fn(move |request| respond(zone.clone(), request));
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // A client that goes away is no failure.
            let _ = connection.serve_connection(TokioIo::new(stream), answers).await;
        });
    }
}

async fn respond(zone: Arc<Mutex<Zone>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let is_question = head.method == Method::POST
        && head.uri.path() == "/dns-query"
        && head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == MESSAGE);
    let question = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let reply = if is_question { answer(&zone, &question, false) } else { None };
    let mut response = Response::new(Full::default());
    match reply {
        Some(reply) => {
            response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(MESSAGE));
            *response.body_mut() = Full::new(reply.into());
        }
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}
