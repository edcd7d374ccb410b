//! Listening sockets. They follow the snapshot: those that it still wants stay as they are, and nothing that is
//! connected is closed because something else changed.

mod connections;

use connections::Connections;
use lychgate_engine::{Bind, Engine, Speaks};
use lychgate_ir::Transport;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The pause after an accept that failed because the process is out of descriptors or memory.
const BREATH: Duration = Duration::from_millis(50);

/// The open sockets of one engine.
pub struct Sockets {
    engine: Arc<Engine>,
    patience: Duration,
    open: BTreeMap<Bind, Open>,
    connections: Connections,
}

struct Open {
    spoken: Speaks,
    accepting: JoinHandle<()>,
    /// Turns true when no more connections are accepted …
    shut: watch::Sender<bool>,
    /// … and this one when those that there are have to end.
    drain: watch::Sender<bool>,
}

impl Sockets {
    /// No socket is open yet. Connections of a socket that is closed have `patience` to end.
    pub fn new(engine: Arc<Engine>, patience: Duration) -> Self {
        Self { engine, patience, open: BTreeMap::new(), connections: Connections::default() }
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

    fn open(&self, bind: Bind, spoken: Speaks) -> io::Result<Open> {
        let (shut, shutting) = watch::channel(false);
        let (drain, draining) = watch::channel(false);
        let door = Door { engine: self.engine.clone(), bind, draining, connections: self.connections.clone() };
        let accepting = match bind.transport {
            Transport::Tcp => tokio::spawn(door.accept(listen(bind)?, shutting, self.patience)),
            Transport::Udp => tokio::spawn(door.carry(datagrams(bind)?, self.patience)),
        };
        Ok(Open { spoken, accepting, shut, drain })
    }

    /// Closes those that are not wanted, or that shall speak something else from now on.
    async fn close_others(&mut self, wanted: &BTreeMap<Bind, Speaks>) {
        let is_gone = |(bind, open): (&Bind, &Open)| (wanted.get(bind) != Some(&open.spoken)).then_some(*bind);
        let gone: Vec<Bind> = self.open.iter().filter_map(is_gone).collect();
        for bind in gone {
            if let Some(Open { spoken: _, accepting, shut, drain }) = self.open.remove(&bind) {
                shut.send_replace(true);
                // Datagrams have no socket of their own for each flow, so theirs stays open until the flows are silent.
                if bind.transport == Transport::Tcp {
                    // The socket is closed when the task has ended: another one may want the same port now.
                    let _ = accepting.await;
                }
                drain.send_replace(true);
                tracing::info!(%bind, "not listening any more; its connections drain");
            }
        }
    }

    /// The sockets that are open.
    pub fn binds(&self) -> impl Iterator<Item = &Bind> {
        self.open.keys()
    }

    /// Stops accepting, and waits until all connections have ended, but no longer than allowed. Tells how many did not
    /// end by themselves.
    pub async fn drain(mut self) -> usize {
        let connections = self.connections.clone();
        self.close_others(&BTreeMap::new()).await;
        connections.ended(self.patience).await
    }
}

fn listen(bind: Bind) -> io::Result<TcpListener> {
    let socket = bound(bind, Type::STREAM, Protocol::TCP)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn datagrams(bind: Bind) -> io::Result<UdpSocket> {
    UdpSocket::from_std(bound(bind, Type::DGRAM, Protocol::UDP)?.into())
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
    bind: Bind,
    draining: watch::Receiver<bool>,
    connections: Connections,
}

impl Door {
    async fn accept(self, listener: TcpListener, mut shut: watch::Receiver<bool>, patience: Duration) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                // An error means that whoever could say so is gone.
                _ = shut.wait_for(|shut| *shut) => break,
            };
            match accepted {
                Ok((tcp, peer)) => self.serve(tcp, peer, patience),
                // The client was faster with its farewell.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(bind = %self.bind, %error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        // Those that wait to be accepted would be reset when the socket is closed. No more of them can have been waiting.
        for _ in 0..BACKLOG {
            let Some(Ok((tcp, peer))) = waiting(&listener).await else { break };
            self.serve(tcp, peer, patience);
        }
    }

    fn serve(&self, tcp: TcpStream, peer: SocketAddr, patience: Duration) {
        let serve = self.engine.clone().serve(self.bind, tcp, peer, self.draining.clone());
        let too_late = too_late(self.draining.clone(), patience);
        let counted = self.connections.enter();
        tokio::spawn(async move {
            tokio::select! {
                () = serve => drop(counted),
                () = too_late => counted.cut(),
            }
        });
    }

    /// Carries datagrams. All flows of the socket count as one connection.
    async fn carry(self, socket: UdpSocket, patience: Duration) {
        let counted = self.connections.enter();
        tokio::select! {
            () = self.engine.clone().serve_datagrams(self.bind, socket, self.draining.clone()) => drop(counted),
            () = too_late(self.draining.clone(), patience) => counted.cut(),
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

/// A connection that waits already, if there is one.
async fn waiting(listener: &TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    let mut accept = pin!(listener.accept());
    std::future::poll_fn(|cx| match accept.as_mut().poll(cx) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
