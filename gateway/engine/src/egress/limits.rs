//! How much leaves by a rule that says so: counted where it is decided, refused or slowed down where it is carried.
//!
//! ```text
//! Way ── Share: the account that it is counted by (lychgate-egress has the arithmetic)
//!   ├ Share::request   a request, or a tunnel: before it leaves
//!   ├ Seat             a connection to a destination, for as long as it is open
//!   ├ Metered          its bytes, both ways: waits, and ends it where the day's are used up
//!   └ Line             the same connection, where many use it: one that nobody does makes room for others
//! ```
//!
//! A way by a rule without limits has no share, and pays for none of this.

mod lines;
mod metered;
mod seat;
mod share;

pub(crate) use lines::{InUse, Line, Lines};
pub(crate) use metered::Metered;
pub(crate) use seat::{Fare, Seat, Spare};
pub(crate) use share::{Carrier, Met, Share, is_same};

use lychgate_egress::limits::Now;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What time it is, as accounts want to know it.
fn now() -> Now {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Now { elapsed: BEGUN.elapsed(), unix_seconds: i64::try_from(unix).unwrap_or(i64::MAX) }
}
