//! An HTTP client that goes to a fixed address under any name, and tells all that it got.

mod payload;
mod stream;

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{HandshakeKind, ProtocolVersion};
use thiserror::Error;

pub use payload::{Feed, Payload};
pub(crate) use stream::Stream;

use crate::PATIENCE;
use crate::tls::ClientTls;

/// What a client met on the wire.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No connection, or no TLS connection.
    #[error("connecting to {addr}: {source}")]
    Connect {
        /// The address dialled.
        addr: SocketAddr,
        /// Why. A TLS alert shows in its text.
        source: io::Error,
    },
    /// The connection or the stream broke before the end of the answer.
    #[error("no whole answer: {0}")]
    Broken(#[from] hyper::Error),
    /// The request cannot be sent like this.
    #[error("not a request: {0}")]
    Request(String),
    /// The WebSocket handshake or conversation failed.
    #[error("WebSocket: {0}")]
    WebSocket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    /// Nothing happened for as long as [`PATIENCE`].
    #[error("{0}: nothing happened for {PATIENCE:?}")]
    Impatient(&'static str),
}

impl ClientError {
    /// Whether the other side said no in the TLS handshake, or this side did.
    pub fn is_tls(&self) -> bool {
        match self {
            Self::Connect { source, .. } => is_tls(source),
            Self::Broken(error) => {
                let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
                causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(is_tls)
            }
            Self::Request(_) | Self::WebSocket(_) | Self::Impatient(_) => false,
        }
    }
}

fn is_tls(error: &io::Error) -> bool {
    let typed = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    // The h2 crate keeps only the text of what ended its connection.
    typed || (error.kind() == io::ErrorKind::InvalidData && error.to_string().contains("fatal alert"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speak {
    Http1,
    Http2,
    /// What TLS agrees on; HTTP/1.1 if nothing.
    Agreed,
}

/// Where to connect, and how. One `Dial` makes any number of connections; those over TLS resume sessions.
#[derive(Clone, Debug)]
pub struct Dial {
    addr: SocketAddr,
    speak: Speak,
    tls: Option<(std::sync::Arc<rustls::ClientConfig>, Option<String>)>,
    /// Sent before anything else.
    first: Vec<u8>,
}

impl Dial {
    /// HTTP/1.1 in the clear.
    pub fn http1(addr: SocketAddr) -> Self {
        Self { addr, speak: Speak::Http1, tls: None, first: Vec::new() }
    }

    /// HTTP/2 in the clear, with prior knowledge (h2c, RFC 9113, section 3.3).
    pub fn h2c(addr: SocketAddr) -> Self {
        Self { addr, speak: Speak::Http2, tls: None, first: Vec::new() }
    }

    /// TLS, and then what ALPN agrees on. The server name is the request's host unless [`Dial::sni`] says otherwise.
    pub fn tls(addr: SocketAddr, tls: &ClientTls) -> Self {
        Self { addr, speak: Speak::Agreed, tls: Some((tls.config(), None)), first: Vec::new() }
    }

    /// Sends this server name, and expects it in the certificate, whatever host is asked for.
    pub fn sni(mut self, name: &str) -> Self {
        if let Some((_, sni)) = &mut self.tls {
            *sni = Some(name.to_owned());
        }
        self
    }

    /// Sends these bytes before anything else, be it TLS: a header of the PROXY protocol, say.
    pub fn first(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.first = bytes.into();
        self
    }

    /// The address dialled.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connects; `host` is the server name if no other was set.
    ///
    /// # Errors
    /// Whatever keeps the TCP or TLS connection from being.
    pub async fn connect(&self, host: &str) -> Result<Connected, ClientError> {
        let (stream, tls) = self.stream(host).await?;
        let local = stream.local_addr().map_err(|source| ClientError::Connect { addr: self.addr, source })?;
        let http2 = match self.speak {
            Speak::Http1 => false,
            Speak::Http2 => true,
            Speak::Agreed => tls.as_ref().is_some_and(|tls| tls.alpn.as_deref() == Some("h2")),
        };
        let io = TokioIo::new(stream);
        let sender = if http2 {
            // By default it ends its own connection when it has given up many responses of which more was on its way.
            let mut client = http2::Builder::new(TokioExecutor::new());
            client.max_concurrent_reset_streams(1000);
            let (sender, connection) = client.handshake(io).await?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection.with_upgrades());
            Sender::Http1(sender)
        };
        Ok(Connected { sender, tls, local })
    }

    pub(crate) async fn stream(&self, host: &str) -> Result<(Stream, Option<TlsSeen>), ClientError> {
        let tls = self.tls.as_ref().map(|(config, sni)| (config, sni.as_deref().unwrap_or(host)));
        let connecting = Stream::open(self.addr, &self.first, tls);
        match tokio::time::timeout(PATIENCE, connecting).await {
            Ok(Ok(stream)) => {
                let tls = stream.tls_seen();
                Ok((stream, tls))
            }
            Ok(Err(source)) => Err(ClientError::Connect { addr: self.addr, source }),
            Err(_) => Err(ClientError::Impatient("connecting")),
        }
    }

    /// Connects, sends one GET and reads the whole answer. `url` names host and path, such as `http://a.example/b?c=d`.
    ///
    /// # Errors
    /// Whatever keeps the answer from being whole.
    pub async fn get(&self, url: &str) -> Result<Reply, ClientError> {
        self.send(request(url)?).await
    }

    /// Connects, sends one request and reads the whole answer. The request's URI names host and path.
    ///
    /// # Errors
    /// Whatever keeps the answer from being whole.
    pub async fn send<B: Into<Payload>>(&self, request: Request<B>) -> Result<Reply, ClientError> {
        let host = host(request.uri())?;
        self.connect(&host).await?.send(request).await
    }
}

fn request(url: &str) -> Result<Request<Payload>, ClientError> {
    Request::get(url).body(Payload::Empty).map_err(|error| ClientError::Request(format!("{url}: {error}")))
}

fn host(uri: &Uri) -> Result<String, ClientError> {
    let host = uri.host().ok_or_else(|| ClientError::Request(format!("{uri}: names no host")))?;
    Ok(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<UnsyncBoxBody<Bytes, io::Error>>),
    Http2(http2::SendRequest<UnsyncBoxBody<Bytes, io::Error>>),
}

/// A connection, kept for as many requests as you like.
#[derive(Debug)]
pub struct Connected {
    sender: Sender,
    tls: Option<TlsSeen>,
    local: SocketAddr,
}

impl Connected {
    /// What TLS agreed on, if it is TLS.
    pub fn tls(&self) -> Option<&TlsSeen> {
        self.tls.as_ref()
    }

    /// The client's own address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether HTTP/2 is spoken.
    pub fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Another handle on the same HTTP/2 connection, to send at the same time; `None` on HTTP/1.1.
    pub fn multiplexed(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => {
                Some(Self { sender: Sender::Http2(sender.clone()), tls: self.tls.clone(), local: self.local })
            }
        }
    }

    /// Sends a GET and reads the whole answer.
    ///
    /// # Errors
    /// Whatever keeps the answer from being whole.
    pub async fn get(&mut self, url: &str) -> Result<Reply, ClientError> {
        self.send(request(url)?).await
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// Whatever keeps the answer from being whole.
    pub async fn send<B: Into<Payload>>(&mut self, request: Request<B>) -> Result<Reply, ClientError> {
        let exchange = async {
            let response = self.begin(request).await?;
            let tls = self.tls.clone();
            Reply::read(response, tls).await
        };
        tokio::time::timeout(PATIENCE, exchange).await.unwrap_or(Err(ClientError::Impatient("waiting for an answer")))
    }

    /// Sends a request and gives back the head of the answer, the body still to come. Dropping it gives the answer up.
    ///
    /// # Errors
    /// Whatever keeps the head from coming.
    pub async fn begin<B: Into<Payload>>(&mut self, request: Request<B>) -> Result<Response<Incoming>, ClientError> {
        let (mut head, payload) = request.into_parts();
        let body = payload.into().into_body();
        match &mut self.sender {
            Sender::Http1(sender) => {
                if !head.headers.contains_key(header::HOST)
                    && let Some(authority) = head.uri.authority()
                {
                    let host = HeaderValue::from_str(authority.as_str());
                    head.headers.insert(header::HOST, host.map_err(|error| ClientError::Request(error.to_string()))?);
                }
                if let Some(target) = head.uri.path_and_query().cloned() {
                    head.uri = Uri::from(target);
                }
                sender.ready().await?;
                Ok(sender.send_request(Request::from_parts(head, body)).await?)
            }
            Sender::Http2(sender) => {
                head.version = Version::HTTP_2;
                sender.ready().await?;
                Ok(sender.send_request(Request::from_parts(head, body)).await?)
            }
        }
    }
}

/// What a client sees of a TLS connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSeen {
    /// The protocol agreed on (ALPN).
    pub alpn: Option<String>,
    /// The server's certificates, its own first.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The version agreed on.
    pub version: Option<ProtocolVersion>,
    /// The key exchange group agreed on, such as `X25519MLKEM768`.
    pub key_exchange: Option<String>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

impl TlsSeen {
    fn of(connection: &rustls::ClientConnection) -> Self {
        Self {
            alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            certificates: connection.peer_certificates().unwrap_or_default().to_vec(),
            version: connection.protocol_version(),
            key_exchange: connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name())),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// The version it came in.
    pub version: Version,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Its trailers; empty if there were none.
    pub trailers: HeaderMap,
    /// What TLS agreed on, if it is TLS.
    pub tls: Option<TlsSeen>,
}

impl Reply {
    async fn read(response: Response<Incoming>, tls: Option<TlsSeen>) -> Result<Self, ClientError> {
        let (head, body) = response.into_parts();
        let whole = body.collect().await?;
        let trailers = whole.trailers().cloned().unwrap_or_default();
        let body = whole.to_bytes();
        Ok(Self { status: head.status, version: head.version, headers: head.headers, body, trailers, tls })
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON of the wanted shape. Panics, with the body, if it is not.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error} in the answer {}: {}", self.status, self.text()),
        }
    }

    /// A header field's first value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn server_name(name: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}
