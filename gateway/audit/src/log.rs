//! The log as it is written: one writer, one line after the other.

use crate::chain::Digest;
use crate::key::SigningKey;
use crate::line::{After, Dropped, FORMAT, Line, Open, Statement, Written};
use crate::segment::{self, Segment};
use crate::verify::{self, Damage};
use crate::{Record, Timestamp};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// How a log is written.
#[derive(Debug)]
pub struct LogSettings {
    /// Where: it is made if it is missing. One log, one directory.
    pub dir: PathBuf,
    /// Who signs.
    pub key: SigningKey,
    /// A segment that would grow beyond this many bytes is closed, and another begun.
    pub max_bytes: u64,
    /// A segment that is as old as this is closed, and another begun, with the next line.
    pub max_age: Duration,
}

/// Why something was not written.
#[derive(Debug, Error)]
pub enum AuditError {
    /// Somebody else writes there.
    #[error("{0}: another process writes this audit log; give each replica a directory of its own")]
    InUse(PathBuf),
    /// It is not whole, so nothing is added to it.
    #[error(
        "{0}: nothing is added to a log that is not whole. Keep it for whoever looks into it, and start another directory"
    )]
    Damaged(#[from] Damage),
    /// The disk.
    #[error("{path}: {error}; look for room on the disk, and for rights")]
    Io {
        /// What was written.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: io::Error,
    },
    /// The queue is full: the disk is slower than what is recorded.
    #[error("the audit log's queue is full: the disk does not keep up")]
    QueueFull,
    /// The writer has ended, or does not answer in time.
    #[error("the audit log's writer does not answer")]
    NoAnswer,
}

/// A log that is written. Everything is written at once; what is [sealed](Log::seal) is on the disk.
#[derive(Debug)]
pub struct Log {
    settings: LogSettings,
    /// Held for as long as it is written; other processes see it.
    _lock: File,
    segment: Segment,
    opened: Timestamp,
    prev: Digest,
    seq: u64,
    /// Lines since the last seal.
    unsealed: u64,
    /// The segment has no head yet: how the one before ended.
    owes_head: Option<Option<After>>,
}

impl Log {
    /// Begins a segment after what is there. What a crash left is told in it, and not repaired.
    pub fn open(settings: LogSettings, now: Timestamp) -> Result<Self, AuditError> {
        let LogSettings { dir, key: _, max_bytes: _, max_age: _ } = &settings;
        let io = |error| AuditError::Io { path: dir.clone(), error };
        fs::create_dir_all(dir).map_err(io)?;
        let lock = File::create(dir.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AuditError::InUse(dir.clone())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let end = verify::end(dir)?;
        let (number, after, prev, seq) = match end {
            None => (1, None, Digest::default(), 0),
            Some(end) => (end.segment + 1, Some(end.after), end.prev, end.seq),
        };
        let segment = Segment::create(dir, number).map_err(io)?;
        let mut log =
            Self { settings, _lock: lock, segment, opened: now, prev, seq, unsealed: 0, owes_head: Some(after) };
        log.begin(now)?;
        Ok(log)
    }

    /// Writes a record.
    pub fn append(&mut self, record: &Record, now: Timestamp) -> Result<(), AuditError> {
        self.rotate(now)?;
        self.write(Written::Record(record))
    }

    /// Writes that records are not there.
    pub fn dropped(&mut self, count: u64, now: Timestamp) -> Result<(), AuditError> {
        self.rotate(now)?;
        self.write(Written::Dropped(Dropped { time: now, count }))
    }

    /// Signs what was written since the last time, and waits until it is on the disk. Says whether there was something.
    pub fn seal(&mut self, now: Timestamp) -> Result<bool, AuditError> {
        if self.unsealed == 0 {
            return Ok(false);
        }
        self.sign(now).map(|()| true)
    }

    /// The same, whether something was written or not: it shows whether the disk takes anything.
    pub fn sign(&mut self, now: Timestamp) -> Result<(), AuditError> {
        self.begin(now)?;
        let signed = self.statement(false, now).sign(&self.settings.key);
        self.write(Written::Seal(signed))?;
        self.sync()?;
        self.unsealed = 0;
        Ok(())
    }

    /// Ends the log.
    pub fn close(mut self, now: Timestamp) -> Result<(), AuditError> {
        self.begin(now)?;
        self.end_segment(now)
    }

    /// The hash of the newest line: what to keep elsewhere, and to ask [`crate::verify()`] for.
    pub fn head_digest(&self) -> Digest {
        self.prev
    }

    /// The number of the newest line.
    pub fn last_seq(&self) -> u64 {
        self.seq.saturating_sub(1)
    }

    fn rotate(&mut self, now: Timestamp) -> Result<(), AuditError> {
        let LogSettings { dir, key: _, max_bytes, max_age } = &self.settings;
        if self.segment.length < *max_bytes && now.since(self.opened) < *max_age {
            return self.begin(now);
        }
        let number = self.segment.number + 1;
        // Before the end of this one is written: on a full disk it stays the one that is written.
        let next = match Segment::create(dir, number) {
            Ok(next) => next,
            Err(error) => return Err(AuditError::Io { path: segment::path(dir, number), error }),
        };
        if let Err(error) = self.end_segment(now) {
            let _ = fs::remove_file(segment::path(&self.settings.dir, number));
            return Err(error);
        }
        self.segment = next;
        self.opened = now;
        self.owes_head = Some(Some(After { closed: true, torn: 0 }));
        self.begin(now)
    }

    /// Writes the head, if it is not there yet: on a disk that was full it may come late.
    fn begin(&mut self, now: Timestamp) -> Result<(), AuditError> {
        let Some(after) = self.owes_head else { return Ok(()) };
        let key = self.settings.key.verifying_key();
        let open = Open {
            format: FORMAT,
            segment: self.segment.number,
            time: now,
            key: key.id(),
            public_key: key.to_base64(),
            after,
        };
        self.write(Written::Open(&open))?;
        self.owes_head = None;
        Ok(())
    }

    fn end_segment(&mut self, now: Timestamp) -> Result<(), AuditError> {
        let signed = self.statement(true, now).sign(&self.settings.key);
        self.write(Written::Close(signed))?;
        self.sync()?;
        self.unsealed = 0;
        Ok(())
    }

    fn statement(&self, is_close: bool, time: Timestamp) -> Statement {
        Statement { is_close, segment: self.segment.number, seq: self.seq, prev: self.prev, time }
    }

    fn write(&mut self, body: Written<'_>) -> Result<(), AuditError> {
        let line = Line { seq: self.seq, prev: self.prev, body };
        match self.segment.write(&line) {
            Ok(digest) => {
                self.prev = digest;
                self.seq += 1;
                self.unsealed += 1;
                Ok(())
            }
            Err(error) => Err(self.io(error)),
        }
    }

    fn sync(&self) -> Result<(), AuditError> {
        self.segment.sync().map_err(|error| self.io(error))
    }

    fn io(&self, error: io::Error) -> AuditError {
        AuditError::Io { path: segment::path(&self.settings.dir, self.segment.number), error }
    }
}
