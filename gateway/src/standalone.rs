//! Standalone mode: a directory of Gateway API objects, no cluster.

mod report;
mod store;
mod watch;

pub use report::Report;
pub use store::Kept;

use crate::admin::{Admin, Source};
use crate::sockets::Sockets;
use lychgate_admission::{Admitted, Diagnostic, ReadError, Severity, read_dir};
use lychgate_engine::{Engine, EngineError, Limits};
use lychgate_translate::{Options as TranslateOptions, Translation, translate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::{Store, Updated};
use tokio::sync::{oneshot, watch as latest};
use tokio::task::JoinHandle;
use watch::Changes;

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
    /// Limits on what comes from outside.
    pub limits: Limits,
}

impl Options {
    /// Defaults: admin on 127.0.0.1:9900, a look every second, 30 s to drain.
    pub fn new(config: PathBuf) -> Self {
        Self {
            config,
            admin: Some(([127, 0, 0, 1], 9900).into()),
            poll: Duration::from_secs(1),
            drain: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory cannot be read at all.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The engine cannot be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The admin port cannot be bound.
    #[error("the admin port {address} cannot be bound ({error}); end what uses it, or choose another with --admin")]
    Admin {
        /// The port.
        address: SocketAddr,
        /// What the system says.
        #[source]
        error: io::Error,
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

/// A running gateway.
pub struct Standalone {
    reports: latest::Receiver<Arc<Report>>,
    admin: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<usize>,
}

impl Standalone {
    /// Reads the directory, opens the sockets, and serves until stopped.
    ///
    /// # Errors
    /// Only if nothing at all can be served.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let changes = Changes::new(&options.config, options.poll);
        let engine = Engine::new(options.limits.clone())?;
        let ready = Arc::new(AtomicBool::new(false));
        let admin = match options.admin {
            None => None,
            Some(address) => Some(Admin::bind(address).await.map_err(|error| StartError::Admin { address, error })?),
        };
        let mut loader = Loader::new(options.clone(), engine.clone());
        let (report, again) = loader.load().await?;
        if loader.sockets.binds().next().is_none() {
            return Err(StartError::Nothing { config: options.config, report: Arc::new(report) });
        }
        let (publish, reports) = latest::channel(Arc::new(report));
        ready.store(true, Ordering::Release);
        let address = admin.as_ref().map(Admin::address);
        let admin = admin.map(|admin| {
            let view = View { engine, ready: ready.clone(), reports: reports.clone() };
            tokio::spawn(admin.serve(Arc::new(view)))
        });
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loader.follow(changes, again, &publish, stopped).await;
            ready.store(false, Ordering::Release);
            let left = loader.sockets.drain(options.drain).await;
            if let Some(admin) = admin {
                admin.abort();
            }
            left
        });
        Ok(Self { reports, admin: address, stop, task })
    }

    /// What became of the directory, newest first to come.
    pub fn reports(&self) -> latest::Receiver<Arc<Report>> {
        self.reports.clone()
    }

    /// Where the admin port listens.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Stops accepting, lets requests finish, and ends. Tells how many connections were cut at the deadline.
    pub async fn stop(self) -> usize {
        // An error means that it has ended already.
        let _ = self.stop.send(());
        self.task.await.unwrap_or_default()
    }
}

/// Turns what the directory says into what is served.
struct Loader {
    options: Options,
    engine: Arc<Engine>,
    sockets: Sockets,
    store: Store,
    translation: Option<Translation>,
    /// What was told already: a directory that stays broken is told once.
    told: Vec<Diagnostic>,
    reloads: u64,
}

impl Loader {
    fn new(options: Options, engine: Arc<Engine>) -> Self {
        let sockets = Sockets::new(engine.clone());
        Self { options, engine, sockets, store: Store::default(), translation: None, told: Vec::new(), reloads: 0 }
    }

    async fn follow(
        &mut self,
        mut changes: Changes,
        mut again: Option<Duration>,
        publish: &latest::Sender<Arc<Report>>,
        stopped: oneshot::Receiver<()>,
    ) {
        let mut stopped = std::pin::pin!(stopped);
        loop {
            // A socket that could not be opened may be free by now.
            let retry = (!publish.borrow().unbound.is_empty()).then_some(self.options.poll);
            let wake = again.into_iter().chain(retry).min();
            tokio::select! {
                _ = &mut stopped => return,
                () = changes.next(wake) => {}
            }
            again = match self.load().await {
                Ok((report, again)) => {
                    publish.send_replace(Arc::new(report));
                    again
                }
                Err(error) => {
                    tracing::error!(%error, "the directory cannot be read; what was served goes on");
                    None
                }
            };
        }
    }

    /// Reads and applies the directory once.
    async fn load(&mut self) -> Result<(Report, Option<Duration>), ReadError> {
        let begun = Instant::now();
        let config = self.options.config.clone();
        // Reading and validating thousands of objects would hold up requests on this thread.
        let read = tokio::task::spawn_blocking(move || read_dir(&config)).await;
        let admitted = read.unwrap_or_else(|_| Ok(Admitted::default()))?;
        self.tell(&admitted.diagnostics);
        let diagnostics = admitted.diagnostics.clone();
        let is_empty = |file: &str| std::fs::metadata(file).is_ok_and(|metadata| metadata.len() == 0);
        let Updated { kept, again } = self.store.update(admitted, begun, is_empty);
        let options = TranslateOptions { standalone: true, ..TranslateOptions::default() };
        let translation = translate(self.store.objects(), &options, self.translation.as_ref());
        let applied = self.engine.apply(&translation.snapshot, &translation.endpoints);
        let unbound = self.sockets.follow().await;
        for (bind, error) in &unbound {
            tracing::error!(%bind, %error, "cannot listen; end what uses the port, or change the listener");
        }
        self.reloads += 1;
        let report = Report {
            objects: self.store.objects().clone(),
            statuses: translation.statuses.clone(),
            snapshot: translation.snapshot.clone(),
            diagnostics,
            kept,
            rejected: applied.rejected,
            unbound: unbound.into_iter().map(|(bind, error)| (bind, error.to_string())).collect(),
            bound: self.sockets.binds().copied().collect(),
            reload: self.reloads,
            took: begun.elapsed(),
        };
        report.log(self.translation.as_ref().map(|translation| &translation.statuses));
        self.translation = Some(translation);
        Ok((report, again))
    }

    fn tell(&mut self, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics.iter().filter(|diagnostic| !self.told.contains(diagnostic)) {
            match diagnostic.severity {
                Severity::Error => tracing::error!("{diagnostic}"),
                Severity::Warning => tracing::warn!("{diagnostic}"),
                Severity::Note => tracing::info!("{diagnostic}"),
            }
        }
        self.told = diagnostics.to_vec();
    }
}

/// What the admin port sees.
struct View {
    engine: Arc<Engine>,
    ready: Arc<AtomicBool>,
    reports: latest::Receiver<Arc<Report>>,
}

impl Source for View {
    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn config(&self) -> Value {
        let endpoints: BTreeMap<String, Vec<SocketAddr>> = self.engine.endpoints();
        json!({ "snapshot": &*self.engine.snapshot(), "endpoints": endpoints })
    }

    fn status(&self) -> Value {
        let report = self.reports.borrow().clone();
        report.to_value()
    }
}
