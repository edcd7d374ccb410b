//! So much a day.

use super::Now;
use std::time::Duration;

const DAY: i64 = 24 * 60 * 60;

/// What was used on the last day on which something was. Days are those of UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    day: i64,
    used: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { day: i64::MIN, used: 0 }
    }
}

impl Quota {
    /// How much is left of so much.
    pub fn left(&mut self, limit: u64, now: Now) -> u64 {
        self.turn(now);
        limit.saturating_sub(self.used)
    }

    /// Uses so much.
    pub fn spend(&mut self, amount: u64, now: Now) {
        self.turn(now);
        self.used = self.used.saturating_add(amount);
    }

    /// How long it is until the next day.
    pub fn until_tomorrow(now: Now) -> Duration {
        Duration::from_secs(u64::try_from(DAY - now.unix_seconds.rem_euclid(DAY)).unwrap_or_default())
    }

    /// A day that was over does not come back: a clock that is put back gives nobody a second quota. One that was days ahead
    /// takes nobody's next ones: what was used counts for the day that it is, and no longer.
    fn turn(&mut self, now: Now) {
        let day = now.unix_seconds.div_euclid(DAY);
        if day > self.day {
            *self = Self { day, used: 0 };
        } else if self.day.saturating_sub(day) > 1 {
            self.day = day;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_seconds: i64) -> Now {
        Now { elapsed: Duration::ZERO, unix_seconds }
    }

    #[test]
    fn a_quota_is_that_of_a_day() {
        let mut quota = Quota::default();
        quota.spend(60, at(10));
        assert_eq!(quota.left(100, at(DAY - 1)), 40);
        assert_eq!(Quota::until_tomorrow(at(DAY - 1)), Duration::from_secs(1));
        quota.spend(60, at(DAY - 1));
        assert_eq!(quota.left(100, at(DAY - 1)), 0);
        assert_eq!(quota.left(150, at(DAY - 1)), 30, "another number, the same day");
        assert_eq!(quota.left(100, at(DAY)), 100);
        quota.spend(1, at(DAY));
        assert_eq!(quota.left(100, at(DAY - 1)), 99, "a clock that goes back");
    }

    #[test]
    fn a_clock_that_was_ahead_locks_nobody_out() {
        let mut quota = Quota::default();
        quota.spend(100, at(1000 * DAY));
        assert_eq!(quota.left(100, at(10 * DAY)), 0, "what was used was used");
        assert_eq!(quota.left(100, at(11 * DAY)), 100);
    }
}
