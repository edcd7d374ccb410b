//! Listening sockets. They follow the snapshot: those that it still wants stay as they are, and nothing that is
//! connected is closed because something else changed.

mod connections;

use crate::workers::Workers;
use connections::Connections;
use lychgate_engine::{Bind, Engine, Speaks};
use lychgate_ir::Transport;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{self, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The pause after an accept that failed because the process is out of descriptors or memory.
const BREATH: Duration = Duration::from_millis(50);

/// The open sockets of one engine.
pub struct Sockets {
    engine: Arc<Engine>,
    workers: Workers,
    patience: Duration,
    open: BTreeMap<Bind, Open>,
    /// Sockets that somebody else has opened.
    inherited: BTreeMap<Bind, Socket>,
    /// Whether nothing is accepted for now, because somebody else does.
    held: bool,
    connections: Connections,
}

struct Open {
    spoken: Speaks,
    door: Arc<Door>,
    work: Work,
    /// Turns true when the connections that there are have to end.
    drain: watch::Sender<bool>,
}

/// The socket, and who takes from it.
enum Work {
    /// Accepting ends when the set is dropped.
    Tcp {
        listener: Arc<TcpListener>,
        accepting: JoinSet<()>,
    },
    Udp {
        socket: Arc<UdpSocket>,
        reads: watch::Sender<bool>,
    },
}

impl Sockets {
    /// No socket is open yet. Connections of a socket that is closed have `patience` to end.
    pub(crate) fn new(engine: Arc<Engine>, workers: Workers, patience: Duration) -> Self {
        let (open, inherited) = (BTreeMap::new(), BTreeMap::new());
        Self { engine, workers, patience, open, inherited, held: false, connections: Connections::default() }
    }

    /// Uses these sockets where they are wanted, and accepts nothing before it is told to go on.
    pub(crate) fn inherit(mut self, inherited: BTreeMap<Bind, Socket>) -> Self {
        self.inherited = inherited;
        self.held = true;
        self
    }

    /// Opens the sockets that the engine's snapshot wants and drains those that it does not want any more. What cannot
    /// be opened is returned, and tried again at the next call.
    pub async fn follow(&mut self) -> BTreeMap<Bind, io::Error> {
        let wanted = self.engine.binds();
        self.close_others(&wanted).await;
        let mut failed = BTreeMap::new();
        for (bind, spoken) in wanted {
            if self.open.contains_key(&bind) {
                continue;
            }
            match self.open(bind, spoken) {
                Ok(open) => {
                    self.open.insert(bind, open);
                    tracing::info!(%bind, "listening");
                }
                Err(error) => {
                    failed.insert(bind, error);
                }
            }
        }
        failed
    }

    fn open(&mut self, bind: Bind, spoken: Speaks) -> io::Result<Open> {
        let inherited = self.inherited.remove(&bind);
        let (drain, draining) = watch::channel(false);
        let (engine, workers, connections) = (self.engine.clone(), self.workers.clone(), self.connections.clone());
        let door = Arc::new(Door { engine, workers, bind, draining, connections, patience: self.patience });
        let work = match bind.transport {
            Transport::Tcp => Work::Tcp { listener: Arc::new(listen(bind, inherited)?), accepting: JoinSet::new() },
            Transport::Udp => {
                let socket = Arc::new(datagrams(bind, inherited)?);
                let (reads, reading) = watch::channel(false);
                tokio::spawn(door.clone().carry(socket.clone(), reading));
                Work::Udp { socket, reads }
            }
        };
        let mut open = Open { spoken, door, work, drain };
        if !self.held {
            open.go_on();
        }
        Ok(open)
    }

    /// Closes those that are not wanted, or that shall speak something else from now on.
    async fn close_others(&mut self, wanted: &BTreeMap<Bind, Speaks>) {
        let is_gone = |(bind, open): (&Bind, &Open)| (wanted.get(bind) != Some(&open.spoken)).then_some(*bind);
        let gone: Vec<Bind> = self.open.iter().filter_map(is_gone).collect();
        for bind in gone {
            if let Some(open) = self.open.remove(&bind) {
                open.close().await;
                tracing::info!(%bind, "not listening any more; its connections drain");
            }
        }
    }

    /// The sockets that are open.
    pub fn binds(&self) -> impl Iterator<Item = &Bind> {
        self.open.keys()
    }

    /// The sockets themselves.
    pub(crate) fn shared(&self) -> Vec<(Bind, BorrowedFd<'_>)> {
        self.open.iter().map(|(bind, open)| (*bind, open.work.as_fd())).collect()
    }

    /// Lets what comes wait in the sockets, for whoever goes on with it.
    pub(crate) async fn hold(&mut self) {
        self.held = true;
        for open in self.open.values_mut() {
            open.hold().await;
        }
    }

    /// Goes on with what waits. Sockets that were inherited and are of no use are closed.
    pub(crate) fn go_on(&mut self) {
        self.held = false;
        self.inherited.clear();
        self.open.values_mut().for_each(Open::go_on);
    }

    /// Lets go of sockets that somebody else serves now; their connections drain.
    pub(crate) async fn leave(&mut self, others: &BTreeSet<Bind>) {
        for bind in others {
            if let Some(open) = self.open.remove(bind) {
                open.leave().await;
                tracing::info!(%bind, "somebody else listens; its connections drain");
            }
        }
    }

    /// Stops accepting, and waits until all connections have ended, but no longer than allowed. Tells how many did not
    /// end by themselves.
    pub async fn drain(mut self) -> usize {
        let connections = self.connections.clone();
        self.close_others(&BTreeMap::new()).await;
        let left = connections.ended(self.patience).await;
        self.workers.end().await;
        left
    }
}

impl Open {
    fn go_on(&mut self) {
        match &mut self.work {
            Work::Tcp { listener, accepting } => {
                if accepting.is_empty() {
                    accepting.spawn(self.door.clone().accept(listener.clone()));
                }
            }
            Work::Udp { socket: _, reads } => {
                reads.send_replace(true);
            }
        }
    }

    async fn hold(&mut self) {
        match &mut self.work {
            Work::Tcp { listener: _, accepting } => accepting.shutdown().await,
            Work::Udp { socket: _, reads } => {
                reads.send_replace(false);
            }
        }
    }

    /// Somebody else serves the socket.
    async fn leave(mut self) {
        self.hold().await;
        self.drain.send_replace(true);
    }

    /// Nobody serves the socket any more.
    async fn close(mut self) {
        match &self.work {
            Work::Tcp { listener, accepting: _ } => {
                let listener = listener.clone();
                self.hold().await;
                if let Err(error) = self.door.sweep(&listener) {
                    let bind = self.door.bind;
                    tracing::warn!(%bind, %error, "who waits cannot be accepted any more, and is lost with the socket");
                }
            }
            // Datagrams have no socket of their own for each flow, so theirs stays open and is read until the flows are
            // silent.
            Work::Udp { .. } => {}
        }
        // The socket is closed first: another one may want the same port now.
        let Self { spoken: _, door: _, work, drain } = self;
        match work {
            Work::Tcp { listener, accepting: _ } => drop(listener),
            Work::Udp { socket: _, reads } => {
                reads.send_replace(true);
            }
        }
        drain.send_replace(true);
    }
}

impl AsFd for Work {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp { listener, accepting: _ } => listener.as_fd(),
            Self::Udp { socket, reads: _ } => socket.as_fd(),
        }
    }
}

fn listen(bind: Bind, inherited: Option<Socket>) -> io::Result<TcpListener> {
    let socket = match inherited {
        Some(socket) => socket,
        None => {
            let socket = bound(bind, Type::STREAM, Protocol::TCP)?;
            socket.listen(BACKLOG)?;
            socket
        }
    };
    TcpListener::from_std(socket.into())
}

fn datagrams(bind: Bind, inherited: Option<Socket>) -> io::Result<UdpSocket> {
    let socket = inherited.map_or_else(|| bound(bind, Type::DGRAM, Protocol::UDP), Ok)?;
    UdpSocket::from_std(socket.into())
}

fn bound(bind: Bind, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let open = |address: SocketAddr| -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
        if address.is_ipv6() {
            socket.set_only_v6(bind.address.is_some())?;
        }
        if bind.transport == Transport::Tcp {
            // A restart shall not have to wait for connections of the process before it. For datagrams it would mean
            // that two processes share the port.
            socket.set_reuse_address(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    };
    match open(bind.socket()) {
        // A host without IPv6.
        Err(error) if bind.address.is_none() && error.kind() != io::ErrorKind::AddrInUse => {
            open((Ipv4Addr::UNSPECIFIED, bind.port).into())
        }
        opened => opened,
    }
}

/// Where connections of one socket come in.
struct Door {
    engine: Arc<Engine>,
    workers: Workers,
    bind: Bind,
    draining: watch::Receiver<bool>,
    connections: Connections,
    patience: Duration,
}

impl Door {
    /// Accepts until aborted.
    async fn accept(self: Arc<Self>, listener: Arc<TcpListener>) {
        loop {
            match listener.accept().await {
                Ok((tcp, peer)) => self.serve(tcp, peer),
                // The client was faster with its farewell.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(bind = %self.bind, %error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    /// Accepts those that wait already: they would be reset when the socket is closed. No more can have been waiting than
    /// its backlog has room for.
    fn sweep(&self, listener: &TcpListener) -> io::Result<()> {
        let socket = net::TcpListener::from(listener.as_fd().try_clone_to_owned()?);
        for _ in 0..BACKLOG {
            match waiting(&socket) {
                Ok(Some((tcp, peer))) => self.serve(tcp, peer),
                Ok(None) => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn serve(&self, tcp: TcpStream, peer: SocketAddr) {
        let (engine, bind, patience) = (self.engine.clone(), self.bind, self.patience);
        let (draining, late) = (self.draining.clone(), self.draining.clone());
        let counted = self.connections.enter();
        self.workers.serve(tcp, async move |tcp| {
            // Made here: a future that is moved in has its room twice, for as long as the connection is open.
            tokio::select! {
                () = engine.serve(bind, tcp, peer, draining) => drop(counted),
                () = too_late(late, patience) => counted.cut(),
            }
        });
    }

    /// Carries datagrams. All flows of the socket count as one connection.
    async fn carry(self: Arc<Self>, socket: Arc<UdpSocket>, reads: watch::Receiver<bool>) {
        let counted = self.connections.enter();
        let draining = || self.draining.clone();
        tokio::select! {
            () = self.engine.clone().serve_datagrams(self.bind, socket, reads, draining()) => drop(counted),
            () = too_late(draining(), self.patience) => counted.cut(),
        }
    }
}

/// Ends when what is there should have ended.
async fn too_late(mut draining: watch::Receiver<bool>, patience: Duration) {
    // The guard must not live on across the sleep.
    let drain = draining.wait_for(|drain| *drain).await.is_ok();
    match drain {
        true => tokio::time::sleep(patience).await,
        // All doors are gone, so the process ends.
        false => std::future::pending().await,
    }
}

/// A connection that waits already, if there is one. The socket itself is asked: the runtime may not have heard of it yet.
fn waiting(socket: &net::TcpListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
    let (tcp, peer) = match socket.accept() {
        Ok(accepted) => accepted,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    tcp.set_nonblocking(true)?;
    Ok(Some((TcpStream::from_std(tcp)?, peer)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
