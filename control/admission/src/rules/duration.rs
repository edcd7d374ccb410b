//! `duration("1h30m")`, as Go's `time.ParseDuration` reads it. CEL's own type would bring a time zone database along.

use std::any::Any;
use std::cmp::Ordering;

use cel::ExecutionError;
use cel::common::traits::Comparer;
use cel::common::types::{CelString, DURATION_TYPE, Type};
use cel::common::value::{StaticVal, Val};

/// A duration in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CelDuration(i64);

static TYPE: Type = DURATION_TYPE;

impl Val for CelDuration {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>() == Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(*self)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for CelDuration {}

impl Comparer for CelDuration {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        other.downcast_ref::<Self>().map(|other| self.cmp(other)).ok_or_else(|| ExecutionError::UnexpectedType {
            got: other.get_type().name().to_owned(),
            want: "duration".to_owned(),
        })
    }
}

pub(super) fn parse(text: &CelString<'_>) -> Result<CelDuration, ExecutionError> {
    let text = text.inner();
    nanoseconds(text)
        .map(CelDuration)
        .ok_or_else(|| ExecutionError::function_error("duration", format!("{text:?} is not a duration")))
}

const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];

fn nanoseconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    // Nanoseconds in a float are exact up to 104 days, which is past what timeouts in routes can say precisely.
    let total: f64 = (total * sign).round();
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "within the range of i64")]
    (total.abs() < i64::MAX as f64).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn reads_go_durations() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("1h30m", Some(5_400_000_000_000)),
            ("1.5s", Some(1_500_000_000)),
            ("-1ms", Some(-1_000_000)),
            ("99999h99999h99999h99999h", Some(1_439_985_600_000_000_000)),
            ("3us", Some(3000)),
            ("", None),
            ("1", None),
            ("s", None),
            ("1x", None),
            ("1s ", None),
            (".s", None),
            ("ü", None),
        ] {
            assert_eq!(nanoseconds(text), expected, "{text}");
        }
    }
}
