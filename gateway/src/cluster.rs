//! A data plane of a cluster: serves what a control plane says.
//!
//! ```text
//! feed::Client ── Config ──> Engine ──> Sockets ──┐
//!      ^                                          │
//!      └───── Outcome: rules rejected, sockets not bound
//! ```

mod follower;
mod view;

use crate::admin::Admin;
use crate::audit::AuditOptions;
use crate::setup::{self, SetupError};
use crate::sockets::Sockets;
use crate::workers::Workers;
use follower::Follower;
use lychgate_engine::{Engine, Limits};
use lychgate_feed::client::{Client, Options as FeedOptions};
use lychgate_telemetry::{AccessLogOptions, MetricsLimits, TraceOptions};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use view::{State, View};

/// How long the end of the process waits for collectors, and for the access log.
const FLUSH: Duration = Duration::from_secs(5);

/// How to serve a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the control plane is, and how it is followed.
    pub feed: FeedOptions,
    /// Where the admin port listens; `None` has none.
    pub admin: Option<SocketAddr>,
    /// How long connections may go on when the process ends.
    pub drain: Duration,
    /// How long the process still accepts, though it says that it is not ready, before it begins to end.
    pub drain_delay: Duration,
    /// Threads that serve connections, each with a runtime and connections to backends of its own; one alone is whoever
    /// started this.
    pub workers: NonZeroUsize,
    /// Limits on what comes from outside.
    pub limits: Limits,
    /// How many listeners, rules and backends are counted on their own.
    pub metrics: MetricsLimits,
    /// Whether and how requests are logged.
    pub access_log: Option<AccessLogOptions>,
    /// Whether and how requests are traced.
    pub trace: Option<TraceOptions>,
    /// Whether and how what leaves is recorded.
    pub audit: Option<AuditOptions>,
}

impl Options {
    /// Defaults: no admin port, 30 s to drain, without delay.
    pub fn new(feed: FeedOptions) -> Self {
        Self {
            feed,
            admin: None,
            drain: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            workers: NonZeroUsize::MIN,
            limits: Limits::default(),
            metrics: MetricsLimits::default(),
            access_log: None,
            trace: None,
            audit: None,
        }
    }
}

/// Why nothing is served. That no control plane answers is no reason: it may yet.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no engine.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The threads that serve connections cannot be started.
    #[error("no threads can be started ({0}); allow this user more, or ask for fewer with --threads")]
    Workers(#[source] io::Error),
    /// The admin port cannot be bound.
    #[error("the admin port {address} cannot be bound ({error}); end what uses it, or choose another with --admin")]
    Admin {
        /// The port.
        address: SocketAddr,
        /// What the system says.
        #[source]
        error: io::Error,
    },
}

/// A running data plane.
pub struct Cluster {
    engine: Arc<Engine>,
    states: watch::Receiver<State>,
    admin: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<usize>,
}

impl Cluster {
    /// Follows the control plane, and serves until stopped. If there is a cache, it is served when this returns.
    ///
    /// # Errors
    /// Only for what no control plane could mend.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { feed, admin: address, drain, drain_delay, workers, limits, metrics, access_log, trace, audit } =
            options;
        let threads = Workers::start(workers).map_err(StartError::Workers)?;
        let engine = setup::engine(workers, limits, metrics, access_log, trace, audit.as_ref())?;
        let (tell, states) = watch::channel(State::default());
        let client = Client::start(feed).await;
        let mut admin = None;
        if let Some(address) = address {
            let view = Arc::new(View::new(engine.clone(), states.clone(), client.link()));
            let bound = Admin::bind(address, view).await.map_err(|error| StartError::Admin { address, error })?;
            admin = Some(bound);
        }
        let admin_address = admin.as_ref().map(Admin::address);
        let sockets = Sockets::new(engine.clone(), threads, drain);
        let mut follower = Follower::new(engine.clone(), sockets, client, tell);
        follower.catch_up().await;
        admin.iter_mut().for_each(Admin::go_on);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            follower.follow(stopped).await;
            follower.unready();
            follower.follow_for(drain_delay).await;
            let left = follower.end().await;
            drop(admin);
            left
        });
        Ok(Self { engine, states, admin: admin_address, stop, task })
    }

    /// Waits until the first complete config is served.
    pub async fn ready(&self) {
        let mut states = self.states.clone();
        // An error means that it has ended.
        let _ = states.wait_for(|state| state.is_ready).await;
    }

    /// Where the admin port listens.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Opens the file of the access log anew, after it was moved away.
    pub fn reopen_access_log(&self) {
        if let Some(log) = &self.engine.observe().access_log {
            log.reopen();
        }
    }

    /// Says that it is not ready, stops accepting after the delay, lets requests finish, and ends. Tells how many
    /// connections were cut at the deadline.
    pub async fn stop(self) -> usize {
        // An error means that it has ended already.
        let _ = self.stop.send(());
        let left = self.task.await.unwrap_or_default();
        self.engine.observe().flush(FLUSH).await;
        left
    }
}
