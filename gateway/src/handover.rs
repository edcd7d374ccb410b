//! One process takes over the listening sockets of another on the same host, so that a new binary is served without a
//! lost connection attempt: the sockets never close, and whoever connects meanwhile waits in their queues.
//!
//! Both meet at a Unix socket in the file system. Only processes of the same user (or root) are talked to.
//!
//! ```text
//! new ── hello (versions) ────────────────> old       the old one serves
//! new <── offer (names), the sockets ────── old       … and follows its directory no more
//! new: reads its directory, opens what it lacks
//! new ── ready (names of what it takes) ──> old       the old one stops accepting; queues fill
//! new <── yours ─────────────────────────── old
//! new ── serving ─────────────────────────> old       the new one accepts; the old one drains, and ends
//! ```
//!
//! Until `ready` a new one that fails changes nothing: the old one goes on. From `ready` to `serving` the old one goes on
//! if it does not hear. A new one that has the sockets and hears no more from the old one takes it for dead, and serves.

mod give;
mod line;
mod message;
mod place;
mod take;
#[cfg(test)]
mod tests;

pub(crate) use give::{Asked, Desk};
pub(crate) use line::LineError;
pub(crate) use message::Name;
pub(crate) use take::{Taken, take};

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How long one side waits for a word of the other that needs no work.
const SHORTLY: Duration = Duration::from_secs(10);

/// How long the old process waits for the new one to read its directory.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why the sockets of another process could not be taken over. That process goes on.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The path cannot be used.
    #[error("{} cannot be used for --handover ({error})", .path.display())]
    Place {
        /// The path.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Something else is there.
    #[error("{} is not a socket; choose another path for --handover", .0.display())]
    Taken(PathBuf),
    /// Another user's process listens there.
    #[error("user {uid} listens at {}; only sockets of the same user or of root are taken over", .path.display())]
    Stranger {
        /// The path.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// The other process says no.
    #[error("the process that serves does not hand over: {0}")]
    Refused(String),
    /// It said something that makes no sense.
    #[error("the process that serves was not understood: {0}")]
    Nonsense(String),
    /// It says nothing.
    #[error("the process that serves does not answer; end it, then start again")]
    Silent,
}
