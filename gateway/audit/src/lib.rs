//! The audit log: what left or was refused, so that nobody can change it afterwards without being found.
//!
//! This crate owns the form of the log, who writes it ([`Audit`], a thread; [`Log`], what it does), whether it is
//! whole ([`verify()`]), and what it says ([`read()`]). It refuses to know when something happens, and what a record is sent over besides.
//!
//! ```text
//! DIR/segment-00000001.jsonl    {"seq":0,"prev":"000…","kind":"open", …key…}
//!                               {"seq":1,"prev":SHA-256 of the line before,"kind":"record", …}
//!                               {"seq":2,"prev":…,"kind":"seal","signature":…}     each second in which something was written
//!                               {"seq":3,"prev":…,"kind":"close","signature":…}
//! DIR/segment-00000002.jsonl    {"seq":4,"prev":SHA-256 of that line,"kind":"open", …}
//! ```
//!
//! **What is found.** Every line carries the hash of the line before it, over segments as well; seals and the ends of
//! segments are signed (Ed25519) over that hash. A line or a segment that was edited, dropped, repeated, moved or put in
//! breaks the chain, and to mend the chain takes the key.
//!
//! **What is not found** without knowledge from elsewhere: that the end was cut off right after a seal; and, while the
//! last seal is younger than its interval, what is done to the lines after it. So ship hashes to another place, and ask
//! [`verify()`] for the newest of them. That segments are gone from the beginning is found unless one says that it may be so.
//!
//! **Nothing is repaired.** What a crash left of a line stays where it is; the next segment says how many bytes that are,
//! and goes on from the last whole line.
//!
//! **Nothing waits, or nothing is lost.** Without `required`, a record that finds the queue full or the disk full is
//! dropped, and the log says how many were. With it, [`Audit::record`] returns when the record is on the disk, signed, or
//! says that it is not.

mod audit;
mod chain;
mod key;
mod line;
mod log;
mod record;
mod segment;
mod verify;

pub use audit::{Audit, AuditSettings, Counts, Shipper};
pub use chain::Digest;
pub use key::{BadKey, SigningKey, VerifyingKey};
pub use log::{AuditError, Log, LogSettings};
pub use record::{Record, RecordDestination, RecordHttp, RecordPhase, RecordProtocol, RecordSource, Timestamp};
pub use verify::{Damage, Finding, Report, VerifyOptions, read, verify};
