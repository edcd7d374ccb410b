//! From an accepted connection or a datagram socket to whoever serves it.

use crate::connection::{Connection, Pass, Peeked, TlsFacts, TlsIo};
use crate::engine::Engine;
use crate::runtime::{Bind, ListenerState, Port, Speaks};
use crate::stream::{StreamState, Streams, serve_udp};
use lychgate_ir::Protocol;
use lychgate_telemetry::SocketMetrics;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::protocols::{GetSocketDigest, SocketDigest};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// What a ClientHello led to.
enum Opened {
    /// TLS is ended here, as the listener says.
    Ended(Arc<ListenerState>, Box<TlsStream<Peeked>>, TlsFacts),
    /// TLS is the backend's business.
    Passed(Arc<ListenerState>, Option<Arc<StreamState>>, Peeked),
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
    pub async fn serve(self: Arc<Self>, bind: Bind, tcp: TcpStream, peer: SocketAddr, drain: watch::Receiver<bool>) {
        // Latency matters more than packet count; without it the connection only is slower.
        let _ = tcp.set_nodelay(true);
        let Some(port) = self.port(bind) else { return };
        let _open = Open::new(&port.metrics);
        let Some(_passes) = self.let_in(bind, peer) else { return };
        match port.speaks {
            Speaks::Http => {
                let connection = Connection::new(bind, peer, None);
                let socket = SocketDigest::from_raw_fd(tcp.as_raw_fd());
                let mut stream: L4Stream = tcp.into();
                stream.set_socket_digest(socket);
                self.serve_http(connection, Box::new(stream), drain).await;
            }
            Speaks::Tls => match tokio::time::timeout(self.limits.handshake, self.open(&port, tcp)).await {
                Ok(Ok(opened)) => self.go_on(bind, peer, opened, drain).await,
                Ok(Err(error)) => {
                    port.metrics.handshake_failed();
                    tracing::debug!(%bind, %peer, %error, "TLS handshake failed");
                }
                Err(_) => {
                    port.metrics.handshake_failed();
                    tracing::debug!(%bind, %peer, "TLS handshake took too long");
                }
            },
            Speaks::Tcp => {
                let Some(listener) = port.listeners.for_host("") else { return };
                match listener.streams.find(None) {
                    Some(route) => self.streams(listener, peer).carry(tcp, route).await,
                    None => {
                        listener.stream_metrics.refused();
                        tracing::debug!(%bind, %peer, "no TCPRoute: the connection is closed");
                    }
                }
            }
            // Datagrams have no connections.
            Speaks::Udp => {}
        }
    }

    /// Lets a connection in, if there are not too many. Who is over a limit is told nothing: that would cost us more.
    fn let_in(&self, bind: Bind, peer: SocketAddr) -> Option<(Pass<Bind>, Pass<IpAddr>)> {
        let Some(of_socket) = self.quotas.of_socket(bind) else {
            self.turned_away("too_many_connections", peer, "the socket has as many connections as it may");
            return None;
        };
        let Some(of_source) = self.quotas.of_source(peer.ip()) else {
            self.turned_away("too_many_connections_of_source", peer, "the client has as many connections as it may");
            return None;
        };
        Some((of_socket, of_source))
    }

    fn turned_away(&self, reason: &'static str, peer: SocketAddr, detail: &str) {
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
        let limits = self.limits.clone();
        let route = || {
            let port = self.port(bind)?;
            let listener = port.listeners.for_host("")?;
            Some((listener.streams.find(None)?.clone(), listener.stream_metrics.clone()))
        };
        serve_udp(socket, limits, route, reads, drain).await;
    }

    fn streams<'a>(&'a self, listener: &'a ListenerState, peer: SocketAddr) -> Streams<'a> {
        let sealed = listener.spec.protocol == Protocol::Tls && listener.tls.is_none();
        Streams {
            limits: &self.limits,
            metrics: &listener.stream_metrics,
            identity: listener.spec.upstream_identity.as_ref(),
            peer,
            sealed,
        }
    }

    /// Looks at the ClientHello, and ends TLS if the listener that the name belongs to says so.
    async fn open(&self, port: &Port, tcp: TcpStream) -> io::Result<Opened> {
        let mut start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), Peeked::new(tcp)).await?;
        let name = start.client_hello().server_name().map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        let listener = port.listeners.for_server_name(name.as_deref()).map(|(_, listener)| listener.clone());
        if let Some(listener) = &listener
            && listener.spec.protocol == Protocol::Tls
            && listener.tls.is_none()
        {
            let route = listener.streams.find(name.as_deref()).cloned();
            start.io.rewind();
            return Ok(Opened::Passed(listener.clone(), route, start.io));
        }
        start.io.forget();
        let tls =
            listener.as_ref().and_then(|listener| listener.tls.as_ref()).and_then(|tls| tls.as_ref().ok()).cloned();
        let (Some(listener), Some(tls)) = (listener, tls) else {
            start.into_stream(self.refusing.clone()).await?;
            return Err(io::Error::other("no listener has this name, or its TLS settings are broken"));
        };
        let stream = start.into_stream(tls.server.config.clone()).await?;
        let facts = TlsFacts::new(listener.spec.id.clone(), &tls, stream.get_ref().1.peer_certificates());
        let facts = facts.map_err(io::Error::other)?;
        Ok(Opened::Ended(listener, Box::new(stream), facts))
    }

    async fn go_on(&self, bind: Bind, peer: SocketAddr, opened: Opened, drain: watch::Receiver<bool>) {
        match opened {
            Opened::Passed(listener, Some(route), stream) => self.streams(&listener, peer).carry(stream, &route).await,
            Opened::Passed(listener, None, _) => {
                listener.stream_metrics.refused();
                tracing::debug!(listener = %listener.spec.id, %peer, "no TLSRoute has the name: the connection is closed");
            }
            Opened::Ended(listener, stream, facts) => match listener.spec.protocol {
                Protocol::Tls => {
                    let name = stream.get_ref().1.server_name().map(|name| name.trim_end_matches('.').to_owned());
                    match listener.streams.find(name.as_deref()) {
                        Some(route) => self.streams(&listener, peer).carry(*stream, route).await,
                        None => {
                            listener.stream_metrics.refused();
                            tracing::debug!(listener = %listener.spec.id, %peer, "no TLSRoute has the name");
                        }
                    }
                }
                Protocol::Https | Protocol::Http | Protocol::Tcp | Protocol::Udp => {
                    let connection = Connection::new(bind, peer, Some(facts));
                    self.serve_http(connection, Box::new(TlsIo::new(*stream)), drain).await;
                }
            },
        }
    }
}
