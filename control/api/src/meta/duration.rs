//! Durations as Gateway API writes them (GEP-2257).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration of whole milliseconds: up to four pairs of number and unit out of `h`, `m`, `s`, `ms` (GEP-2257).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    millis: u64,
}

/// The text is no GEP-2257 duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationError(String);

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a duration such as 500ms, 10s or 1h30m", self.0)
    }
}

impl std::error::Error for DurationError {}

impl Duration {
    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self { millis }
    }

    /// Zero, which for timeouts means "none".
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.millis == 0
    }

    /// The same as a standard duration.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.millis)
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.to_std()
    }
}

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let fail = || DurationError(text.to_owned());
        let mut rest = text;
        let mut millis = 0;
        let mut parts = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            let letters = after.bytes().take_while(u8::is_ascii_lowercase).count();
            let (unit, after) = after.split_at(letters);
            let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fail)?;
            parts += 1;
            if !(1..=5).contains(&digits) || parts > 4 {
                return Err(fail());
            }
            // At most four times 99999h: far below u64's end.
            millis += number.parse::<u64>().map_err(|_| fail())? * factor;
            rest = after;
        }
        if parts == 0 { Err(fail()) } else { Ok(Self { millis }) }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.millis == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.millis;
        for (unit, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Duration;

    #[test]
    fn parses_gep_2257() {
        for (text, millis, printed) in [
            ("0s", 0, "0s"),
            ("1h", 3_600_000, "1h"),
            ("90m", 5_400_000, "1h30m"),
            ("1h30m10s500ms", 5_410_500, "1h30m10s500ms"),
            ("99999ms", 99_999, "1m39s999ms"),
            ("1s1s", 2000, "2s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!((duration, duration.to_string().as_str()), (Duration::from_millis(millis), printed));
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "1", "s", "1.5s", "-1s", "1us", "1h1m1s1ms1s", "100000s", "1 s", "é", "1é"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
