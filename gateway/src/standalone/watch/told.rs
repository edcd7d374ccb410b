//! What the system tells: that something has changed, and which files are open and half written.
//!
//! A file that is being written may be read in any state, and what is there may even be valid: a route that has lost its
//! last rules. So what changes in such a file does not count until it is closed.

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::Instant;

/// A file that stays open but is not written to for this long counts as it is.
const ABANDONED: Duration = Duration::from_secs(2);

/// A file that changed less than this before it was read, and of which nothing was told yet: its writer may not be done.
/// More than a tick of the file system's clock, less than the quiet that comes before reading.
const FRESH: Duration = Duration::from_millis(4);

/// A file that changed no more than this after we began to read was written meanwhile; beyond it, its time is a fancy.
const AHEAD: Duration = Duration::from_secs(1);

/// Only Linux tells of closing.
const TELLS_OF_CLOSING: bool = cfg!(target_os = "linux");

/// Events of one directory.
pub(super) struct Told {
    dir: PathBuf,
    wake: Notify,
    files: Mutex<HashMap<Identity, File>>,
}

/// Device and inode: a file may be known by several paths.
type Identity = (u64, u64);

/// A file that was written to.
struct File {
    path: PathBuf,
    written: Instant,
    closed: Option<Instant>,
}

impl Told {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, wake: Notify::new(), files: Mutex::default() }
    }

    /// Waits until something has changed.
    pub(super) async fn stirred(&self) {
        self.wake.notified().await;
    }

    /// When a file that stays open will count as it is.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.files().values().filter(|file| file.closed.is_none()).map(|file| file.written + ABANDONED).min()
    }

    /// Takes an event. On the watcher's own thread.
    pub(super) fn take(&self, event: notify::Result<Event>) {
        // What could not be told may have been anything.
        let Ok(event) = event else { return self.wake.notify_one() };
        if event.need_rescan() {
            // Events were lost, perhaps because we read so many files: the next look compares. What was open may have
            // been closed.
            self.files().clear();
            return;
        }
        // Those of the parent are about the directory, or none of ours.
        if !event.paths.is_empty() && !event.paths.iter().any(|path| path.starts_with(&self.dir)) {
            return;
        }
        let is_change = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                event.paths.iter().for_each(|path| self.closed(path));
                true
            }
            EventKind::Access(_) => false,
            EventKind::Modify(ModifyKind::Data(_)) => {
                let open = event.paths.iter().all(|path| TELLS_OF_CLOSING && self.written(path));
                !open
            }
            EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => {
                true
            }
        };
        if is_change {
            self.wake.notify_one();
        }
    }

    /// Whether the file is there and will be closed some time.
    fn written(&self, path: &Path) -> bool {
        let Some(identity) = identity(path) else { return false };
        let file = File { path: path.to_owned(), written: Instant::now(), closed: None };
        self.files().insert(identity, file);
        true
    }

    fn closed(&self, path: &Path) {
        let now = Instant::now();
        let known = identity(path);
        let mut files = self.files();
        match known.and_then(|known| files.get_mut(&known)) {
            Some(file) => file.closed = Some(now),
            // It may be gone or replaced by now.
            None => files.values_mut().filter(|file| file.path == path).for_each(|file| file.closed = Some(now)),
        }
    }

    fn files(&self) -> MutexGuard<'_, HashMap<Identity, File>> {
        // Each change is one insertion or assignment: it is whole whoever panics.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells which files were half written while they were read.
pub(crate) struct Writing {
    told: Arc<Told>,
    begun: Instant,
    began: SystemTime,
}

impl Writing {
    /// Must be made before reading.
    pub(super) fn new(told: Arc<Told>) -> Self {
        let begun = Instant::now();
        told.files().retain(|_, file| match file.closed {
            Some(closed) => closed >= begun,
            None => file.written + ABANDONED > begun,
        });
        Self { told, begun, began: SystemTime::now() }
    }

    /// Whether the file may have been read half written. If so, there will be a reason to read it again.
    pub(crate) fn half(&self, file: &str) -> Half {
        let Ok(metadata) = fs::metadata(file) else { return Half::No };
        let known = self.told.files().get(&(metadata.dev(), metadata.ino())).map(|file| file.closed);
        match known {
            // An open file is known only for as long as that may last.
            Some(None) => Half::Open,
            // It was closed while we read.
            Some(Some(closed)) if closed >= self.begun => Half::Open,
            Some(Some(_)) => Half::No,
            None => {
                // Some files bear a time that is yet to come.
                let fresh = |modified| match self.began.duration_since(modified) {
                    Ok(age) => age < FRESH,
                    Err(ahead) => ahead.duration() < AHEAD,
                };
                if metadata.modified().is_ok_and(fresh) { Half::Perhaps } else { Half::No }
            }
        }
    }
}

/// Whether a file was read half written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// It was whole.
    No,
    /// It was, and will be told when it is closed.
    Open,
    /// Nobody knows: reading it a moment later will show.
    Perhaps,
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
