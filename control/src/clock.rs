//! The one place that looks at the wall clock: for what people read. Nothing is decided by it, so it may jump.

use lychgate_api::Time;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in whole seconds.
#[must_use]
pub fn now() -> Time {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Time::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
