//! What a Gateway through which things leave has besides its listeners and routes.

use super::{DnsName, EgressHost, EgressMode, EgressPolicyId, TrustDomains};
use crate::{CertificateId, Refusal, SecretId};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A Gateway through which things leave. All that passes one of its listeners is decided by its policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressGateway {
    /// What becomes of what no rule allows.
    pub default: EgressMode,
    /// Networks of pods, Services and nodes: never reached unless a rule names them.
    pub cluster: Vec<IpNet>,
    /// The policies that are attached to it, sorted.
    pub policies: Vec<EgressPolicyId>,
    /// Who may name itself by user name and password, by user name. Empty: nobody is asked.
    pub logins: BTreeMap<Arc<str>, EgressLogin>,
    /// In which trust domains a certificate names a workload of this cluster.
    #[serde(default, skip_serializing_if = "TrustDomains::is_usual")]
    pub trust_domains: TrustDomains,
    /// Whom its resolver listeners ask, and how names are resolved for all else.
    pub dns: EgressDns,
    /// How TLS is looked into. Without it, rules that ask for that deny.
    pub inspection: Option<EgressInspection>,
}

/// How TLS is looked into, where a rule asks for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressInspection {
    /// The authority that signs for the hosts.
    pub authority: Result<CertificateId, Refusal>,
    /// Hosts that are never looked into, whatever rules say.
    pub exclude: Vec<EgressHost>,
}

impl EgressInspection {
    /// Whether what goes by this name is carried as it is, whatever rules say.
    pub fn excludes(&self, name: &DnsName) -> bool {
        self.exclude.iter().any(|host| host.matches(name.as_str()))
    }
}

/// A user name that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressLogin {
    /// Its password.
    pub password: SecretId,
    /// The namespace that it stands for.
    pub namespace: Arc<str>,
    /// The service account that it stands for.
    pub service_account: Arc<str>,
}

/// How names are resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressDns {
    /// Whom to ask, in this order; empty is the resolvers of the host.
    pub upstreams: Vec<DnsUpstream>,
    /// An answer is kept for at least so long.
    #[serde(with = "crate::dump::millis")]
    pub min_ttl: Duration,
    /// An answer is kept, and may be kept by clients, for at most so long. Zero is as long as it says.
    #[serde(with = "crate::dump::millis")]
    pub max_ttl: Duration,
}

/// A resolver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsUpstream {
    /// How it is asked.
    pub protocol: DnsProtocol,
    /// Where it is.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The name that its certificate must have; for [`DnsProtocol::Https`] and [`DnsProtocol::Tls`].
    pub name: Option<Arc<str>>,
}

/// How a resolver is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DnsProtocol {
    /// Datagrams, and TCP where an answer is too long for one (RFC 1035).
    Udp,
    /// TLS (RFC 7858).
    Tls,
    /// HTTP over TLS (RFC 8484), at the path `/dns-query`.
    Https,
}
