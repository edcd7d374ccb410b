//! So much a second, of which a second's worth may come at once.

use std::time::Duration;

/// A second, in the parts that a debt is counted in: whole numbers, so that nothing is lost however often it is asked.
const PARTS: u128 = 1_000_000_000;

/// What was taken, and not paid for by time yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// In parts of one.
    debt: u128,
    /// Until when time has paid.
    paid: Duration,
    /// So much a second.
    rate: u64,
}

impl Bucket {
    /// Takes one, or says how long it will be until there is one.
    pub fn take(&mut self, rate: u64, now: Duration) -> Result<(), Duration> {
        self.pay(rate, now);
        let debt = self.debt.saturating_add(PARTS);
        match debt.checked_sub(self.room()) {
            None | Some(0) => {
                self.debt = debt;
                Ok(())
            }
            Some(beyond) => Err(self.wait(beyond)),
        }
    }

    /// Takes what was used already, and says how long to wait before more is. Who comes later waits for those before.
    pub fn charge(&mut self, amount: u64, rate: u64, now: Duration) -> Duration {
        self.pay(rate, now);
        self.debt = self.debt.saturating_add(u128::from(amount).saturating_mul(PARTS));
        self.wait(self.debt.saturating_sub(self.room()))
    }

    /// Forgets what is beyond a second's worth.
    pub fn forgive(&mut self) {
        self.debt = self.debt.min(self.room());
    }

    /// Whether time has paid for all.
    pub fn is_full(&mut self, rate: u64, now: Duration) -> bool {
        self.pay(rate, now);
        self.debt == 0
    }

    /// A clock that goes back pays for nothing twice. With another rate, what is owed takes as long as it would have.
    fn pay(&mut self, rate: u64, now: Duration) {
        let passed = now.saturating_sub(self.paid).as_nanos();
        self.paid = self.paid.max(now);
        self.debt = self.debt.saturating_sub(passed.saturating_mul(u128::from(self.rate)));
        if rate != self.rate {
            let old = u128::from(self.rate.max(1));
            self.debt = self.debt.saturating_mul(u128::from(rate)).div_ceil(old);
            self.rate = rate;
        }
    }

    fn room(&self) -> u128 {
        u128::from(self.rate).saturating_mul(PARTS)
    }

    fn wait(&self, parts: u128) -> Duration {
        let nanos = parts.div_ceil(u128::from(self.rate.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_seconds_worth_comes_at_once_and_then_it_is_as_fast_as_it_may_be() {
        let mut bucket = Bucket::default();
        for _ in 0..4 {
            assert_eq!(bucket.take(4, ms(10)), Ok(()));
        }
        assert_eq!(bucket.take(4, ms(10)), Err(ms(250)));
        assert_eq!(bucket.take(4, ms(260)), Ok(()));
        assert_eq!(bucket.take(4, ms(260)), Err(ms(250)));
        assert_eq!(bucket.take(4, ms(5)), Err(ms(250)), "a clock that goes back");
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert!(Bucket::default().take(0, ms(1_000_000)).is_err());
    }

    #[test]
    fn who_comes_later_waits_for_those_before() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.charge(1000, 1000, ms(0)), ms(0));
        assert_eq!(bucket.charge(500, 1000, ms(0)), ms(500));
        assert_eq!(bucket.charge(500, 1000, ms(0)), ms(1000));
        assert_eq!(bucket.charge(0, 1000, ms(1000)), ms(0));
    }

    #[test]
    fn with_another_rate_what_is_owed_takes_as_long() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.charge(3_000_000, 1_000_000, ms(0)), ms(2000));
        assert_eq!(bucket.charge(0, 1000, ms(500)), ms(1500));
    }

    proptest! {
        /// Whatever is asked when: never more than a second's worth and what time has paid for.
        #[test]
        fn never_more_than_what_is_said(rate in 1_u64..50, steps in prop::collection::vec(0_u64..400, 1..200)) {
            let mut bucket = Bucket::default();
            let (mut now, mut taken) = (0, 0_u64);
            for step in steps {
                now += step;
                taken += u64::from(bucket.take(rate, ms(now)).is_ok());
                prop_assert!(taken * 1000 <= rate * (1000 + now), "{taken} at {now}");
            }
        }

        /// Who waits as long as is said gets it, and not a moment sooner.
        #[test]
        fn what_is_told_to_wait_is_what_it_takes(rate in 1_u64..50, steps in prop::collection::vec(0_u64..400, 1..200)) {
            let mut bucket = Bucket::default();
            let mut now = Duration::ZERO;
            for step in steps {
                now += ms(step);
                if let Err(wait) = bucket.take(rate, now) {
                    prop_assert!(bucket.clone().take(rate, now + wait - Duration::from_nanos(1)).is_err());
                    prop_assert_eq!(bucket.clone().take(rate, now + wait), Ok(()));
                }
            }
        }

        /// Who charges, and waits as long as is said, has carried no more than a second's worth, what time has paid for, and
        /// the last piece.
        #[test]
        fn who_waits_as_told_is_no_faster(rate in 1_u64..100_000, pieces in prop::collection::vec(0_u64..50_000, 1..100)) {
            let mut bucket = Bucket::default();
            let (mut now, mut carried) = (Duration::ZERO, 0_u128);
            for piece in pieces {
                let may = u128::from(rate) * (1_000_000_000 + now.as_nanos()) / 1_000_000_000;
                prop_assert!(carried <= may + 1, "{carried} of {may}");
                carried += u128::from(piece);
                now += bucket.charge(piece, rate, now);
            }
        }
    }
}
