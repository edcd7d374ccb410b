//! How what a rule allows is carried to where it goes.

use super::EgressMode;
use crate::{ClientIdentity, Refusal, Roots, SecretId, TlsVersion};
use http::header::HeaderName;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How what an allowing rule lets leave is carried. The rule that a decision is attributed to says it. What is broken in it
/// denies what the rule would have allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressHandling {
    /// What becomes of TLS.
    pub tls: EgressTls,
    /// What is added to requests, in place of what the workload says there. Only where requests are read.
    pub credential: Option<EgressCredential>,
    /// Through which proxy it goes on.
    pub via: Option<UpstreamProxy>,
    /// Where the addresses of the gate lie that it leaves from; empty leaves it to the host.
    #[serde(with = "crate::dump::networks")]
    pub leave_from: Vec<IpNet>,
    /// How much.
    pub limits: Option<EgressLimits>,
}

impl EgressHandling {
    /// Whether a gate may have several addresses of a family that this may leave from.
    pub fn has_choice_of_source(&self) -> bool {
        let is_network = |network: &IpNet| network.prefix_len() < network.max_prefix_len();
        let of_v4 = self.leave_from.iter().filter(|network| network.addr().is_ipv4()).count();
        of_v4 > 1 || self.leave_from.len() - of_v4 > 1 || self.leave_from.iter().any(is_network)
    }
}

/// What becomes of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EgressTls {
    /// What comes is carried on as it comes.
    #[default]
    Pass,
    /// What comes in the clear leaves over TLS. What comes over TLS already is refused.
    Originate(Result<OriginTls, Refusal>),
    /// TLS is ended here with a certificate of the Gateway's own authority, and begun anew: requests inside can be read.
    Inspect(Result<OriginTls, Refusal>),
}

/// TLS with an origin. Its certificate must have the name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginTls {
    /// The oldest version to speak.
    pub min_version: TlsVersion,
    /// Whom to believe.
    pub roots: Roots,
    /// If not empty, the chain must have one of these keys: SHA-256 of a SubjectPublicKeyInfo (RFC 7469 section 2.4).
    pub pins: Vec<SpkiPin>,
    /// What we present.
    pub identity: ClientIdentity,
}

impl OriginTls {
    /// Whether it asks for nothing but what is usual: TLS 1.2 or later, whom the system believes, and no certificate of ours.
    pub fn is_usual(&self) -> bool {
        let Self { min_version, roots, pins, identity } = self;
        *min_version == TlsVersion::V1_2
            && *roots == Roots::System
            && pins.is_empty()
            && *identity == ClientIdentity::None
    }
}

/// SHA-256 of a SubjectPublicKeyInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpkiPin(pub [u8; 32]);

/// A header that workloads need not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressCredential {
    /// Its name.
    #[serde(with = "crate::dump::header")]
    pub header: HeaderName,
    /// What stands before the secret: `Bearer ` or nothing.
    pub prefix: Arc<str>,
    /// The secret, or why there is none.
    pub secret: Result<SecretId, Refusal>,
}

/// A proxy beyond the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamProxy {
    /// What it speaks.
    pub protocol: UpstreamProxyProtocol,
    /// Its name or address. It is not asked whether it may be reached: who writes the rule says so.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// User name and password, if it asks for them.
    pub login: Option<Result<UpstreamProxyLogin, Refusal>>,
}

/// Who we are to a proxy beyond the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamProxyLogin {
    /// The user name.
    pub user: SecretId,
    /// The password.
    pub password: SecretId,
}

/// What a proxy beyond the gate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UpstreamProxyProtocol {
    /// CONNECT of HTTP/1.1 (RFC 9110 section 9.3.6).
    Http,
    /// SOCKS5 (RFC 1928); names are resolved by the proxy.
    Socks5,
}

/// How much may leave by a rule, in this replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressLimits {
    /// Whether what is beyond them is refused, or only told.
    pub mode: EgressMode,
    /// Whom each is for.
    pub per: EgressLimitScope,
    /// Open connections.
    pub connections: Option<u32>,
    /// Requests of HTTP, or connections where requests are not read, a second; a second's worth may come at once.
    pub requests_per_second: Option<u32>,
    /// Bytes a second, both ways together: more is slowed down, not refused.
    pub bytes_per_second: Option<u64>,
    /// Bytes a day (UTC), both ways together.
    pub bytes_per_day: Option<u64>,
}

/// Whom a limit is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EgressLimitScope {
    /// All that the rule lets leave.
    #[default]
    Rule,
    /// Each source.
    Source,
    /// Each destination, by name or else address.
    Destination,
}
