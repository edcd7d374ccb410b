//! What is recorded.

use lychgate_ir::GatewayId;
use lychgate_ir::egress::{EgressAction, EgressMode, EgressRuleId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A decision, and what came of it. Holds what the decision was made of, so that it can be made again under other policies;
/// never a query, a body or a header that may hold a secret. Logs of before lack some of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When it was decided.
    pub time: Timestamp,
    /// Whether it tells of the whole.
    #[serde(default, skip_serializing_if = "RecordPhase::is_ended")]
    pub phase: RecordPhase,
    /// The Gateway that was asked.
    #[serde(default)]
    pub gateway: Option<GatewayId>,
    /// Who asked.
    pub source: RecordSource,
    /// For what.
    pub destination: RecordDestination,
    /// What was spoken; `None` where nothing was yet.
    #[serde(default)]
    pub protocol: Option<RecordProtocol>,
    /// The server name that TLS showed.
    pub server_name: Option<String>,
    /// Whether its ClientHello had another one inside that could not be read (ECH).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted_hello: bool,
    /// The request of HTTP, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<RecordHttp>,
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

/// How much a record tells. Where the log is required, what leaves is recorded twice: before anything is sent, and at its
/// end; and once more in between, if it takes another way than it was to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordPhase {
    /// It was decided, and begins now.
    Begun,
    /// It has ended, or did not begin.
    #[default]
    Ended,
}

impl RecordPhase {
    fn is_ended(&self) -> bool {
        *self == Self::Ended
    }
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
    /// Labels of the workload.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordDestination {
    /// By name: what the client called it, else what it said in TLS or HTTP.
    pub host: Option<String>,
    /// The address that was dialled, or that the client named.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// Whether the client called it by address: the name is then only what it said in TLS or HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_address: bool,
    /// Whether DNS leads from the name to the address; `None` where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// What was spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordProtocol {
    /// Neither TLS nor HTTP, or nothing by which to tell.
    Tcp,
    /// TLS that was passed on as it was.
    Tls,
    /// A request of HTTP.
    Http,
    /// A question to DNS.
    Dns,
}

/// A request of HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordHttp {
    /// Its Host or `:authority`, without the port.
    pub host: Option<String>,
    /// Its method.
    pub method: String,
    /// Its path, without the query, cut off at 1,024 bytes.
    pub path: String,
    /// Whether it came in TLS, which was looked into.
    pub over_tls: bool,
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

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_millis(self) -> i64 {
        self.0
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

impl From<Timestamp> for SystemTime {
    fn from(Timestamp(millis): Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
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
