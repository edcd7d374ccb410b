//! gRPC as its documents say it, over HTTP/2 in the clear: one message for one, or many for one.

use super::accept;
use anyhow::Context;
use bytes::Bytes;
use h2::RecvStream;
use h2::server::{SendResponse, handshake};
use http::{HeaderMap, HeaderValue, Request, Response};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// How many messages answer a request for a stream.
pub(crate) const MESSAGES: usize = 100;

/// A message of 128 bytes behind its five bytes of length.
const MESSAGE: [u8; 133] = {
    let mut message = [b'x'; 133];
    message[0] = 0;
    message[1] = 0;
    message[2] = 0;
    message[3] = 0;
    message[4] = 128;
    message
};

pub(super) async fn start() -> anyhow::Result<SocketAddr> {
    accept(serve).await
}

async fn serve(connection: TcpStream) -> anyhow::Result<()> {
    connection.set_nodelay(true)?;
    let mut connection = handshake(connection).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(async move { answer(request, respond).await });
    }
    Ok(())
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> anyhow::Result<()> {
    let messages = if request.uri().path().ends_with("/Stream") { MESSAGES } else { 1 };
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    let response = Response::builder().header("content-type", "application/grpc").body(())?;
    let mut stream = respond.send_response(response, false)?;
    for _ in 0..messages {
        stream.reserve_capacity(MESSAGE.len());
        while stream.capacity() < MESSAGE.len() {
            std::future::poll_fn(|context| stream.poll_capacity(context)).await.context("the stream is over")??;
        }
        stream.send_data(Bytes::from_static(&MESSAGE), false)?;
        // Messages of a stream come one by one.
        tokio::task::yield_now().await;
    }
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    stream.send_trailers(trailers)?;
    Ok(())
}
