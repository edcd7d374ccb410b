//! Datagrams of a UDPRoute. The datagrams of one client are a flow: they go to one endpoint, and what that endpoint
//! sends goes back to the client, until neither has said anything for a while.

use super::StreamState;
use crate::limits::Limits;
use crate::upstream::Picked;
use lychgate_ir::Refusal;
use lychgate_telemetry::{Direction, StreamMetrics};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// No datagram is larger.
const MAX_DATAGRAM: usize = 65_535;

/// Datagrams of one client that may wait for its flow: DNS may take a moment.
const WAITING: usize = 16;

/// The flows of one socket, by client.
type Flows = Arc<Mutex<HashMap<SocketAddr, Slot>>>;

enum Slot {
    /// It has no endpoint yet; what came so far waits.
    Opening(Vec<Vec<u8>>),
    Open(Arc<Flow>),
}

struct Flow {
    upstream: UdpSocket,
    /// Datagrams both ways, to tell talk from silence.
    datagrams: AtomicU64,
    metrics: Arc<StreamMetrics>,
    _picked: Picked,
}

/// Serves a socket until told to drain; flows that are running go on until they are silent.
pub(crate) async fn serve(
    socket: Arc<UdpSocket>,
    limits: Limits,
    route: impl Fn() -> Option<(Arc<StreamState>, Arc<StreamMetrics>)>,
    mut drain: watch::Receiver<bool>,
) {
    let flows: Flows = Flows::default();
    let mut datagram = vec![0; MAX_DATAGRAM];
    let mut accepting = true;
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut datagram) => received,
            _ = drain.wait_for(|drain| *drain), if accepting => {
                accepting = false;
                if is_empty(&flows) {
                    return;
                }
                continue;
            }
            () = tokio::time::sleep(limits.datagram_idle), if !accepting => {
                if is_empty(&flows) {
                    return;
                }
                continue;
            }
        };
        let (length, client) = match received {
            Ok(received) => received,
            // An earlier answer found its client gone; that says nothing of this socket.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => {
                tracing::warn!(%error, "datagrams cannot be received");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(datagram) = datagram.get(..length) else { continue };
        if known(&flows, client, datagram) || !accepting {
            continue;
        }
        let Some((route, metrics)) = route() else { continue };
        if !begin(&flows, limits.flows, client, datagram) {
            metrics.refused();
            tracing::debug!(rule = %route.id, %client, "too many flows: the datagram is dropped");
            continue;
        }
        let (socket, flows, limits) = (socket.clone(), flows.clone(), limits.clone());
        tokio::spawn(async move {
            if let Err(error) = run(socket, client, &route, &metrics, &flows, &limits).await {
                tracing::debug!(rule = %route.id, %client, %error, "flow ended");
            }
        });
    }
}

fn locked(flows: &Flows) -> MutexGuard<'_, HashMap<SocketAddr, Slot>> {
    flows.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_empty(flows: &Flows) -> bool {
    locked(flows).is_empty()
}

/// Passes a datagram on to the client's flow, if there is one.
fn known(flows: &Flows, client: SocketAddr, datagram: &[u8]) -> bool {
    match locked(flows).get_mut(&client) {
        Some(Slot::Open(flow)) => flow.send(datagram),
        Some(Slot::Opening(waiting)) if waiting.len() < WAITING => waiting.push(datagram.to_vec()),
        Some(Slot::Opening(_)) => {}
        None => return false,
    }
    true
}

/// Makes room for a flow, if there is any.
fn begin(flows: &Flows, most: usize, client: SocketAddr, datagram: &[u8]) -> bool {
    let mut flows = locked(flows);
    let room = flows.len() < most;
    if room {
        flows.insert(client, Slot::Opening(vec![datagram.to_vec()]));
    }
    room
}

impl Flow {
    fn send(&self, datagram: &[u8]) {
        self.datagrams.fetch_add(1, Ordering::Relaxed);
        self.metrics.carried(Direction::Up, datagram.len() as u64);
        // A datagram that the kernel does not take now is lost, as datagrams are.
        let _ = self.upstream.try_send(datagram);
    }
}

/// Opens a flow and carries its answers.
async fn run(
    socket: Arc<UdpSocket>,
    client: SocketAddr,
    route: &StreamState,
    metrics: &Arc<StreamMetrics>,
    flows: &Flows,
    limits: &Limits,
) -> io::Result<()> {
    metrics.opened();
    let _gone = Gone { flows: flows.clone(), client, metrics: metrics.clone() };
    let backend = route.backend().map_err(|refusal: Refusal| {
        metrics.refused();
        io::Error::other(refusal.message.to_string())
    })?;
    let picked = backend.pick(None, &[], limits.resolve).await.ok_or_else(|| {
        metrics.refused();
        io::Error::other(format!("{} has no ready endpoint", backend.id))
    })?;
    let address = picked.endpoint().address;
    let local: SocketAddr =
        if address.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let upstream = UdpSocket::bind(local).await?;
    upstream.connect(address).await?;
    // Until the first event says so, the socket does not count as one that takes anything.
    upstream.writable().await?;
    let flow = Arc::new(Flow { upstream, datagrams: AtomicU64::new(0), metrics: metrics.clone(), _picked: picked });
    if let Some(Slot::Opening(waiting)) = locked(flows).insert(client, Slot::Open(flow.clone())) {
        waiting.iter().for_each(|datagram| flow.send(datagram));
    }
    answer(&socket, client, &flow, limits.datagram_idle).await
}

/// Carries answers until there is silence.
async fn answer(socket: &UdpSocket, client: SocketAddr, flow: &Flow, idle: Duration) -> io::Result<()> {
    let mut seen = flow.datagrams.load(Ordering::Relaxed);
    loop {
        match tokio::time::timeout(idle, flow.upstream.readable()).await {
            Ok(readable) => {
                readable?;
                flow.datagrams.fetch_add(1, Ordering::Relaxed);
                pass(flow, socket, client)?;
            }
            Err(_) => {
                let now = flow.datagrams.load(Ordering::Relaxed);
                if now == seen {
                    return Ok(());
                }
                seen = now;
            }
        }
    }
}

/// Passes one datagram on, if one is there. The buffer is the thread's: flows are many, and most of them are silent.
fn pass(flow: &Flow, socket: &UdpSocket, client: SocketAddr) -> io::Result<()> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_DATAGRAM]);
    }
    BUFFER.with_borrow_mut(|buffer| match flow.upstream.try_recv(buffer) {
        Ok(length) => {
            if let Some(datagram) = buffer.get(..length) {
                flow.metrics.carried(Direction::Down, length as u64);
                // A datagram that the kernel does not take now is lost, as datagrams are.
                let _ = socket.try_send_to(datagram, client);
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    })
}

/// Takes a flow out of the table when its task ends, however it ends.
struct Gone {
    flows: Flows,
    client: SocketAddr,
    metrics: Arc<StreamMetrics>,
}

impl Drop for Gone {
    fn drop(&mut self) {
        locked(&self.flows).remove(&self.client);
        self.metrics.closed();
    }
}
