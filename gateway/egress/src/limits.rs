//! How much may leave by a rule, and how much has: state machines that are told what time it is.
//!
//! ```text
//! Books ── a Book for each rule with limits; the next snapshot takes it over
//!   └ Accounts ── an Account for each source or destination, as many as are kept
//!       └ Account ── open connections, a Bucket of requests, a Bucket of bytes, the Quota of the day
//! ```
//!
//! Numbers are arguments, never state: an account says how much has left, and a rule that says another number tomorrow has
//! not forgotten that.

mod account;
mod accounts;
mod book;
mod bucket;
mod quota;

pub use account::{Account, Exceeded, Limit};
pub use accounts::{Accounts, KEPT, Key, SharedAccount};
pub use book::{Book, Books};
pub use bucket::Bucket;
pub use quota::Quota;

use std::time::Duration;

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since some moment, the same for all who ask.
    pub elapsed: Duration,
    /// In seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: i64,
}
