//! TCP, in the clear or under TLS: every byte back, or the lines of the conformance suite's TCP backend.

use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};

use crate::config::{EchoIdentity, RawMode};
use crate::connection::Connection;
use crate::introduction::Introduction;
use crate::limits::MAX_LINE;
use crate::report::TlsReport;
use crate::server::Shared;

const WELCOME: &[u8] = b"Gateway API Test TCP Server\n";

/// Serves one connection until either side ends it.
pub(crate) async fn serve(server: &Shared, connection: &Connection, io: impl AsyncRead + AsyncWrite) {
    let conversation = async {
        match server.raw {
            RawMode::Bytes => bytes(io).await,
            RawMode::Conformance => lines(io, &server.identity, connection).await,
        }
    };
    if let Some(Err(error)) = server.closing.run_until_cancelled(conversation).await {
        tracing::debug!(%error, client = %connection.peer, "a TCP client broke off");
    }
}

async fn bytes(io: impl AsyncRead + AsyncWrite) -> std::io::Result<()> {
    let (mut from, mut to) = tokio::io::split(io);
    tokio::io::copy(&mut from, &mut to).await?;
    // A client that says it is done gets all it sent, and then our end.
    to.shutdown().await
}

/// What the suite reads after `TEST`.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    identity: &'a EchoIdentity,
    tcpport: String,
    #[serde(rename = "isTLS")]
    is_tls: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'a TlsReport>,
    #[serde(rename = "proxyProtocol", skip_serializing_if = "Option::is_none")]
    proxy_protocol: Option<&'a Introduction>,
}

async fn lines(
    io: impl AsyncRead + AsyncWrite,
    identity: &EchoIdentity,
    connection: &Connection,
) -> std::io::Result<()> {
    let answer = Answer {
        identity,
        tcpport: connection.local.port().to_string(),
        is_tls: connection.tls.is_some(),
        tls: connection.tls.as_ref(),
        proxy_protocol: connection.introduction.as_ref(),
    };
    let test = serde_json::to_string(&answer)? + "\n";
    let (from, mut to) = tokio::io::split(io);
    let mut from = BufReader::new(from);
    to.write_all(WELCOME).await?;
    let mut line = String::new();
    loop {
        line.clear();
        if (&mut from).take(MAX_LINE).read_line(&mut line).await? == 0 {
            return to.shutdown().await;
        }
        match line.trim_end_matches(['\r', '\n']) {
            "TEST" => to.write_all(test.as_bytes()).await?,
            "IS_TLS" => to.write_all(format!("{}\n", answer.is_tls).as_bytes()).await?,
            "PING" => to.write_all(b"PONG\n").await?,
            // The suite's own backend says nothing to anything else.
            _ => {}
        }
        to.flush().await?;
    }
}
