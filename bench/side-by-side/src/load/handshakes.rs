//! A TLS connection for each request, with a client of ours: none of the tools counts what was resumed.

use super::{Done, all};
use crate::http1;
use crate::site::{HOST, Site};
use anyhow::Context;
use lychgate_testkit::ClientTls;
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Clients that connect, ask once and leave, one connection after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshakes {
    pub(crate) clients: u16,
    /// Whether each resumes the session of the connection before.
    pub(crate) resume: bool,
}

impl Handshakes {
    pub(super) async fn run(&self, site: &Site, lasting: Duration) -> anyhow::Result<Done> {
        let Self { clients, resume } = *self;
        let begun = Instant::now();
        let each = || tokio::spawn(client(site.https, resume, begun + lasting));
        all((0..clients).map(|_| each()).collect(), begun).await
    }
}

/// How many succeeded until `end`, and how many did not; what is not resumed though it should have failed as well.
async fn client(at: std::net::SocketAddr, resume: bool, end: Instant) -> (u64, u64) {
    // Whether the certificate is right is not the question here, and what it costs to know falls on this side.
    let mut config = (*ClientTls::trusting_anybody().alpn(&["http/1.1"]).config()).clone();
    config.resumption = if resume { Resumption::in_memory_sessions(8) } else { Resumption::disabled() };
    let connector = TlsConnector::from(Arc::<ClientConfig>::new(config));
    let (mut count, mut failed) = (0, 0);
    let mut first = true;
    while Instant::now() < end {
        match once(at, &connector).await {
            Ok(kind) if !resume || first || kind == HandshakeKind::Resumed => count += 1,
            Ok(_) | Err(_) => failed += 1,
        }
        first = false;
    }
    (count, failed)
}

async fn once(at: std::net::SocketAddr, connector: &TlsConnector) -> anyhow::Result<HandshakeKind> {
    let tcp = TcpStream::connect(at).await?;
    tcp.set_nodelay(true)?;
    let mut tls = connector.connect(HOST.try_into()?, tcp).await?;
    http1::ask(&mut tls).await?;
    let kind = tls.get_ref().1.handshake_kind().context("a handshake that did not end")?;
    // Who takes it amiss that we leave has counted it already.
    let _ = tls.shutdown().await;
    Ok(kind)
}
