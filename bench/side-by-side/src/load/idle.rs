//! Connections that do nothing, for what they take of memory.

use crate::http1;
use crate::site::{HOST, Site};
use bytes::Bytes;
use h2::client::SendRequest;
use lychgate_testkit::ClientTls;
use rustls::ClientConfig;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// So many connections that asked once, and then wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    pub(crate) kind: Kind,
    pub(crate) count: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Plain,
    Tls,
    Http2,
}

/// Open for as long as this lives.
#[derive(Debug)]
pub(crate) enum Open {
    Plain(#[expect(dead_code, reason = "held open")] TcpStream),
    Tls(#[expect(dead_code, reason = "held open")] Box<TlsStream<TcpStream>>),
    Http2(#[expect(dead_code, reason = "held open")] Driven),
}

/// The task that answers the other side of a connection of HTTP/2; it ends with this. Where nobody can ask any more, h2 ends the
/// connection: so whoever asked is kept.
#[derive(Debug)]
pub(crate) struct Driven {
    task: JoinHandle<()>,
    _requests: SendRequest<Bytes>,
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Idle {
    /// Opens them, one after the other.
    pub(crate) async fn open(&self, site: &Site) -> anyhow::Result<Vec<Open>> {
        let protocol = match self.kind {
            Kind::Plain | Kind::Tls => "http/1.1",
            Kind::Http2 => "h2",
        };
        let config: Arc<ClientConfig> = ClientTls::trusting_anybody().alpn(&[protocol]).config();
        let connector = TlsConnector::from(config);
        let mut all = Vec::new();
        for _ in 0..self.count {
            all.push(self.one(site, &connector).await?);
        }
        Ok(all)
    }

    async fn one(&self, site: &Site, connector: &TlsConnector) -> anyhow::Result<Open> {
        Ok(match self.kind {
            Kind::Plain => {
                let mut tcp = TcpStream::connect(site.http).await?;
                http1::ask(&mut tcp).await?;
                Open::Plain(tcp)
            }
            Kind::Tls => {
                let mut tls = tls(site, connector).await?;
                http1::ask(&mut tls).await?;
                Open::Tls(Box::new(tls))
            }
            Kind::Http2 => Open::Http2(http2(tls(site, connector).await?).await?),
        })
    }
}

async fn tls(site: &Site, connector: &TlsConnector) -> anyhow::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(site.https).await?;
    tcp.set_nodelay(true)?;
    Ok(connector.connect(HOST.try_into()?, tcp).await?)
}

async fn http2(tls: TlsStream<TcpStream>) -> anyhow::Result<Driven> {
    let (requests, connection) = h2::client::handshake(tls).await?;
    let task = tokio::spawn(async move {
        // Whoever asks on it hears how it ended.
        let _ = connection.await;
    });
    let mut requests = requests.ready().await?;
    let request = http::Request::get(format!("https://{HOST}/")).body(())?;
    let (response, _) = requests.send_request(request, true)?;
    let response = response.await?;
    anyhow::ensure!(response.status().is_success(), "an answer that is not 200: {}", response.status());
    let mut body = response.into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    Ok(Driven { task, _requests: requests })
}
