//! Large answers in connections over TLS that the proxy does not read: asked for by CONNECT where it can be asked.

use super::{Done, all};
use crate::site::{HOST, Site};
use lychgate_testkit::ClientTls;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// So many connections, each with one answer on its way at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tunnels {
    pub(crate) connections: u16,
}

/// A head that is longer is none that we asked for.
const HEAD: usize = 4096;

/// Where a client goes.
#[derive(Clone, Copy)]
struct Way {
    proxy: SocketAddr,
    /// What it asks for, if it has to.
    origin: Option<SocketAddr>,
}

impl Tunnels {
    pub(super) async fn run(&self, site: &Site, lasting: Duration) -> anyhow::Result<Done> {
        let begun = Instant::now();
        let way = if site.connects {
            Way { proxy: site.http, origin: Some(site.tls_backend) }
        } else {
            Way { proxy: site.https, origin: None }
        };
        let each = || {
            tokio::spawn(async move {
                let mut count = 0;
                let failed = client(way, begun + lasting, &mut count).await.is_err();
                (count, u64::from(failed))
            })
        };
        all((0..self.connections).map(|_| each()).collect(), begun).await
    }
}

async fn client(Way { proxy, origin }: Way, end: Instant, count: &mut u64) -> anyhow::Result<()> {
    let mut tcp = TcpStream::connect(proxy).await?;
    tcp.set_nodelay(true)?;
    if let Some(origin) = origin {
        tcp.write_all(format!("CONNECT {origin} HTTP/1.1\r\nHost: {origin}\r\n\r\n").as_bytes()).await?;
        let head = head(&mut tcp).await?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 200 "), "no tunnel: {head}");
    }
    // Whether the certificate is right is not the question here.
    let connector = TlsConnector::from(ClientTls::trusting_anybody().alpn(&["http/1.1"]).config());
    let mut tls = connector.connect(HOST.try_into()?, tcp).await?;
    let mut buffer = vec![0; 256 << 10];
    while Instant::now() < end {
        tls.write_all(format!("GET /large HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await?;
        let head = head(&mut tls).await?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut left: usize = length.ok_or_else(|| anyhow::anyhow!("an answer without a length: {head}"))?;
        while left > 0 {
            let room = left.min(buffer.len());
            match tls.read(&mut buffer[..room]).await? {
                0 => anyhow::bail!("the tunnel ended in the middle of an answer"),
                read => left -= read,
            }
        }
        *count += 1;
    }
    // Who takes it amiss that we leave has carried all.
    let _ = tls.shutdown().await;
    Ok(())
}

/// The head of an answer, and nothing of what follows: byte by byte, which is little beside a mebibyte.
async fn head(from: &mut (impl AsyncReadExt + Unpin)) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(head.len() < HEAD, "a head without an end");
        head.push(from.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}
