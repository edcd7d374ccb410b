//! When a rule holds.
//!
//! Times are those of UTC or of a fixed offset. Zones by name are left out: what `Europe/Berlin` means changes with data
//! that every data plane would need in the same version, or one denies what another allows.

use serde::{Deserialize, Serialize};
use std::fmt;

const DAY: i64 = 24 * 60;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// From Monday on.
    pub const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// Days of the week, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Weekday>", into = "Vec<Weekday>")]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0b0111_1111);

    /// These days; `None` if there are none.
    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Option<Self> {
        let bits = days.into_iter().fold(0, |bits, day| bits | day.bit());
        (bits != 0).then_some(Self(bits))
    }

    /// Whether a day is one of them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & day.bit() != 0
    }
}

impl TryFrom<Vec<Weekday>> for Weekdays {
    type Error = &'static str;

    fn try_from(days: Vec<Weekday>) -> Result<Self, Self::Error> {
        Self::new(days).ok_or("a time window has at least one day")
    }
}

impl From<Weekdays> for Vec<Weekday> {
    fn from(days: Weekdays) -> Self {
        Weekday::ALL.into_iter().filter(|day| days.contains(*day)).collect()
    }
}

/// Minutes to add to UTC, at most 18 hours either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i16", into = "i16")]
pub struct UtcOffset(i16);

impl UtcOffset {
    /// East is positive.
    pub fn minutes(minutes: i16) -> Option<Self> {
        (-18 * 60..=18 * 60).contains(&minutes).then_some(Self(minutes))
    }

    /// Parses `UTC`, `Z`, `+02:00` or `-03:30`.
    pub fn parse(text: &str) -> Result<Self, NotAWindow> {
        let no = || NotAWindow(format!("`{}` is no offset: write `UTC`, `+02:00` or `-03:30`", text.escape_default()));
        if matches!(text, "UTC" | "Z") {
            return Ok(Self(0));
        }
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(no()),
        };
        let minutes = minute(rest).and_then(|minutes| i16::try_from(minutes).ok()).ok_or_else(no)?;
        Self::minutes(sign * minutes).ok_or_else(no)
    }
}

impl TryFrom<i16> for UtcOffset {
    type Error = &'static str;

    fn try_from(minutes: i16) -> Result<Self, Self::Error> {
        Self::minutes(minutes).ok_or("an offset from UTC is at most 18 hours")
    }
}

impl From<UtcOffset> for i16 {
    fn from(offset: UtcOffset) -> Self {
        offset.0
    }
}

/// Why something is no time window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAWindow(String);

impl fmt::Display for NotAWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotAWindow {}

/// On some days, from one time to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWindow {
    days: Weekdays,
    from: u16,
    to: u16,
    offset: UtcOffset,
}

impl TimeWindow {
    /// From `HH:MM` to `HH:MM`, the end not in it; `24:00` is the end of the day. Where the end is not after the
    /// beginning, it is on the next day, and the days are those on which it begins.
    pub fn parse(days: Weekdays, from: &str, to: &str, offset: UtcOffset) -> Result<Self, NotAWindow> {
        let time = |text: &str| {
            let no = || NotAWindow(format!("`{}` is no time: write `HH:MM`", text.escape_default()));
            minute(text).ok_or_else(no)
        };
        let (from, to) = (time(from)?, time(to)?);
        if i64::from(from) == DAY {
            return Err(NotAWindow("a time window begins before `24:00`".to_owned()));
        }
        Ok(Self { days, from, to, offset })
    }

    /// Whether a time is in it, in seconds since 1970-01-01T00:00:00Z.
    pub fn contains(&self, unix_seconds: i64) -> bool {
        let Self { days, from, to, offset } = *self;
        let (from, to) = (i64::from(from), i64::from(to));
        let local = unix_seconds.div_euclid(60).saturating_add(i64::from(offset.0));
        let (day, minute) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        if from < to {
            return (from..to).contains(&minute) && on(days, day);
        }
        (minute >= from && on(days, day)) || (minute < to && on(days, day - 1))
    }
}

/// The first of January 1970 was a Thursday.
fn on(days: Weekdays, day: i64) -> bool {
    let index = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
    Weekday::ALL.get(index).is_some_and(|day| days.contains(*day))
}

/// Minutes since midnight of `HH:MM`, `24:00` included.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (minutes < 60 && (hours < 24 || (hours == 24 && minutes == 0))).then_some(hours * 60 + minutes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Thursday, 2026-11-26T10:00:00Z.
    const THURSDAY_TEN: i64 = 1_795_687_200;
    const HOUR: i64 = 3600;

    fn window(days: &[Weekday], from: &str, to: &str, offset: &str) -> TimeWindow {
        let days = Weekdays::new(days.iter().copied()).unwrap();
        TimeWindow::parse(days, from, to, UtcOffset::parse(offset).unwrap()).unwrap()
    }

    #[test]
    fn the_end_is_not_in_it() {
        let window = window(&[Weekday::Thursday], "10:00", "11:00", "UTC");
        assert!(window.contains(THURSDAY_TEN));
        assert!(!window.contains(THURSDAY_TEN - 1));
        assert!(window.contains(THURSDAY_TEN + HOUR - 1));
        assert!(!window.contains(THURSDAY_TEN + HOUR));
        assert!(!window.contains(THURSDAY_TEN + 24 * HOUR));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let window = window(&[Weekday::Wednesday], "22:00", "06:00", "UTC");
        assert!(window.contains(THURSDAY_TEN - 12 * HOUR), "Wednesday 22:00");
        assert!(window.contains(THURSDAY_TEN - 5 * HOUR), "Thursday 05:00");
        assert!(!window.contains(THURSDAY_TEN - 4 * HOUR), "Thursday 06:00");
        assert!(!window.contains(THURSDAY_TEN + 12 * HOUR), "Thursday 22:00");
    }

    #[test]
    fn days_are_those_of_the_offset() {
        // Friday 00:00 in +14:00.
        let window = window(&[Weekday::Friday], "00:00", "24:00", "+14:00");
        assert!(window.contains(THURSDAY_TEN));
        assert!(!window.contains(THURSDAY_TEN - 1));
        assert!(self::window(&[Weekday::Thursday], "06:30", "06:31", "-03:30").contains(THURSDAY_TEN));
    }

    #[test]
    fn equal_ends_are_a_whole_day() {
        let window = window(&[Weekday::Thursday], "09:00", "09:00", "Z");
        assert!(window.contains(THURSDAY_TEN));
        assert!(window.contains(THURSDAY_TEN + 22 * HOUR));
        assert!(!window.contains(THURSDAY_TEN + 23 * HOUR));
    }

    #[test]
    fn times_before_1970_and_at_the_ends_of_time_are_times() {
        let always = window(&Weekday::ALL, "00:00", "24:00", "UTC");
        for time in [i64::MIN, -1, 0, i64::MAX] {
            assert!(always.contains(time));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in ["", "9:00", "09:60", "24:01", "25:00", "0900", "+1:00", "09:00:00"] {
            assert!(TimeWindow::parse(Weekdays::ALL, bad, "24:00", UtcOffset::default()).is_err(), "{bad}");
        }
        assert!(TimeWindow::parse(Weekdays::ALL, "24:00", "24:00", UtcOffset::default()).is_err());
        for bad in ["", "Europe/Berlin", "02:00", "+19:00", "+2"] {
            assert!(UtcOffset::parse(bad).is_err(), "{bad}");
        }
        assert!(Weekdays::new([]).is_none());
    }
}
