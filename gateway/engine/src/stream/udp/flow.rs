//! One flow: the datagrams of one client, and the answers of one endpoint.

use super::flows::Flows;
use super::{MAX_DATAGRAM, StreamState};
use crate::limits::Limits;
use crate::stream::meter::Meter;
use crate::stream::relay::Counts;
use crate::stream::{Failure, Record};
use crate::upstream::{BackendCell, EndpointState, Open, Picked};
use lychgate_telemetry::{ConnectFailure, Direction, Reason};
use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::Notify;

/// Endpoints that are tried for one flow, if the system says that nobody is there.
const TRIES: usize = 3;

/// The first datagram is kept for the next endpoint if it is no larger: those that are questions are small.
const KEPT: usize = 2048;

/// A flow with its endpoint.
pub(super) struct Flow {
    upstream: UdpSocket,
    /// Datagrams both ways, to tell talk from silence.
    carried: AtomicU64,
    answers: AtomicU64,
    /// The system said that nobody is there.
    refused: Notify,
    meter: Arc<Meter>,
    picked: Picked,
    _open: Open,
}

/// What a flow is opened with.
pub(super) struct Opening<'a> {
    /// The socket that clients send to.
    pub(super) socket: &'a UdpSocket,
    pub(super) client: SocketAddr,
    pub(super) route: &'a Arc<StreamState>,
    pub(super) limits: &'a Limits,
}

impl Flow {
    pub(super) fn send(&self, datagram: &[u8]) {
        self.carried.fetch_add(1, Ordering::Relaxed);
        self.meter.carried(Direction::Up, datagram.len() as u64);
        match self.upstream.try_send(datagram) {
            // It is said of an earlier datagram, and said once: to whoever uses the socket next.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.refused.notify_one(),
            // A datagram that the kernel does not take now is lost, as datagrams are.
            Ok(_) | Err(_) => {}
        }
    }

    pub(super) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Carries answers until there is silence, nobody there, or no such endpoint any more: its client may go on for ever,
    /// and has to be heard by another.
    async fn answer(&self, socket: &UdpSocket, client: SocketAddr, idle: Duration) -> io::Result<()> {
        let mut seen = self.carried();
        let mut gone = pin!(self.picked.endpoint().gone());
        loop {
            let talk = async {
                tokio::select! {
                    // A refusal makes a socket neither readable nor writable.
                    ready = self.upstream.ready(Interest::READABLE | Interest::ERROR) => ready.map(Some),
                    () = self.refused.notified() => Err(io::ErrorKind::ConnectionRefused.into()),
                    () = &mut gone => Ok(None),
                }
            };
            match tokio::time::timeout(idle, talk).await {
                Ok(ready) => {
                    let Some(ready) = ready? else { return Ok(()) };
                    if ready.is_error() {
                        self.check()?;
                    }
                    self.pass(socket, client)?;
                    // Silence counts from here.
                    seen = self.carried();
                }
                Err(_) if self.carried() == seen => return Ok(()),
                Err(_) => seen = self.carried(),
            }
        }
    }

    /// What is wrong with the endpoint's socket, if something still is.
    fn check(&self) -> io::Result<()> {
        if let Some(error) = self.upstream.take_error()? {
            return Err(error);
        }
        // Somebody else has been told. This makes it wait for the next error.
        let nothing = self.upstream.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        nothing.or_else(|error| if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) })
    }

    /// Passes one datagram on, if one is there. The buffer is the thread's: flows are many, and most of them are silent.
    fn pass(&self, socket: &UdpSocket, client: SocketAddr) -> io::Result<()> {
        thread_local! {
            static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_DATAGRAM]);
        }
        BUFFER.with_borrow_mut(|buffer| match self.upstream.try_recv(buffer) {
            Ok(length) => {
                self.carried.fetch_add(1, Ordering::Relaxed);
                self.answers.fetch_add(1, Ordering::Relaxed);
                self.meter.carried(Direction::Down, length as u64);
                if let Some(datagram) = buffer.get(..length) {
                    // A datagram that the kernel does not take now is lost, as datagrams are.
                    let _ = socket.try_send_to(datagram, client);
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        })
    }
}

impl Opening<'_> {
    /// Opens the flow, and carries it to its end.
    pub(super) async fn run(&self, flows: &Flows, mut record: Record) {
        record.routed(self.route);
        let mut any = false;
        match self.carry(flows, &mut record, &mut any).await {
            // Silence is how flows end.
            Ok(()) => record.done(),
            Err(Failure { reason, detail }) if any => record.failed(reason, detail),
            Err(Failure { reason, detail }) => record.refused(reason, detail),
        }
    }

    /// Where the system says that nobody is there before anybody has answered, the next endpoint is asked instead. `any`
    /// turns true once there is an endpoint.
    async fn carry(&self, flows: &Flows, record: &mut Record, any: &mut bool) -> Result<(), Failure> {
        let place = flows.place(self.client);
        let backend = self.route.backend().map_err(|refusal| Failure::refused(&refusal))?;
        record.goes_to(&backend);
        let mut tried: Vec<Arc<EndpointState>> = Vec::new();
        let mut first: Option<Vec<u8>> = None;
        loop {
            let flow = self.connect(&backend, &mut tried, record).await?;
            *any = true;
            let waited = place.open(&flow);
            match &first {
                Some(datagram) => flow.send(datagram),
                None => first = waited.into_iter().next().filter(|datagram| datagram.len() <= KEPT),
            }
            let Err(error) = flow.answer(self.socket, self.client, self.limits.datagram_idle).await else {
                return Ok(());
            };
            let refused = error.kind() == io::ErrorKind::ConnectionRefused;
            if refused && flow.answers.load(Ordering::Relaxed) == 0 {
                backend.metrics.not_connected(ConnectFailure::Connect);
                if tried.len() < TRIES {
                    tracing::debug!(backend = %backend.id, client = %self.client, "nobody is there: the next is asked");
                    continue;
                }
            }
            return Err(failure(&error));
        }
    }

    async fn connect(
        &self,
        backend: &Arc<BackendCell>,
        tried: &mut Vec<Arc<EndpointState>>,
        record: &mut Record,
    ) -> Result<Arc<Flow>, Failure> {
        let picked = backend.pick(None, tried, self.limits.resolve).await;
        let picked = picked.filter(|picked| tried.iter().all(|old| old.address != picked.endpoint().address));
        let picked = picked.ok_or_else(|| Failure::no_endpoint(backend))?;
        tried.push(picked.endpoint().clone());
        let address = picked.endpoint().address;
        record.attempt(address);
        let upstream = self.socket_to(address).await.map_err(|error| {
            backend.metrics.not_connected(ConnectFailure::Connect);
            failure(&error)
        })?;
        record.connected();
        let meter = record.meter().cloned();
        let meter =
            meter.ok_or_else(|| Failure { reason: Reason::Internal, detail: "a flow without counters".into() })?;
        Ok(Arc::new(Flow {
            upstream,
            carried: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            refused: Notify::new(),
            meter,
            picked,
            _open: Open::new(&backend.metrics),
        }))
    }

    /// A socket of the flow's own, so that the endpoint's answers find it.
    async fn socket_to(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let local: SocketAddr =
            if address.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let upstream = UdpSocket::bind(local).await?;
        upstream.connect(address).await?;
        // Until the first event says so, the socket does not count as one that takes anything.
        upstream.writable().await?;
        Ok(upstream)
    }
}

fn failure(error: &io::Error) -> Failure {
    Failure { reason: Reason::UpstreamError, detail: error.to_string() }
}
