//! Standalone mode: a directory of Gateway API objects, no cluster.

mod directory;
mod loader;
mod report;
mod store;
mod succession;
mod watch;

pub use report::Report;
pub use store::Kept;

use crate::admin::{Admin, Source, running};
use crate::audit::AuditOptions;
use crate::handover::HandoverError;
use crate::setup::{self, SetupError};
use crate::workers::Workers;
use loader::{LoadError, Loader, Next};
use lychgate_admission::ReadError;
use lychgate_engine::{Engine, Limits};
use lychgate_telemetry::{AccessLogOptions, MetricsLimits, TraceOptions};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use succession::{Given, Heritage, give};
use tokio::sync::{mpsc, oneshot, watch as latest};
use tokio::task::{JoinHandle, JoinSet};

/// How long the end of the process waits for collectors, and for the access log.
const FLUSH: Duration = Duration::from_secs(5);

/// How to run standalone.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory.
    pub config: PathBuf,
    /// Where the admin port listens; `None` has none.
    pub admin: Option<SocketAddr>,
    /// How often to look for changes that the system did not tell of.
    pub poll: Duration,
    /// How long connections may go on when the process ends.
    pub drain: Duration,
    /// How long the process still accepts, though it says that it is not ready, before it begins to end.
    pub drain_delay: Duration,
    /// Where the next process asks for the sockets of this one, and this one asked for those of the one before.
    pub handover: Option<PathBuf>,
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
    /// Defaults: admin on 127.0.0.1:9900, a look every second, 30 s to drain, without delay.
    pub fn new(config: PathBuf) -> Self {
        Self {
            config,
            admin: Some(([127, 0, 0, 1], 9900).into()),
            poll: Duration::from_secs(1),
            drain: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            handover: None,
            workers: NonZeroUsize::MIN,
            limits: Limits::default(),
            metrics: MetricsLimits::default(),
            access_log: None,
            trace: None,
            audit: None,
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory cannot be read at all.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Reading it showed a bug of ours.
    #[error("{0}")]
    Bug(String),
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
    /// The sockets of the process before cannot be taken over.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// Something in the directory is not valid, and the process before may serve it in its last good version.
    #[error("not everything in the directory is valid, so the process that serves goes on")]
    Unfit {
        /// What is not.
        report: Arc<Report>,
    },
    /// Everything was read, and nothing of it can be served.
    #[error("nothing in {} can be served", .config.display())]
    Nothing {
        /// The directory.
        config: PathBuf,
        /// Why.
        report: Arc<Report>,
    },
}

impl From<LoadError> for StartError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Read(error) => Self::Read(error),
            LoadError::Bug(_) => Self::Bug(error.to_string()),
        }
    }
}

/// A running gateway.
pub struct Standalone {
    engine: Arc<Engine>,
    reports: latest::Receiver<Arc<Report>>,
    admin: Option<SocketAddr>,
    handed_over: latest::Receiver<bool>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<usize>,
}

impl Standalone {
    /// Reads the directory, opens the sockets, and serves until stopped.
    ///
    /// # Errors
    /// Only if nothing at all can be served.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { workers, limits, metrics, access_log, trace, audit, .. } = &options;
        let threads = Workers::start(*workers).map_err(StartError::Workers)?;
        let engine =
            setup::engine(*workers, limits.clone(), *metrics, access_log.clone(), trace.clone(), audit.as_ref())?;
        let ready = Arc::new(AtomicBool::new(false));
        let told = Arc::new(OnceLock::new());
        let mut heritage = Heritage::claim(options.handover.as_deref()).await?;
        let mut admin = None;
        if let Some(address) = options.admin {
            let view = Arc::new(View { engine: engine.clone(), ready: ready.clone(), reports: told.clone() });
            let bound = heritage.admin(address, view).await;
            admin = Some(bound.map_err(|error| StartError::Admin { address, error })?);
        }
        let admin_address = admin.as_ref().map(Admin::address);
        let sockets = heritage.sockets(engine.clone(), threads, options.drain);
        let mut loader = Loader::new(&options, engine.clone(), sockets);
        let report = loader.load().await?;
        if !loader.serves() {
            return Err(StartError::Nothing { config: options.config, report });
        }
        let (publish, reports) = latest::channel(report.clone());
        // Set once, here.
        let _ = told.set(reports.clone());
        ready.store(true, Ordering::Release);
        let desk = heritage.serve(&report, &mut loader, admin.as_mut()).await?;
        let (ask, mut asked) = mpsc::channel(1);
        // Ends when dropped.
        let mut desks = JoinSet::new();
        if let Some(desk) = desk {
            desks.spawn(desk.serve(ask));
        }
        let (stop, stopped) = oneshot::channel();
        let (tell, handed_over) = latest::channel(false);
        let task = tokio::spawn(async move {
            let stopped = async {
                // An error means that nobody can ask for anything any more.
                let _ = stopped.await;
                ready.store(false, Ordering::Release);
                tokio::time::sleep(options.drain_delay).await;
            };
            let mut stopped = pin!(stopped);
            while let Next::Asked(who) = loader.follow(&publish, stopped.as_mut(), &mut asked).await {
                match give(who, &mut loader, &mut admin, stopped.as_mut()).await {
                    Given::Kept => {}
                    Given::Stopped => break,
                    Given::Away => {
                        ready.store(false, Ordering::Release);
                        tell.send_replace(true);
                        break;
                    }
                }
            }
            drop(desks);
            let left = loader.drain().await;
            drop(admin);
            left
        });
        Ok(Self { engine, reports, admin: admin_address, handed_over, stop, task })
    }

    /// Ends when another process has taken over. What is left to do is to stop.
    pub async fn handed_over(&self) {
        if self.handed_over.clone().wait_for(|handed_over| *handed_over).await.is_err() {
            std::future::pending().await
        }
    }

    /// What became of the directory, newest first to come.
    pub fn reports(&self) -> latest::Receiver<Arc<Report>> {
        self.reports.clone()
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

/// What the admin port sees.
struct View {
    engine: Arc<Engine>,
    ready: Arc<AtomicBool>,
    /// From the first report on.
    reports: Arc<OnceLock<latest::Receiver<Arc<Report>>>>,
}

impl Source for View {
    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn config(&self) -> Value {
        running(&self.engine)
    }

    fn status(&self) -> Value {
        match self.reports.get() {
            Some(reports) => {
                let report = reports.borrow().clone();
                report.to_value()
            }
            None => json!({ "reload": 0 }),
        }
    }

    fn metrics(&self) -> String {
        self.engine.metrics()
    }
}
