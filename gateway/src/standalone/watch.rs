//! When to read the directory again: told by the system where it can, and by looking every second in any case.
//!
//! What the system tells always counts. A look finds what it did not tell of: other machines' writes on network file
//! systems, files behind links that lead elsewhere, events that were lost.

mod fingerprint;
mod told;

pub(crate) use told::{Half, Writing};

use fingerprint::Fingerprint;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use told::Told;

/// Events come in bursts: a change counts when it has been quiet for this long …
const QUIET: Duration = Duration::from_millis(5);
/// … but no later than this.
const AT_MOST: Duration = Duration::from_millis(25);

/// Watches a directory.
pub(crate) struct Changes {
    dir: PathBuf,
    poll: Duration,
    told: Arc<Told>,
    /// Dropped with this; `None` where the system cannot tell.
    watcher: Option<RecommendedWatcher>,
    /// The directory that is watched: the one of this name may be replaced by another.
    watched: Option<(u64, u64)>,
    seen: Fingerprint,
    next_look: Instant,
    /// Something was told and has not been answered yet. Kept here, because waiting may be broken off.
    stirred: bool,
}

impl Changes {
    pub(crate) fn new(dir: &Path, poll: Duration) -> Self {
        // Without a working directory, a relative path leads nowhere in any case.
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let mut changes = Self {
            told: Arc::new(Told::new(dir.clone())),
            watcher: None,
            watched: None,
            seen: Fingerprint::of(&dir),
            next_look: Instant::now() + poll,
            stirred: false,
            poll,
            dir,
        };
        changes.watch();
        changes
    }

    /// Files that are being written at this moment.
    pub(crate) fn writing(&self) -> Writing {
        Writing::new(self.told.clone())
    }

    /// Waits for a change, or for `again`.
    pub(crate) async fn next(&mut self, again: Option<Duration>) {
        let again = again.map(|again| Instant::now() + again);
        loop {
            if self.stirred {
                self.calm_down().await;
                self.stirred = false;
                if identity(&self.dir) != self.watched {
                    self.watch();
                }
                return;
            }
            let expiry = self.told.next_expiry();
            let wake = [again, expiry].into_iter().flatten().fold(self.next_look, Instant::min);
            tokio::select! {
                () = self.told.stirred() => {
                    self.stirred = true;
                    continue;
                }
                () = sleep_until(wake) => {}
            }
            let now = Instant::now();
            if self.next_look <= now {
                self.next_look = now + self.poll;
                // If it does change right now, events are about to tell that.
                self.stirred = self.look().await;
            }
            if again.into_iter().chain(expiry).any(|due| due <= now) {
                return;
            }
        }
    }

    /// Whether something is not as it was at the last look.
    async fn look(&mut self) -> bool {
        let dir = self.dir.clone();
        // Of thousands of files, this takes a while.
        let Ok(now) = tokio::task::spawn_blocking(move || Fingerprint::of(&dir)).await else { return true };
        let changed = now != self.seen;
        self.seen = now;
        changed
    }

    async fn calm_down(&mut self) {
        let latest = Instant::now() + AT_MOST;
        loop {
            let quiet = (Instant::now() + QUIET).min(latest);
            tokio::select! {
                biased;
                () = sleep_until(quiet) => return,
                () = self.told.stirred() => {}
            }
        }
    }

    /// Watches the directory that has the name now.
    fn watch(&mut self) {
        self.watched = identity(&self.dir);
        let told = self.told.clone();
        let mut watcher = match notify::recommended_watcher(move |event| told.take(event)) {
            Ok(watcher) => watcher,
            Err(error) => {
                self.warn(&error);
                self.watcher = None;
                return;
            }
        };
        // From its parent, the directory is seen to come and go. Without that, looking finds it.
        if let Some(parent) = self.dir.parent() {
            let _ = watcher.watch(parent, RecursiveMode::NonRecursive);
        }
        if self.watched.is_some()
            && let Err(error) = watcher.watch(&self.dir, RecursiveMode::Recursive)
        {
            self.warn(&error);
        }
        // Even if some folder cannot be watched, others are.
        self.watcher = Some(watcher);
    }

    fn warn(&self, error: &notify::Error) {
        let (dir, every) = (self.dir.display(), self.poll);
        tracing::warn!(%error, %dir, "the system does not tell of all changes; looking every {every:?}");
    }
}

fn identity(dir: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(dir).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
