//! From an accepted connection or a datagram socket to whoever serves it.

mod streams;

use crate::connection::{Connection, Pass, Peeked, TlsFacts, TlsIo};
use crate::engine::Engine;
use crate::proxy_protocol::{self, Ends, Unproven};
use crate::runtime::{Bind, ListenerState, Port, Speaks};
use crate::stream::{Carries, Record, StreamState, Streams, serve_udp};
use lychgate_ir::Protocol;
use lychgate_telemetry::{Reason, SocketMetrics};
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::protocols::{GetSocketDigest, SocketDigest};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// What a ClientHello led to.
enum Opened {
    /// TLS is ended here, as the listener says.
    Ended(Arc<ListenerState>, Box<TlsStream<Peeked>>, Box<TlsFacts>),
    /// TLS is the backend's business.
    Passed(Arc<ListenerState>, Option<Arc<StreamState>>, Peeked),
}

/// Why a handshake led to nothing.
struct Closed {
    reason: Reason,
    error: io::Error,
}

impl From<io::Error> for Closed {
    fn from(error: io::Error) -> Self {
        let reason = match error.kind() {
            // A probe that only looks whether the port is open does that.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Reason::Aborted,
            _ => Reason::TlsHandshake,
        };
        Self { reason, error }
    }
}

/// Counts a connection as open until dropped.
struct Open(Arc<SocketMetrics>);

impl Open {
    fn new(metrics: &Arc<SocketMetrics>) -> Self {
        metrics.connected();
        Self(metrics.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.disconnected();
    }
}

impl Engine {
    /// Serves one accepted connection until it ends. When `drain` turns true, running requests finish, and the
    /// connection closes; streams that are not read go on.
    ///
    /// What a connection only goes through, or does instead of HTTP, is boxed here and below: the task of each idle one is
    /// as large as the largest of it.
    pub async fn serve(
        self: Arc<Self>,
        bind: Bind,
        mut tcp: TcpStream,
        peer: SocketAddr,
        drain: watch::Receiver<bool>,
    ) {
        // Latency matters more than packet count; without it the connection only is slower.
        let _ = tcp.set_nodelay(true);
        let Some(port) = self.port(bind) else { return };
        let _open = Open::new(&port.metrics);
        let Some(_of_socket) = self.of_socket(bind, peer) else { return };
        // Of all that a client has to say before it is served.
        let deadline = Instant::now() + self.limits.handshake;
        let Some(ends) = self.meet(&port, &mut tcp, peer, deadline).await else { return };
        let Some(_of_source) = self.of_source(ends) else { return };
        match port.speaks {
            Speaks::Http => {
                let connection = Connection::new(bind, ends, None);
                let socket = SocketDigest::from_raw_fd(tcp.as_raw_fd());
                let mut stream: L4Stream = tcp.into();
                stream.set_socket_digest(socket);
                self.serve_http(connection, Box::new(stream), drain).await;
            }
            Speaks::Tls => {
                let mut record = Record::begin(&self.observe, Carries::Tls, ends.source);
                let opened = Box::pin(self.open(&port, tcp, &mut record));
                match tokio::time::timeout_at(deadline, opened).await {
                    Ok(Ok(opened)) => self.go_on(bind, ends, opened, record, drain).await,
                    Ok(Err(Closed { reason, error })) => {
                        port.metrics.handshake_failed();
                        record.refused(reason, error.to_string());
                    }
                    Err(_) => {
                        port.metrics.handshake_failed();
                        record.refused(Reason::SlowHandshake, "the TLS handshake took too long");
                    }
                }
            }
            Speaks::Tcp => {
                let Some(listener) = port.listeners.for_host("") else { return };
                Box::pin(self.serve_tcp(listener.clone(), tcp, ends, drain)).await;
            }
            Speaks::Proxy => Box::pin(self.serve_proxy(&port, tcp, ends, deadline, drain)).await,
            Speaks::DnsOverTcp => Box::pin(self.serve_questions_over_tcp(&port, tcp, ends, drain)).await,
            Speaks::Transparent => {
                Box::pin(self.serve_transparent(&port, tcp, ends, drain)).await;
            }
            // Datagrams have no connections.
            Speaks::Dns | Speaks::Udp => {}
        }
    }

    /// Lets a connection in, if its socket has not too many. Who is over a limit is told nothing: that would cost us more.
    fn of_socket(&self, bind: Bind, peer: SocketAddr) -> Option<Pass<Bind>> {
        let pass = self.quotas.of_socket(bind);
        if pass.is_none() {
            self.turned_away(Reason::TooManyConnections, peer, "the socket has as many connections as it may");
        }
        pass
    }

    /// The same, if its client has not too many.
    fn of_source(&self, Ends { source, destination: _ }: Ends) -> Option<Pass<IpAddr>> {
        let pass = self.quotas.of_source(source.ip());
        if pass.is_none() {
            self.turned_away(
                Reason::TooManyConnectionsOfSource,
                source,
                "the client has as many connections as it may",
            );
        }
        pass
    }

    fn turned_away(&self, reason: Reason, peer: SocketAddr, detail: &str) {
        self.observe.metrics.refused(reason);
        self.observe.notices.acted(reason, peer.ip(), detail);
    }

    /// Serves a datagram socket until `drain` turns true and its flows are silent. What clients send is read only while
    /// `reads` is true: somebody else may do that. Answers are always sent.
    pub async fn serve_datagrams(
        self: Arc<Self>,
        bind: Bind,
        socket: Arc<UdpSocket>,
        reads: watch::Receiver<bool>,
        drain: watch::Receiver<bool>,
    ) {
        if self.port(bind).is_some_and(|port| port.speaks == Speaks::Dns) {
            return self.serve_questions(bind, socket, reads, drain).await;
        }
        let limits = self.limits.clone();
        let route = || {
            let port = self.port(bind)?;
            let listener = port.listeners.for_host("")?;
            // No policy decides about datagrams, so none of them leave.
            let route = listener.streams.find(None).filter(|_| !listener.leaves);
            Some((listener.clone(), route.cloned()))
        };
        serve_udp(socket, limits, &self.observe, route, reads, drain).await;
    }

    /// Who is at the other end. `None` if the connection ends here, because a proxy did not say whose it is.
    async fn meet(&self, port: &Port, tcp: &mut TcpStream, peer: SocketAddr, deadline: Instant) -> Option<Ends> {
        let met = tokio::time::timeout_at(deadline, proxy_protocol::ends(&port.proxies, tcp, peer)).await;
        let unproven = match met {
            Ok(Ok(ends)) => return Some(ends),
            Ok(Err(unproven)) => unproven,
            Err(_) => Unproven::Malformed("no whole header came in time"),
        };
        match unproven {
            Unproven::Malformed(why) => self.turned_away(Reason::ProxyProtocol, peer, why),
            Unproven::Silent | Unproven::Broken(_) => tracing::debug!(%peer, %unproven, "a proxy went away"),
        }
        None
    }

    fn streams<'a>(&'a self, listener: &'a ListenerState, ends: Ends) -> Streams<'a> {
        let sealed = listener.passes_through();
        Streams { limits: &self.limits, identity: listener.spec.upstream_identity.as_ref(), ends, sealed }
    }

    /// Looks at the ClientHello, and ends TLS if the listener that the name belongs to says so.
    async fn open(&self, port: &Port, tcp: TcpStream, record: &mut Record) -> Result<Opened, Closed> {
        let mut start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), Peeked::new(tcp)).await?;
        let name = start.client_hello().server_name().map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        let listener = port.listeners.for_server_name(name.as_deref()).map(|(_, listener)| listener.clone());
        record.named(name.as_deref());
        if let Some(listener) = &listener {
            record.taken(listener);
        }
        if let Some(listener) = &listener
            && listener.passes_through()
        {
            let route = listener.streams.find(name.as_deref()).cloned();
            start.io.rewind();
            return Ok(Opened::Passed(listener.clone(), route, start.io));
        }
        // Who only passes TLS through speaks none of its own, alerts neither.
        if listener.is_none() && port.listeners.iter().all(|(_, listener)| listener.passes_through()) {
            return Err(Closed { reason: Reason::ServerName, error: io::Error::other("no listener has the name") });
        }
        start.io.forget();
        let tls =
            listener.as_ref().and_then(|listener| listener.tls.as_ref()).and_then(|tls| tls.as_ref().ok()).cloned();
        let (Some(listener), Some(tls)) = (listener, tls) else {
            let error = match start.into_stream(self.refusing.clone()).await {
                Ok(_) => io::Error::other("no certificate"),
                Err(error) => error,
            };
            return Err(Closed { reason: Reason::ServerName, error });
        };
        let config = tls.server.config(&start.client_hello());
        let stream = start.into_stream(config).await?;
        record.named(name.as_deref());
        let client = stream.get_ref().1.peer_certificates();
        let facts = TlsFacts::new(listener.spec.id.clone(), &tls, client, record.so_far());
        let facts =
            facts.map_err(|error| Closed { reason: Reason::ClientCertificate, error: io::Error::other(error) })?;
        Ok(Opened::Ended(listener, Box::new(stream), Box::new(facts)))
    }

    async fn go_on(
        self: &Arc<Self>,
        bind: Bind,
        ends: Ends,
        opened: Opened,
        record: Record,
        drain: watch::Receiver<bool>,
    ) {
        match opened {
            Opened::Passed(listener, route, stream) => {
                Box::pin(self.serve_passed(listener, route, stream, ends, record, drain)).await;
            }
            Opened::Ended(listener, stream, facts) => match listener.spec.protocol {
                Protocol::Tls => {
                    let identity = if listener.leaves { facts.spiffe_id(&listener) } else { None };
                    Box::pin(self.serve_opened(listener, identity, stream, ends, record, drain)).await;
                }
                Protocol::Https
                | Protocol::Http
                | Protocol::Tcp
                | Protocol::Udp
                | Protocol::Proxy
                | Protocol::Transparent
                | Protocol::Dns
                | Protocol::DnsOverTcp => {
                    record.hand_over();
                    let connection = Connection::new(bind, ends, Some(*facts));
                    self.serve_http(connection, Box::new(TlsIo::new(*stream)), drain).await;
                }
            },
        }
    }
}
