//! Requests of HTTP, of clients of a proxy and inside tunnels that can be read. Each is decided by itself, with the address
//! of the connection that it takes; connections to destinations are those of one client's connection, and nobody else's.

mod answer;
mod connect;
pub(super) mod fields;
mod forward;
mod pool;
pub(super) mod taking;
mod upgrade;
pub(super) mod watched;

use super::body::{Body, kept};
use super::dial::Dialled;
use super::guest::Guest;
use super::hello::SeenHello;
use super::who::Client;
use super::wire::Begun;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use hyper_util::rt::{TokioIo, TokioTimer};
use lychgate_egress::target::Target;
use lychgate_ir::egress::OriginTls;
use pool::Pool;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use taking::{Streams, Taking};
use tokio::task::JoinSet;
use tokio::time::sleep;
use watched::{Activity, Watched};

/// Versions of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

impl Version {
    /// As logs have it.
    fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// Where requests come from.
pub(super) enum Place {
    /// From a client that talks to a proxy.
    Proxy,
    /// From inside a tunnel.
    Inside(Box<Inside>),
}

/// The inside of a tunnel.
pub(super) struct Inside {
    client: Client,
    target: Target,
    tls: Option<InsideTls>,
    /// The connection that was made when it was opened, for the first request.
    opened: Mutex<Option<Dialled>>,
}

/// TLS that was looked into.
pub(super) struct InsideTls {
    pub(super) hello: SeenHello,
    /// How it goes on.
    pub(super) origin: OriginTls,
}

impl Inside {
    pub(super) fn new(client: Client, target: Target, tls: Option<InsideTls>, opened: Option<Dialled>) -> Self {
        Self { client, target, tls, opened: Mutex::new(opened) }
    }

    fn take_opened(&self) -> Option<Dialled> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// One connection on which requests come.
struct Desk {
    guest: Arc<Guest>,
    place: Place,
    version: Version,
    pool: Pool,
    /// Tunnels that were opened by requests. They end with the connection.
    tunnels: Mutex<JoinSet<()>>,
    activity: Arc<Activity>,
    /// Requests so far.
    begun: AtomicUsize,
}

/// Polls a connection until it ends; when it has to end, lets running requests finish, and does not wait for a client that
/// does not say that it has heard.
macro_rules! drive {
    ($connection:expr, $desk:expr) => {{
        let mut connection = pin!($connection);
        let mut has_to_end = pin!($desk.has_to_end());
        let mut has_finished = pin!($desk.has_finished());
        let mut ends = false;
        loop {
            tokio::select! {
                done = connection.as_mut() => break done,
                () = has_to_end.as_mut(), if !ends => {
                    connection.as_mut().graceful_shutdown();
                    ends = true;
                }
                () = has_finished.as_mut(), if ends && $desk.version == Version::Http2 => break Ok(()),
            }
        }
    }};
}

/// Serves requests until the connection ends, and then what they have opened.
pub(super) async fn serve(guest: Arc<Guest>, place: Place, version: Version, io: Begun) {
    let desk = Arc::new(Desk {
        guest,
        place,
        version,
        pool: Pool::default(),
        tunnels: Mutex::default(),
        activity: Activity::begin(),
        begun: AtomicUsize::new(0),
    });
    let service = {
        let desk = desk.clone();
        service_fn(move |request: Request<Incoming>| {
            let desk = desk.clone();
            async move { Ok::<_, Infallible>(desk.answer(request).await) }
        })
    };
    let limits = desk.guest.limits();
    let reads = version == Version::Http1;
    let io = TokioIo::new(Watched::new(io, desk.activity.clone(), reads, limits));
    let done = match version {
        Version::Http1 => {
            let mut http1 = server::conn::http1::Builder::new();
            // The connection has its own clocks: this one would end those that are idle as if a head were late.
            http1.header_read_timeout(None);
            http1.max_headers(limits.fields).max_buf_size(limits.head.max(SMALLEST_BUFFER));
            drive!(http1.serve_connection(io, service).with_upgrades(), desk)
        }
        Version::Http2 => {
            let mut http2 = server::conn::http2::Builder::new(Streams { patience: limits.client_idle });
            http2.timer(TokioTimer::new()).max_concurrent_streams(limits.streams);
            http2.max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX));
            drive!(http2.serve_connection(io, service), desk)
        }
    };
    if let Err(error) = done {
        tracing::debug!(client = %desk.guest.peer, %error, "a connection of HTTP has ended");
    }
    let mut tunnels = std::mem::take(&mut *desk.tunnels.lock().unwrap_or_else(PoisonError::into_inner));
    while tunnels.join_next().await.is_some() {}
}

/// hyper has no smaller one.
const SMALLEST_BUFFER: usize = 8192;

impl Desk {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let busy = self.activity.run();
        self.begun.fetch_add(1, Ordering::Relaxed);
        let response = match &self.place {
            Place::Proxy if request.method() == http::Method::CONNECT => connect::answer(&self, request).await,
            Place::Proxy => forward::absolute(&self, request).await,
            Place::Inside(inside) => forward::inside(&self, inside, request).await,
        };
        // It runs until its answer was taken.
        response.map(|body| kept(body, busy, Taking::current()))
    }

    /// Runs a tunnel beside the requests.
    fn spawn(&self, tunnel: impl Future<Output = ()> + Send + 'static) {
        let mut tunnels = self.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended make room.
        while tunnels.try_join_next().is_some() {}
        tunnels.spawn(tunnel);
    }

    fn tunnels(&self) -> usize {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Ends when nothing has run for as long as a client may take to read what was sent to it. HTTP/1 ends without its client.
    async fn has_finished(&self) {
        loop {
            let begun = self.begun.load(Ordering::Relaxed);
            sleep(self.guest.limits().client_idle).await;
            let is_same = begun == self.begun.load(Ordering::Relaxed);
            if is_same && self.activity.is_quiet() && self.tunnels() == 0 {
                return;
            }
        }
    }

    /// Ends when the listener is drained, when the connection is too old, or when nobody has asked for anything for too long.
    /// With HTTP/1, the connection has a clock for that.
    async fn has_to_end(&self) {
        let idle = async {
            let mut begun = 0;
            loop {
                sleep(self.guest.limits().http2_idle).await;
                let now = self.begun.load(Ordering::Relaxed);
                let is_quiet = now == begun && self.activity.is_quiet() && self.tunnels() == 0;
                if self.version == Version::Http2 && is_quiet {
                    return;
                }
                begun = now;
            }
        };
        let old = async {
            match self.guest.limits().connection {
                Some(age) => sleep(age).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.guest.drained() => {}
            () = old => {}
            () = idle => {}
        }
    }
}
