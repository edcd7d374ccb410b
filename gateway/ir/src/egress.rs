//! What may leave, for whom, and how sure one has to be of where it goes.
//!
//! ```text
//! EgressConfig ── default, cluster addresses
//!   └ EgressPolicy ── subjects (who), mode
//!       └ EgressRule ── Allow | Deny, destination, ports, protocols, windows
//! ```
//!
//! What wins when rules disagree is not a matter of the vocabulary: `lychgate-egress` says it.

mod destination;
mod gateway;
mod handling;
mod host;
mod id;
mod protocol;
mod subject;
mod trust;
mod window;
mod workload;

pub use destination::{Destination, PortRange};
pub use gateway::{DnsProtocol, DnsUpstream, EgressDns, EgressGateway, EgressInspection, EgressLogin};
pub use handling::{
    EgressCredential, EgressHandling, EgressLimitScope, EgressLimits, EgressTls, OriginTls, SpkiPin, UpstreamProxy,
    UpstreamProxyLogin, UpstreamProxyProtocol,
};
pub use host::{DnsName, EgressHost, NotAHost};
pub use id::{EgressPolicyId, EgressRuleId};
pub use protocol::{EgressPath, EgressProtocol, HttpRule};
pub use subject::{EgressSubject, SubjectLevel};
pub use trust::TrustDomains;
pub use window::{NotAWindow, TimeWindow, UtcOffset, Weekday, Weekdays};
pub use workload::Workload;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All that decides what leaves through one Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressConfig {
    /// What becomes of a request that no rule allows. Only who owns the Gateway can put this in shadow: if a policy could,
    /// whoever writes policies for a namespace could open it by a policy that says nothing.
    pub default: EgressMode,
    /// Networks of pods, Services and nodes: never reached unless a rule names them.
    pub cluster: Vec<IpNet>,
    /// The policies, each once.
    pub policies: BTreeMap<EgressPolicyId, Arc<EgressPolicy>>,
}

/// One object: who, how seriously, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressPolicy {
    /// `metadata.generation` when it was read.
    pub generation: i64,
    /// Whether it decides or only tells what it would decide.
    pub mode: EgressMode,
    /// Whom it is about: one that fits is enough.
    pub subjects: Vec<EgressSubject>,
    /// What they may and may not.
    pub rules: Vec<EgressRule>,
}

/// How seriously a policy, or the default, is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EgressMode {
    /// It decides.
    #[default]
    Enforce,
    /// It decides nothing; what it would decide is told, for this share of decisions.
    Shadow(Percent),
}

/// A share of decisions, in whole percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

impl Percent {
    /// All of them.
    pub const ALL: Self = Self(100);

    /// At most 100.
    pub fn new(percent: u8) -> Option<Self> {
        (percent <= 100).then_some(Self(percent))
    }

    /// Whether a decision is among them, by a number that is drawn evenly from 0 to 99.
    pub fn takes(self, draw: u8) -> bool {
        draw < self.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = &'static str;

    fn try_from(percent: u8) -> Result<Self, Self::Error> {
        Self::new(percent).ok_or("a percentage is a number from 0 to 100")
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

/// One thing that may leave, or may not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressRule {
    /// `rules[].name`, if named.
    pub name: Option<Arc<str>>,
    /// What follows when it matches.
    pub action: EgressAction,
    /// Where to.
    pub destination: Destination,
    /// Empty is any port.
    pub ports: Vec<PortRange>,
    /// One that fits is enough; empty is any.
    pub protocols: Vec<EgressProtocol>,
    /// When: one that fits is enough; empty is always.
    pub windows: Vec<TimeWindow>,
    /// What it lets pass although it cannot be known for certain.
    pub exceptions: EgressExceptions,
    /// What a client is told that it refuses.
    pub reason: Option<Arc<str>>,
    /// How what it allows is carried.
    #[serde(default)]
    pub handling: Arc<EgressHandling>,
}

/// What follows when a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EgressAction {
    /// It may leave, unless another rule denies it.
    Allow,
    /// It may not, whatever other rules say.
    Deny,
}

/// What an allowing rule by name lets pass although the name is not certain. All are refused unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressExceptions {
    /// TLS that names no server.
    pub missing_sni: bool,
    /// TLS whose true server name is encrypted (ECH): the one that is seen need not be the one that is asked.
    pub encrypted_client_hello: bool,
    /// TLS that names another server than the one that was asked for: domain fronting.
    pub other_sni: bool,
    /// HTTP whose Host is another than the server that was asked for: domain fronting inside the connection.
    pub other_host: bool,
    /// A name that is only claimed: DNS does not lead from it to the address that is dialled.
    pub unverified_name: bool,
}
