//! The server: its sockets, its life, and what a test asks of it.

mod accept;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{EchoConfig, EchoIdentity, RawMode, TlsPort};
use crate::flaky::Attempts;
use crate::gates::Gates;
use crate::journal::{Counts, Journal, Recorded};
use crate::limits::{MAX_CONNECTIONS, SHUTDOWN_GRACE};
use crate::udp;

/// A port by what it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// HTTP/1.1, h2c, gRPC and WebSocket in the clear.
    Http,
    /// The same over TLS.
    Https,
    /// TCP echo.
    Tcp,
    /// TCP echo under TLS.
    Tls,
    /// UDP echo.
    Udp,
}

/// What all tasks of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) identity: EchoIdentity,
    pub(crate) raw: RawMode,
    /// Whether connections begin with a header of the PROXY protocol.
    pub(crate) introduced: bool,
    pub(crate) journal: Arc<Journal>,
    pub(crate) gates: Gates,
    pub(crate) attempts: Attempts,
    pub(crate) tasks: TaskTracker,
    /// Take nothing new, finish what is there.
    pub(crate) closing: CancellationToken,
    /// Stop at once.
    pub(crate) cut: CancellationToken,
    room: Arc<Semaphore>,
    connection_numbers: AtomicU64,
}

/// A running echo server. Dropping it cuts every connection; [`EchoServer::shutdown`] lets them finish.
#[derive(Debug)]
pub struct EchoServer {
    shared: Arc<Shared>,
    addresses: Vec<(Port, SocketAddr)>,
}

impl EchoServer {
    /// Binds every port of the configuration, or none, and serves them. Needs a tokio runtime.
    ///
    /// # Errors
    /// A port that cannot be bound, named with its address.
    pub async fn bind(config: EchoConfig) -> io::Result<Self> {
        let EchoConfig { http, https, tcp, tls, udp, identity, raw, recorded, introduced } = config;
        let shared = Arc::new(Shared {
            identity,
            raw,
            introduced,
            journal: Arc::new(Journal::new(recorded)),
            gates: Gates::default(),
            attempts: Attempts::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            cut: CancellationToken::new(),
            room: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            connection_numbers: AtomicU64::new(0),
        });
        let under_tls = |port: TlsPort| {
            let TlsPort { addr, tls } = port;
            (addr, TlsAcceptor::from(tls))
        };
        let wanted = [
            http.map(|addr| (Port::Http, addr, accept::Serve::Http)),
            https.map(under_tls).map(|(addr, tls)| (Port::Https, addr, accept::Serve::Https(tls))),
            tcp.map(|addr| (Port::Tcp, addr, accept::Serve::Tcp)),
            tls.map(under_tls).map(|(addr, tls)| (Port::Tls, addr, accept::Serve::Tls(tls))),
        ];
        let mut addresses = Vec::new();
        let mut listeners = Vec::new();
        for (port, addr, serve) in wanted.into_iter().flatten() {
            let listener = TcpListener::bind(addr).await.map_err(|error| cannot_bind(port, addr, &error))?;
            addresses.push((port, listener.local_addr()?));
            listeners.push((listener, serve));
        }
        let mut datagrams = None;
        if let Some(addr) = udp {
            let socket = UdpSocket::bind(addr).await.map_err(|error| cannot_bind(Port::Udp, addr, &error))?;
            addresses.push((Port::Udp, socket.local_addr()?));
            datagrams = Some(socket);
        }
        // Nothing is accepted before everything is bound.
        for (listener, serve) in listeners {
            shared.tasks.spawn(accept::run(Arc::clone(&shared), listener, serve));
        }
        if let Some(socket) = datagrams {
            let shared = Arc::clone(&shared);
            shared.tasks.clone().spawn(async move { udp::serve(&shared, socket).await });
        }
        Ok(Self { shared, addresses })
    }

    /// The address of a port, with the number that the kernel chose; `None` if it is not served.
    pub fn local_addr(&self, port: Port) -> Option<SocketAddr> {
        self.addresses.iter().find(|(served, _)| *served == port).map(|(_, addr)| *addr)
    }

    /// Every port that is served.
    pub fn local_addrs(&self) -> &[(Port, SocketAddr)] {
        &self.addresses
    }

    /// Who answers.
    pub fn identity(&self) -> &EchoIdentity {
        &self.shared.identity
    }

    /// The requests seen, oldest first; the oldest go once there are too many.
    pub fn requests(&self) -> Vec<Arc<Recorded>> {
        self.shared.journal.requests()
    }

    /// How often what happened.
    pub fn counts(&self) -> Counts {
        self.shared.journal.counts()
    }

    /// Waits until the counts are as wanted, and gives them back.
    pub async fn wait_for(&self, enough: impl FnMut(&Counts) -> bool) -> Counts {
        self.shared.journal.wait_for(enough).await
    }

    /// Waits for the `n`th request, from 1; `None` if it is no longer kept.
    pub async fn nth_request(&self, n: u64) -> Option<Arc<Recorded>> {
        self.wait_for(|counts| counts.requests >= n).await;
        self.requests().into_iter().find(|recorded| recorded.number == n)
    }

    /// Opens a gate: requests with `hold=name` (or `hold-body=name`) go on, those that wait and those to come.
    pub fn release(&self, name: &str) {
        self.shared.gates.release(name);
    }

    /// Shuts a gate again for requests to come.
    pub fn shut(&self, name: &str) {
        self.shared.gates.shut(name);
    }

    /// How many requests wait at a gate.
    pub fn held(&self, name: &str) -> usize {
        self.shared.gates.held(name)
    }

    /// Waits until at least `count` requests wait at a gate.
    pub async fn wait_held(&self, name: &str, count: usize) {
        self.shared.gates.wait_held(name, count).await;
    }

    /// Stops listening, opens all gates, lets what is in flight finish for
    /// [`SHUTDOWN_GRACE`](crate::limits::SHUTDOWN_GRACE), and cuts what is left. When it returns, the ports are free.
    pub async fn shutdown(self) {
        let shared = &self.shared;
        shared.closing.cancel();
        shared.gates.release_all();
        shared.tasks.close();
        if tokio::time::timeout(SHUTDOWN_GRACE, shared.tasks.wait()).await.is_err() {
            shared.cut.cancel();
            shared.tasks.wait().await;
        }
    }

    /// Stops listening and cuts every connection, as a crash would. When it returns, the ports are free.
    pub async fn kill(self) {
        let shared = &self.shared;
        shared.closing.cancel();
        shared.cut.cancel();
        shared.tasks.close();
        shared.tasks.wait().await;
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.shared.closing.cancel();
        self.shared.cut.cancel();
    }
}

fn cannot_bind(port: Port, addr: SocketAddr, error: &io::Error) -> io::Error {
    let name = match port {
        Port::Http => "HTTP",
        Port::Https => "HTTPS",
        Port::Tcp => "TCP",
        Port::Tls => "TLS",
        Port::Udp => "UDP",
    };
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "; something else listens there, choose another port",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege, choose a higher one",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    };
    io::Error::new(error.kind(), format!("the echo server's {name} port {addr}: {error}{hint}"))
}
