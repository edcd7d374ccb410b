//! What has left for one source, for one destination, or by one rule.

use super::{Bucket, Now, Quota};
use lychgate_ir::egress::{EgressLimitScope, EgressLimits};
use std::fmt;
use std::time::Duration;

/// The smallest piece in which bytes are carried where there may be so many a second.
const SMALLEST_PIECE: u64 = 512;
/// Pieces a second: fewer would be carried in jerks, more would cost more than they are worth.
const PIECES: u64 = 8;

/// What there is a limit of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// Open connections.
    Connections,
    /// Requests a second.
    Requests,
    /// Bytes a second.
    BytesPerSecond,
    /// Bytes of a day.
    BytesPerDay,
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which one.
    pub limit: Limit,
    /// What it says.
    pub most: u64,
    /// Whom it is for.
    pub per: EgressLimitScope,
    /// When it may be tried again, if that can be known.
    pub retry_after: Option<Duration>,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connections, Self::Requests, Self::BytesPerSecond, Self::BytesPerDay];

    /// As metrics have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Requests => "requests_per_second",
            Self::BytesPerSecond => "bytes_per_second",
            Self::BytesPerDay => "bytes_per_day",
        }
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, most, per, retry_after: _ } = self;
        let what = match limit {
            Limit::Connections => "connections at a time",
            Limit::Requests => "requests a second",
            Limit::BytesPerSecond => "bytes a second",
            Limit::BytesPerDay => "bytes a day",
        };
        let whom = match per {
            EgressLimitScope::Rule => "",
            EgressLimitScope::Source => " for each source",
            EgressLimitScope::Destination => " to each destination",
        };
        write!(f, "no more than {most} {what} may leave{whom}")
    }
}

/// What has left. Whoever asks brings what may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    open: u32,
    requests: Bucket,
    bytes: Bucket,
    day: Quota,
}

impl Account {
    /// Lets one more request leave, or says what is against it.
    pub fn request(&mut self, limits: &EgressLimits, now: Now) -> Result<(), Exceeded> {
        if let Some(most) = limits.bytes_per_day
            && self.day.left(most, now) == 0
        {
            return Err(over_today(limits, most, now));
        }
        if let Some(most) = limits.requests_per_second {
            self.requests.take(most.into(), now.elapsed).map_err(|wait| Exceeded {
                limit: Limit::Requests,
                most: most.into(),
                per: limits.per,
                retry_after: Some(wait),
            })?;
        }
        Ok(())
    }

    /// Lets one more connection be opened, or says what is against it. One that was opened has to be closed.
    pub fn open(&mut self, limits: &EgressLimits) -> Result<(), Exceeded> {
        match limits.connections {
            Some(most) if self.open >= most => {
                Err(Exceeded { limit: Limit::Connections, most: most.into(), per: limits.per, retry_after: None })
            }
            Some(_) | None => {
                self.open = self.open.saturating_add(1);
                Ok(())
            }
        }
    }

    /// A connection that was opened is closed.
    pub fn close(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// How many bytes may be carried in one piece; none where the day's are used up.
    pub fn piece(&mut self, limits: &EgressLimits, now: Now) -> Result<u64, Exceeded> {
        let of_rate = limits.bytes_per_second.map_or(u64::MAX, |most| (most / PIECES).max(SMALLEST_PIECE));
        match limits.bytes_per_day {
            None => Ok(of_rate),
            Some(most) => match self.day.left(most, now) {
                0 => Err(over_today(limits, most, now)),
                left => Ok(left.min(of_rate)),
            },
        }
    }

    /// Bytes were carried, either way: says how long to wait before more are.
    pub fn carried(&mut self, bytes: u64, limits: &EgressLimits, now: Now) -> Duration {
        // Counted although nobody asks: somebody may tomorrow.
        self.day.spend(bytes, now);
        limits.bytes_per_second.map_or(Duration::ZERO, |most| self.bytes.charge(bytes, most, now.elapsed))
    }

    /// Nobody waits for what was carried too fast: it is not held against those who come later either.
    pub fn forgive(&mut self) {
        self.bytes.forgive();
    }

    /// Whether it says no more than a new one would.
    pub fn is_idle(&mut self, limits: &EgressLimits, now: Now) -> bool {
        self.open == 0
            && limits.requests_per_second.is_none_or(|most| self.requests.is_full(most.into(), now.elapsed))
            && limits.bytes_per_second.is_none_or(|most| self.bytes.is_full(most, now.elapsed))
            && limits.bytes_per_day.is_none_or(|most| self.day.left(most, now) == most)
    }
}

fn over_today(limits: &EgressLimits, most: u64, now: Now) -> Exceeded {
    let retry_after = Some(Quota::until_tomorrow(now));
    Exceeded { limit: Limit::BytesPerDay, most, per: limits.per, retry_after }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lychgate_ir::egress::EgressMode;
    use proptest::prelude::*;

    const NONE: EgressLimits = EgressLimits {
        mode: EgressMode::Enforce,
        per: EgressLimitScope::Source,
        connections: None,
        requests_per_second: None,
        bytes_per_second: None,
        bytes_per_day: None,
    };

    fn at(seconds: u64) -> Now {
        Now { elapsed: Duration::from_secs(seconds), unix_seconds: i64::try_from(seconds).unwrap() }
    }

    #[test]
    fn each_limit_says_what_it_is() {
        let limits = EgressLimits {
            connections: Some(1),
            requests_per_second: Some(2),
            bytes_per_second: Some(1024),
            bytes_per_day: Some(3000),
            ..NONE
        };
        let mut account = Account::default();
        account.open(&limits).unwrap();
        let full = account.open(&limits).unwrap_err();
        assert_eq!(full.to_string(), "no more than 1 connections at a time may leave for each source");
        account.close();
        account.open(&limits).unwrap();
        account.request(&limits, at(0)).unwrap();
        account.request(&limits, at(0)).unwrap();
        let fast = account.request(&limits, at(0)).unwrap_err();
        assert_eq!((fast.limit, fast.retry_after), (Limit::Requests, Some(Duration::from_millis(500))));
        assert_eq!(account.piece(&limits, at(0)), Ok(512));
        assert_eq!(account.carried(2048, &limits, at(0)), Duration::from_secs(1));
        assert_eq!(account.carried(700, &limits, at(10)), Duration::ZERO);
        assert_eq!(account.piece(&limits, at(10)), Ok(252), "what is left of the day");
        account.carried(252, &limits, at(10));
        let over = account.piece(&limits, at(10)).unwrap_err();
        assert_eq!((over.limit, over.retry_after), (Limit::BytesPerDay, Some(Duration::from_secs(86_390))));
        assert_eq!(account.request(&limits, at(10)), Err(over));
        assert!(account.request(&limits, at(86_400)).is_ok());
        // Numbers are the rule's, what has left is the account's.
        let more = EgressLimits { bytes_per_day: Some(3001), ..limits };
        let mut same_day = Account::default();
        same_day.carried(3000, &limits, at(0));
        assert_eq!((same_day.piece(&more, at(0)), same_day.piece(&limits, at(0)).is_ok()), (Ok(1), false));
    }

    proptest! {
        /// However connections come and go: never more at a time than may be.
        #[test]
        fn never_more_connections_than_may_be(most in 1_u32..5, steps in prop::collection::vec(any::<bool>(), 1..100)) {
            let limits = EgressLimits { connections: Some(most), ..NONE };
            let (mut account, mut open) = (Account::default(), 0);
            for opens in steps {
                if opens {
                    prop_assert_eq!(account.open(&limits).is_ok(), open < most);
                    open = (open + 1).min(most);
                } else if open > 0 {
                    account.close();
                    open -= 1;
                }
            }
        }

        /// Who carries no more than it is told has carried no more than the day's.
        #[test]
        fn never_more_bytes_than_the_days(most in 1_u64..10_000, steps in prop::collection::vec((1_u64..5_000, 0_u64..40_000), 1..60)) {
            let limits = EgressLimits { bytes_per_day: Some(most), ..NONE };
            let (mut account, mut now) = (Account::default(), 0);
            let mut days = std::collections::BTreeMap::<u64, u64>::new();
            for (wants, passes) in steps {
                now += passes;
                if let Ok(piece) = account.piece(&limits, at(now)) {
                    account.carried(wants.min(piece), &limits, at(now));
                    *days.entry(now / 86_400).or_default() += wants.min(piece);
                }
            }
            prop_assert!(days.values().all(|carried| *carried <= most), "{days:?}");
        }
    }
}
