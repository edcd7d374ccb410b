//! Listening sockets. They follow the snapshot: those that it still wants stay as they are, and nothing that is
//! connected is closed because something else changed.

use lychgate_engine::{Bind, Engine};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The pause after an accept that failed because the process is out of descriptors or memory.
const BREATH: Duration = Duration::from_millis(50);

/// The open sockets of one engine.
pub struct Sockets {
    engine: Arc<Engine>,
    open: BTreeMap<Bind, Open>,
    connections: Connections,
}

struct Open {
    accepting: JoinHandle<()>,
    drain: watch::Sender<bool>,
}

/// Counts connections, and tells when the last one is gone.
#[derive(Clone, Default)]
struct Connections {
    count: Arc<AtomicUsize>,
    changed: Arc<watch::Sender<()>>,
}

struct Counted(Connections);

impl Connections {
    fn enter(&self) -> Counted {
        self.count.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.changed.send_replace(());
        }
    }
}

impl Sockets {
    /// No socket is open yet.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine, open: BTreeMap::new(), connections: Connections::default() }
    }

    /// Opens the sockets that the engine's snapshot wants and drains those that it does not want any more. What cannot
    /// be opened is returned, and tried again at the next call.
    pub async fn follow(&mut self) -> BTreeMap<Bind, io::Error> {
        let wanted = self.engine.binds();
        self.close_others(&wanted).await;
        let mut failed = BTreeMap::new();
        for bind in wanted {
            if self.open.contains_key(&bind) {
                continue;
            }
            match listen(bind) {
                Ok(listener) => {
                    let (drain, draining) = watch::channel(false);
                    let accept = accept(self.engine.clone(), bind, listener, draining, self.connections.clone());
                    self.open.insert(bind, Open { accepting: tokio::spawn(accept), drain });
                    tracing::info!(%bind, "listening");
                }
                Err(error) => {
                    failed.insert(bind, error);
                }
            }
        }
        failed
    }

    async fn close_others(&mut self, wanted: &BTreeSet<Bind>) {
        let gone: Vec<Bind> = self.open.keys().filter(|bind| !wanted.contains(bind)).copied().collect();
        for bind in gone {
            if let Some(Open { accepting, drain }) = self.open.remove(&bind) {
                accepting.abort();
                // The socket is closed when the task has ended: another one may want the same port now.
                let _ = accepting.await;
                drain.send_replace(true);
                tracing::info!(%bind, "not listening any more; its connections drain");
            }
        }
    }

    /// The sockets that are open.
    pub fn binds(&self) -> impl Iterator<Item = &Bind> {
        self.open.keys()
    }

    /// Stops accepting, and waits until all connections have ended, but no longer than `patience`. Tells how many were
    /// left.
    pub async fn drain(mut self, patience: Duration) -> usize {
        let mut changed = self.connections.changed.subscribe();
        self.close_others(&BTreeSet::new()).await;
        let count = self.connections.count.clone();
        let empty = async { while count.load(Ordering::Relaxed) > 0 && changed.changed().await.is_ok() {} };
        // Too late is said by the count.
        let _ = tokio::time::timeout(patience, empty).await;
        count.load(Ordering::Relaxed)
    }
}

fn listen(bind: Bind) -> io::Result<TcpListener> {
    let open = |address: SocketAddr| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(bind.address.is_some())?;
        }
        // A restart shall not have to wait for connections of the process before it.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    match open(bind.socket()) {
        // A host without IPv6.
        Err(error) if bind.address.is_none() && error.kind() != io::ErrorKind::AddrInUse => {
            open((Ipv4Addr::UNSPECIFIED, bind.port).into())
        }
        opened => opened,
    }
}

async fn accept(
    engine: Arc<Engine>,
    bind: Bind,
    listener: TcpListener,
    drain: watch::Receiver<bool>,
    connections: Connections,
) {
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => {
                let serve = engine.clone().serve(bind, tcp, peer, drain.clone());
                let counted = connections.enter();
                tokio::spawn(async move {
                    let _counted = counted;
                    serve.await;
                });
            }
            // The client was faster with its farewell.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%bind, %error, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}
