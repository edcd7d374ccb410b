//! What a client has open, and how it asks on it.

use super::Kind;
use crate::gate::Gate;
use anyhow::{Context, ensure};
use lychgate_testkit::{ClientTls, Connected, Dial, WebSocket, grpc};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

const CALL: &str = "http://grpc.example/lychgate.echo.v1.Echo/Unary";

const MESSAGE: &[u8] = b"what comes back as it went";

/// Datagrams may be lost, by whoever is on their way: they are sent so often, and waited for so long.
const TRIES: usize = 5;
const EACH: Duration = Duration::from_secs(1);

pub(super) enum Open {
    Http { connection: Connected, url: String, size: usize },
    Grpc(Connected),
    WebSocket(Box<WebSocket>),
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl Open {
    pub(super) async fn new(kind: Kind, gate: &Gate) -> anyhow::Result<Self> {
        let tls = |protocol| Dial::tls(gate.https, &ClientTls::trusting_anybody().alpn(&[protocol]));
        Ok(match kind {
            Kind::Http1 => Self::http(Dial::http1(gate.at), "http", "", 100).await?,
            Kind::Http1Tls => Self::http(tls("http/1.1"), "https", "", 100).await?,
            Kind::Http2 => Self::http(Dial::h2c(gate.at), "http", "", 100).await?,
            Kind::Http2Tls => Self::http(tls("h2"), "https", "", 100).await?,
            Kind::Large => Self::http(Dial::http1(gate.at), "http", "", 1 << 20).await?,
            Kind::Flapping => Self::http(Dial::http1(gate.at), "http", "flapping", 100).await?,
            Kind::Grpc => Self::Grpc(Dial::h2c(gate.at).connect("grpc.example").await?),
            Kind::WebSocket => {
                let dial = Dial::http1(gate.at);
                Self::WebSocket(Box::new(WebSocket::open(&dial, "ws://a.example/").await?))
            }
            Kind::Tcp => Self::Tcp(TcpStream::connect(gate.tcp).await?),
            Kind::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await?;
                socket.connect(gate.udp).await?;
                Self::Udp(socket)
            }
            Kind::Reload => anyhow::bail!("a reload is no client"),
        })
    }

    async fn http(dial: Dial, scheme: &str, path: &str, size: usize) -> anyhow::Result<Self> {
        let connection = dial.connect("a.example").await?;
        Ok(Self::Http { connection, url: format!("{scheme}://a.example/{path}?size={size}"), size })
    }

    /// Asks once; the answer has to be whole and right.
    pub(super) async fn ask(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Http { connection, url, size } => {
                let reply = connection.get(url).await?;
                ensure!(reply.status.is_success(), "{}: {}", reply.status, reply.text());
                ensure!(reply.body.len() == *size, "{} bytes, not {size}", reply.body.len());
            }
            Self::Grpc(connection) => {
                let reply = grpc::call(connection, CALL, &[], MESSAGE).await?;
                ensure!(reply.status == Some(0), "{:?}: {}", reply.status, reply.message);
                ensure!(reply.messages == [MESSAGE], "another message");
            }
            Self::WebSocket(websocket) => {
                let echo = websocket.ask("what comes back").await?;
                ensure!(echo == "what comes back", "another echo: {echo}");
            }
            Self::Tcp(tcp) => {
                tcp.write_all(MESSAGE).await?;
                let mut echo = [0; MESSAGE.len()];
                tcp.read_exact(&mut echo).await?;
                ensure!(echo == MESSAGE, "another echo");
            }
            Self::Udp(socket) => {
                let mut echo = [0; MESSAGE.len()];
                for _ in 0..TRIES {
                    socket.send(MESSAGE).await?;
                    if let Ok(length) = timeout(EACH, socket.recv(&mut echo)).await {
                        let echo = echo.get(..length?).context("a longer echo")?;
                        ensure!(echo == MESSAGE, "another echo");
                        return Ok(());
                    }
                }
                anyhow::bail!("no echo of {TRIES} datagrams");
            }
        }
        Ok(())
    }
}
