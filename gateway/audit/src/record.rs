//! What is recorded.

use lychgate_ir::egress::{EgressAction, EgressMode, EgressRuleId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A decision, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When it was decided.
    pub time: Timestamp,
    /// Who asked.
    pub source: RecordSource,
    /// For what.
    pub destination: RecordDestination,
    /// The server name that TLS showed.
    pub server_name: Option<String>,
    /// What was decided.
    pub verdict: EgressAction,
    /// How seriously.
    pub mode: EgressMode,
    /// What would have been, were everything enforced.
    pub shadow: Option<EgressAction>,
    /// The rule that decided.
    pub rule: Option<EgressRuleId>,
    /// Why, in words.
    pub reason: Option<String>,
    /// Bytes from the source.
    pub bytes_sent: u64,
    /// Bytes to the source.
    pub bytes_received: u64,
    /// From its beginning to its end, in milliseconds.
    pub duration_ms: u64,
}

/// Who asked, as far as it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordSource {
    /// SPIFFE ID.
    pub identity: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Service account.
    pub service_account: Option<String>,
    /// Address that it came from.
    pub address: Option<IpAddr>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordDestination {
    /// By name.
    pub host: Option<String>,
    /// The address that was dialled.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

/// A time in milliseconds, written as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// 9999-12-31T23:59:59.999Z: what comes later has no form in RFC 3339.
const LAST: i64 = 253_402_300_799_999;

impl Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z, between that and the year 9999.
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(0, LAST))
    }

    /// Now.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(LAST))
    }

    /// How long ago another time is; nothing if it is still to come.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000)).map_err(|_| fmt::Error)?;
        let (date, clock) = (time.date(), time.time());
        let millis = self.0.rem_euclid(1000);
        let (hour, minute, second) = clock.as_hms();
        write!(
            f,
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z",
            date.year(),
            u8::from(date.month()),
            date.day()
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)?;
        let millis = i64::try_from(time.unix_timestamp_nanos() / 1_000_000).map_err(serde::de::Error::custom)?;
        Ok(Self::from_unix_millis(millis))
    }
}
