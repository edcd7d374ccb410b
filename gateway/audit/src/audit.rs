//! The thread that writes, and the queue before it.

use crate::chain::Digest;
use crate::log::{AuditError, Log, LogSettings};
use crate::{Record, Timestamp};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How the log is kept beside what is recorded.
#[derive(Debug)]
pub struct AuditSettings {
    /// Whether what cannot be recorded may not happen. Then every record is signed and on the disk before
    /// [`Audit::record`] returns; those that wait at the same time share a signature.
    pub required: bool,
    /// How many records may wait to be written.
    pub queue: usize,
    /// How often what was written is signed and synced to the disk. A crash of the machine may lose what is younger.
    pub sync: Duration,
    /// How long to wait for the disk where it is `required`.
    pub patience: Duration,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { required: false, queue: 8192, sync: Duration::from_secs(1), patience: Duration::from_secs(5) }
    }
}

/// What became of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Written.
    pub written: u64,
    /// Dropped, because the queue was full or could not be written.
    pub dropped: u64,
    /// Why the last write failed, until one succeeds.
    pub failing: Option<String>,
}

#[derive(Default)]
struct Shared {
    written: AtomicU64,
    dropped: AtomicU64,
    /// Dropped, and not said in the log yet.
    untold: AtomicU64,
    failing: Mutex<Option<String>>,
}

impl Shared {
    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.untold.fetch_add(1, Ordering::Relaxed);
    }

    fn is_failing(&self) -> bool {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn set_failing(&self, error: Option<&AuditError>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = error.map(ToString::to_string);
    }
}

/// Hears whether a record is on the disk.
type Done = Box<dyn FnOnce(Result<(), Arc<AuditError>>) + Send>;

enum Entry {
    Record {
        record: Box<Record>,
        done: Option<Done>,
    },
    /// Asks whether all before it is written.
    Settle(Box<dyn FnOnce() + Send>),
}

/// Hears of each record that was written: it, the number of its line, and the hash of that line, which is what to keep
/// elsewhere. It is called by the writer, and must not wait.
pub type Shipper = Box<dyn FnMut(&Record, u64, Digest) + Send>;

/// The audit log. Dropping it writes what waits, and closes it.
pub struct Audit {
    settings: AuditSettings,
    queue: Option<SyncSender<Entry>>,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("settings", &self.settings).field("counts", &self.counts()).finish()
    }
}

impl Audit {
    /// Opens the log and starts its writer.
    pub fn start(log: LogSettings, settings: AuditSettings) -> Result<Self, AuditError> {
        Self::start_and_ship(log, settings, None)
    }

    /// The same, and tells somebody of each record that was written.
    pub fn start_and_ship(
        log: LogSettings,
        settings: AuditSettings,
        ship: Option<Shipper>,
    ) -> Result<Self, AuditError> {
        let path = log.dir.clone();
        let log = Log::open(log, Timestamp::now())?;
        let (queue, entries) = sync_channel(settings.queue);
        let shared = Arc::new(Shared::default());
        let writer = Writer { log, entries, shared: shared.clone(), sync: settings.sync, synced: Instant::now(), ship };
        let writer = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(|| writer.run())
            .map_err(|error| AuditError::Io { path, error })?;
        Ok(Self { settings, queue: Some(queue), shared, writer: Some(writer) })
    }

    /// Records. Where the log is required this waits for the disk, and an error means that what is recorded may not
    /// happen; otherwise it never waits and never fails, and what finds no room is counted.
    pub fn record(&self, record: Record) -> Result<(), Arc<AuditError>> {
        if !self.settings.required {
            self.note(record);
            return Ok(());
        }
        let (done, heard) = channel();
        self.submit(record, move |result| drop(done.send(result)));
        heard.recv_timeout(self.settings.patience).unwrap_or_else(|_| Err(Arc::new(AuditError::NoAnswer)))
    }

    /// Records what nobody can undo, such as how something ended: never waits and never fails, wherever the log is required.
    /// What finds no room is counted, and told in the log.
    pub fn note(&self, record: Record) {
        if self.send(Entry::Record { record: Box::new(record), done: None }).is_err() {
            self.shared.drop_one();
        }
    }

    /// Records without waiting, and calls back when it is signed and on the disk, or will not be: for those who may not
    /// block a thread. A full queue is an error at once.
    pub fn submit(&self, record: Record, done: impl FnOnce(Result<(), Arc<AuditError>>) + Send + 'static) {
        let entry = Entry::Record { record: Box::new(record), done: Some(Box::new(done)) };
        if let Err(Entry::Record { record: _, done: Some(done) }) = self.send(entry) {
            done(Err(Arc::new(AuditError::QueueFull)));
        }
    }

    /// Calls back when everything that was recorded before is written, or is not and never will be; at once if the queue is full.
    pub fn settle(&self, done: impl FnOnce() + Send + 'static) {
        if let Err(Entry::Settle(done)) = self.send(Entry::Settle(Box::new(done))) {
            done();
        }
    }

    /// Whether what cannot be recorded may not happen.
    pub fn is_required(&self) -> bool {
        self.settings.required
    }

    /// How long whoever requires the log waits for it.
    pub fn patience(&self) -> Duration {
        self.settings.patience
    }

    /// What became of records so far.
    pub fn counts(&self) -> Counts {
        Counts {
            written: self.shared.written.load(Ordering::Relaxed),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
            failing: self.shared.failing.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn send(&self, entry: Entry) -> Result<(), Entry> {
        let Some(queue) = &self.queue else { return Err(entry) };
        queue.try_send(entry).map_err(|error| match error {
            TrySendError::Full(entry) | TrySendError::Disconnected(entry) => entry,
        })
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // It has told what it had to tell in its counts.
            let _ = writer.join();
        }
    }
}

struct Writer {
    log: Log,
    entries: Receiver<Entry>,
    shared: Arc<Shared>,
    sync: Duration,
    synced: Instant,
    ship: Option<Shipper>,
}

/// Records that share a signature at most, so that the first of them does not wait for ever.
const BATCH: usize = 1024;

impl Writer {
    fn run(mut self) {
        loop {
            match self.entries.recv_timeout(self.sync.saturating_sub(self.synced.elapsed())) {
                Ok(first) => {
                    let batch: Vec<Entry> = std::iter::once(first).chain(self.entries.try_iter().take(BATCH)).collect();
                    self.write(batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.synced.elapsed() >= self.sync {
                let is_failing = self.shared.is_failing();
                let done = self.tell_dropped().and_then(|()| match is_failing {
                    false => self.log.seal(Timestamp::now()),
                    // Nobody may have anything to record, because nothing may leave: whether there is room again is tried.
                    true => self.log.sign(Timestamp::now()).map(|()| true),
                });
                match &done {
                    Ok(true) => self.shared.set_failing(None),
                    // Nothing was tried.
                    Ok(false) => {}
                    Err(error) => self.shared.set_failing(Some(error)),
                }
                self.synced = Instant::now();
            }
        }
        let done = self.tell_dropped();
        let done = done.and(self.log.close(Timestamp::now()));
        if let Err(error) = done {
            self.shared.set_failing(Some(&error));
        }
    }

    fn write(&mut self, batch: Vec<Entry>) {
        let mut waiting = Vec::new();
        for entry in batch {
            let (record, done) = match entry {
                Entry::Record { record, done } => (record, done),
                Entry::Settle(done) => {
                    done();
                    continue;
                }
            };
            let written = self.tell_dropped().and_then(|()| self.log.append(&record, Timestamp::now()));
            match (written, done) {
                (Ok(()), done) => {
                    if let Some(ship) = &mut self.ship {
                        ship(&record, self.log.last_seq(), self.log.head_digest());
                    }
                    self.shared.written.fetch_add(1, Ordering::Relaxed);
                    waiting.extend(done);
                }
                // Whoever waits decides what follows, so nothing is missing from the log.
                (Err(error), Some(done)) => {
                    self.shared.set_failing(Some(&error));
                    done(Err(Arc::new(error)));
                }
                (Err(error), None) => {
                    self.shared.set_failing(Some(&error));
                    self.shared.drop_one();
                }
            }
        }
        if waiting.is_empty() {
            return;
        }
        let sealed = self.log.seal(Timestamp::now()).map_err(Arc::new);
        self.synced = Instant::now();
        self.shared.set_failing(sealed.as_ref().err().map(|error| &**error));
        for done in waiting {
            done(sealed.clone().map(|_| ()));
        }
    }

    fn tell_dropped(&mut self) -> Result<(), AuditError> {
        let untold = self.shared.untold.swap(0, Ordering::Relaxed);
        if untold == 0 {
            return Ok(());
        }
        self.log.dropped(untold, Timestamp::now()).inspect_err(|_| {
            self.shared.untold.fetch_add(untold, Ordering::Relaxed);
        })
    }
}
