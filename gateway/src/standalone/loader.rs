//! Keeps what is served in step with the directory, and reports.

use super::directory::{Directory, Loaded};
use super::watch::Changes;
use super::{Kept, Options, Report};
use crate::handover::Asked;
use crate::sockets::Sockets;
use lychgate_admission::ReadError;
use lychgate_api::{ObjectRef, Time};
use lychgate_engine::{Bind, Engine};
use lychgate_ir::{ListenerId, Snapshot};
use lychgate_telemetry::Metrics;
use lychgate_translate::{Overlay, SocketTrouble, Statuses};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch as latest};

/// Turns what the directory says into what is served.
pub(super) struct Loader {
    /// Taken by one blocking task at a time.
    directory: Arc<Mutex<Directory>>,
    changes: Changes,
    sockets: Sockets,
    metrics: Arc<Metrics>,
    poll: Duration,
    /// When to read again, though nothing may have changed.
    again: Option<Duration>,
    last: Option<Last>,
}

/// What ended following the directory.
pub(super) enum Next {
    /// The process shall end.
    Stop,
    /// Another one wants to take over.
    Asked(Asked),
}

/// What was reported last, and what its statuses were made of.
struct Last {
    report: Arc<Report>,
    /// As translated.
    translated: Statuses,
    /// With what became of sockets and rules; times are still to be put in.
    plain: Statuses,
    /// Objects of which something is said to be wrong.
    bad: BTreeSet<ObjectRef>,
}

/// Why a directory could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// We panicked. The panic has told why already.
    #[error("a bug in Lychgate kept it from being loaded ({0}); please report it")]
    Bug(String),
}

impl Loader {
    pub(super) fn new(options: &Options, engine: Arc<Engine>, sockets: Sockets) -> Self {
        // Watching comes before reading, so that no change falls between.
        let changes = Changes::new(&options.config, options.poll);
        let metrics = engine.observe().metrics.clone();
        let directory = Arc::new(Mutex::new(Directory::new(options.config.clone(), engine)));
        Self { directory, changes, sockets, metrics, poll: options.poll, again: None, last: None }
    }

    /// Whether any socket is open.
    pub(super) fn serves(&self) -> bool {
        self.sockets.binds().next().is_some()
    }

    /// Serves the connections that there are, and no new ones. Tells how many were left at the deadline.
    pub(super) async fn drain(self) -> usize {
        self.sockets.drain().await
    }

    /// The sockets that are open.
    pub(super) fn sockets(&mut self) -> &mut Sockets {
        &mut self.sockets
    }

    /// What is served here in an older version, and would not be served by a process that reads the directory now.
    pub(super) fn kept(&self) -> Vec<String> {
        let Some(Last { report, translated: _, plain: _, bad: _ }) = &self.last else { return Vec::new() };
        let stays = |why: &Kept| match why {
            Kept::Refused | Kept::Unread | Kept::Unusable => true,
            // These pass.
            Kept::Settling | Kept::Writing => false,
        };
        let objects = report.kept.iter().filter(|(_, why)| stays(why)).map(|(object, _)| object.to_string());
        objects.chain(report.stale.keys().map(ToString::to_string)).collect()
    }

    /// Follows the directory until something else is to be done.
    pub(super) async fn follow(
        &mut self,
        publish: &latest::Sender<Arc<Report>>,
        mut stopped: Pin<&mut impl Future<Output = ()>>,
        asked: &mut mpsc::Receiver<Asked>,
    ) -> Next {
        loop {
            // A socket that could not be opened may be free by now.
            let is_unbound = self.last.as_ref().is_some_and(|last| !last.report.unbound.is_empty());
            tokio::select! {
                () = &mut stopped => return Next::Stop,
                Some(asked) = asked.recv() => return Next::Asked(asked),
                () = self.changes.next(self.again) => self.reload(publish).await,
                () = tokio::time::sleep(self.poll), if is_unbound => self.retry_sockets(publish).await,
            }
        }
    }

    async fn reload(&mut self, publish: &latest::Sender<Arc<Report>>) {
        match self.load().await {
            Ok(report) => {
                publish.send_replace(report);
            }
            Err(error) => {
                self.metrics.reloaded(Err(()));
                let why = error.to_string();
                let report = Report::clone(&publish.borrow());
                if report.unreadable.as_ref() != Some(&why) {
                    tracing::error!(error = why, "the directory cannot be loaded; what was served goes on");
                    publish.send_replace(Arc::new(Report { unreadable: Some(why), ..report }));
                }
                self.again = None;
            }
        }
    }

    /// Reads and applies the directory once.
    pub(super) async fn load(&mut self) -> Result<Arc<Report>, LoadError> {
        let begun = Instant::now();
        let (directory, writing) = (self.directory.clone(), self.changes.writing());
        // Thousands of objects take a while, and requests are served on this thread.
        let loading = tokio::task::spawn_blocking(move || {
            // A panic in the middle leaves what was applied before it.
            directory.lock().unwrap_or_else(PoisonError::into_inner).load(writing)
        });
        let loaded = loading.await.map_err(|error| LoadError::Bug(error.to_string()))??;
        let Loaded { objects, translation, rejected, diagnostics, kept, stale, again } = loaded;
        self.again = again;
        let unbound = follow(&mut self.sockets).await;
        let report = Report {
            statuses: translation.statuses.clone(),
            snapshot: translation.snapshot,
            objects,
            diagnostics,
            kept,
            stale,
            rejected,
            unbound,
            bound: self.sockets.binds().copied().collect(),
            unreadable: None,
            reload: self.last.as_ref().map_or(0, |last| last.report.reload) + 1,
            took: begun.elapsed(),
        };
        self.metrics.reloaded(Ok(()));
        Ok(self.conclude(report, translation.statuses))
    }

    async fn retry_sockets(&mut self, publish: &latest::Sender<Arc<Report>>) {
        let unbound = follow(&mut self.sockets).await;
        let Some(Last { report, translated, plain: _, bad: _ }) = &self.last else { return };
        if unbound == report.unbound {
            return;
        }
        let (mut report, translated) = (Report::clone(report), translated.clone());
        report.unbound = unbound;
        report.bound = self.sockets.binds().copied().collect();
        publish.send_replace(self.conclude(report, translated));
    }

    /// Puts in what became of sockets and rules, and since when each condition is as it is. Logs what is new.
    fn conclude(&mut self, mut report: Report, translated: Statuses) -> Arc<Report> {
        let sockets = trouble(&report.snapshot, &report.unbound);
        let overlay =
            Overlay { sockets, rejected: report.rejected.clone(), stale: report.stale.clone(), ..Overlay::default() };
        let plain = translated.overlaid(&report.snapshot, &overlay);
        let before = self.last.take();
        let said = before.as_ref().map(|last| (&last.plain, &last.report.statuses));
        report.statuses = plain.with_times(said, now());
        let said = said.map(|(_, said)| said.clone()).unwrap_or_default();
        let changed = report.statuses.changed_since(&said);
        report.log(before.as_ref().map(|last| &*last.report), &changed);
        let mut bad = before.map(|last| last.bad).unwrap_or_default();
        for object in changed {
            let is_bad = report.statuses.findings_of(&object).any(|finding| finding.is_problem());
            if is_bad {
                bad.insert(object);
            } else {
                bad.remove(&object);
            }
        }
        self.metrics.objects(report.objects.len().saturating_sub(bad.len()), bad.len());
        let report = Arc::new(report);
        self.last = Some(Last { report: report.clone(), translated, plain, bad });
        report
    }
}

async fn follow(sockets: &mut Sockets) -> BTreeMap<Bind, String> {
    sockets.follow().await.into_iter().map(|(bind, error)| (bind, error.to_string())).collect()
}

/// Which listeners do not have all of their sockets.
fn trouble(snapshot: &Snapshot, unbound: &BTreeMap<Bind, String>) -> BTreeMap<ListenerId, SocketTrouble> {
    if unbound.is_empty() {
        return BTreeMap::new();
    }
    let of = |listener: &lychgate_ir::Listener| {
        let binds = Bind::of(listener);
        let shut = binds.iter().filter_map(|bind| Some((bind, unbound.get(bind)?)));
        let shut: Vec<String> = shut.map(|(bind, why)| format!("{bind} cannot be listened on ({why})")).collect();
        let message = format!("{}; end what uses the port, or change the listener", shut.join(", "));
        (!shut.is_empty()).then_some(SocketTrouble { partly_open: shut.len() < binds.len(), message })
    };
    snapshot.listeners.iter().filter_map(|(id, listener)| Some((id.clone(), of(listener)?))).collect()
}

fn now() -> Time {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Time::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
