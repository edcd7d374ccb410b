//! Statuses: what shall be said, what the API server has, and the way from one to the other.
//!
//! What shall be said comes from translation, with what data planes acknowledged ([`progress`]). What the API server has
//! comes from the watchers. The [`Desk`] compares both for each object and hands out the writes that are left; the
//! [`writer`] does them, on the one replica that may.
//!
//! Of a route, a policy or a backend only the entries of this controller are touched. They stand in a list that is one
//! value to the API server, so a write carries the entries of others as they were seen, and the version in which they
//! were seen: if that is no longer the newest, the write is refused, and made again from what is there now.

mod desk;
mod merge;
pub mod progress;
mod refusal;
mod settled;
pub mod writer;

pub use desk::{Desk, Job, Outcome};

/// Who owns what we write (server-side apply).
pub const FIELD_MANAGER: &str = "lychgate-control";
