//! How an egress Gateway decides.

use serde::{Deserialize, Serialize};

use crate::lychgate::egresspolicy::{EgressPolicyMode, SecretKeyReference, SecretReference, hundred};
use crate::meta::{Duration, MatchLabels};
use crate::words::closed_words;

/// How an egress Gateway decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EgressParameters {
    /// What becomes of what no rule allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<EgressDefault>,
    /// Networks of pods, Services and nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_networks: Option<Vec<String>>,
    /// From which namespaces policies are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<AllowedPolicies>,
    /// Clients that name themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logins: Option<EgressLogins>,
    /// In which trust domains a certificate names a workload of this cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domains: Option<Vec<String>>,
    /// How names are resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<EgressDnsParameters>,
    /// How TLS is looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspection: Option<EgressInspection>,
}

/// What becomes of what no rule allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressDefault {
    /// Whether it is denied.
    #[serde(default)]
    pub mode: EgressPolicyMode,
    /// For which share of decisions mode Shadow tells.
    #[serde(default = "hundred")]
    pub percent: u8,
}

/// From which namespaces policies are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AllowedPolicies {
    /// Which namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<PolicyNamespaces>,
}

/// Namespaces that policies are taken from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyNamespaces {
    /// How they are chosen.
    pub from: PoliciesFrom,
    /// Their labels, with `Selector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<MatchLabels>,
}

closed_words! {
    /// How namespaces are chosen.
    #[derive(Default)]
    pub enum PoliciesFrom {
        #[default]
        All = "All",
        Same = "Same",
        Selector = "Selector",
    }
}

/// Clients that name themselves by user name and password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressLogins {
    /// Who they are.
    pub users: Vec<EgressUser>,
}

/// A user name that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressUser {
    /// The user name.
    pub name: String,
    /// The namespace that it stands for.
    pub namespace: String,
    /// The service account that it stands for.
    pub service_account: String,
    /// The password.
    pub password_ref: SecretKeyReference,
}

/// How names are resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EgressDnsParameters {
    /// Whom to ask; the resolvers of the pod where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<EgressResolver>,
    /// An answer is kept for at least so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_ttl: Option<Duration>,
    /// An answer is kept for at most so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ttl: Option<Duration>,
}

/// A resolver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressResolver {
    /// How it is asked.
    #[serde(default)]
    pub protocol: ResolverProtocol,
    /// Its address.
    pub address: String,
    /// Its port; that of the protocol where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The name that its certificate must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

closed_words! {
    /// How a resolver is asked.
    #[derive(Default)]
    pub enum ResolverProtocol {
        #[default]
        Udp = "UDP",
        Tls = "TLS",
        Https = "HTTPS",
    }
}

/// How TLS is looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressInspection {
    /// A Secret with the authority that signs.
    pub certificate_ref: SecretReference,
    /// Hosts that are never looked into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}
