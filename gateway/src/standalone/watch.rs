//! When to read the directory again: told by the system where it can, and by looking every second in any case.

use notify::{RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// Events come in bursts: a change counts when it has been quiet for this long …
const QUIET: Duration = Duration::from_millis(5);
/// … but no later than this.
const AT_MOST: Duration = Duration::from_millis(25);

/// Deeper folders are not looked at, as they are not read.
const MAX_DEPTH: usize = 32;

/// Watches a directory.
pub(crate) struct Changes {
    dir: PathBuf,
    poll: Duration,
    events: mpsc::Receiver<()>,
    /// Dropped with this; `None` where the system cannot tell.
    _watcher: Option<notify::RecommendedWatcher>,
    seen: Fingerprint,
}

/// What changes whenever a file does.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fingerprint {
    marks: BTreeMap<PathBuf, (u64, u64, i64, i64)>,
    /// Folders that were looked at: links may lead in circles.
    folders: BTreeSet<(u64, u64)>,
}

impl Changes {
    pub(crate) fn new(dir: &Path, poll: Duration) -> Self {
        let (sender, events) = mpsc::channel(1);
        let told = move |event: notify::Result<notify::Event>| {
            // Reading raises access events; only what may have changed something counts. Full: one is waiting already.
            if !event.is_ok_and(|event| matches!(event.kind, notify::EventKind::Access(kind) if !is_written(kind))) {
                let _ = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
            watcher.watch(dir, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        let watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, dir = %dir.display(), "the system does not tell of changes; looking every {poll:?}");
                None
            }
        };
        Self { dir: dir.to_owned(), poll, events, _watcher: watcher, seen: Fingerprint::of(dir) }
    }

    /// Waits for a change, or for `again`.
    pub(crate) async fn next(&mut self, again: Option<Duration>) {
        let again = again.map(|again| tokio::time::Instant::now() + again);
        loop {
            let poll = tokio::time::Instant::now() + self.poll;
            let wake = again.map_or(poll, |again| again.min(poll));
            tokio::select! {
                Some(()) = self.events.recv() => self.calm_down().await,
                () = tokio::time::sleep_until(wake) => {}
            }
            let now = Fingerprint::of(&self.dir);
            if now != self.seen {
                self.seen = now;
                return;
            }
            if again.is_some_and(|again| again <= tokio::time::Instant::now()) {
                return;
            }
        }
    }

    async fn calm_down(&mut self) {
        let latest = tokio::time::Instant::now() + AT_MOST;
        loop {
            let quiet = (tokio::time::Instant::now() + QUIET).min(latest);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(quiet) => return,
                Some(()) = self.events.recv() => {}
            }
        }
    }
}

/// A file that was open for writing was closed.
fn is_written(kind: notify::event::AccessKind) -> bool {
    matches!(kind, notify::event::AccessKind::Close(notify::event::AccessMode::Write))
}

impl Fingerprint {
    fn of(dir: &Path) -> Self {
        let mut fingerprint = Self::default();
        if let Ok(metadata) = fs::metadata(dir) {
            fingerprint.folders.insert((metadata.dev(), metadata.ino()));
        }
        fingerprint.add(dir, 0);
        fingerprint
    }

    fn add(&mut self, dir: &Path, depth: usize) {
        // What cannot be listed is told by the reader.
        let Ok(entries) = fs::read_dir(dir) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            // Of what a link leads to: mounted ConfigMaps change by their links alone.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() && depth < MAX_DEPTH && self.folders.insert((metadata.dev(), metadata.ino())) {
                self.add(&path, depth + 1);
            }
            let mark = (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec());
            self.marks.insert(path, mark);
        }
    }
}
