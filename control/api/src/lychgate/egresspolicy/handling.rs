//! How what a rule allows is carried.

use serde::{Deserialize, Serialize};

use super::EgressPolicyMode;
use crate::words::closed_words;

/// What becomes of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressPolicyTls {
    /// What is done.
    pub mode: EgressTlsMode,
    /// The oldest version to speak with the destination.
    #[serde(default)]
    pub min_version: EgressTlsVersion,
    /// Whom to believe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<EgressTrustReference>,
    /// Whom to believe, by a name.
    #[serde(default, rename = "wellKnownCACertificates", skip_serializing_if = "Option::is_none")]
    pub well_known_ca_certificates: Option<EgressWellKnownCa>,
    /// Keys of which one has to be in the chain, `sha256/` and base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<String>,
    /// What is shown to the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<SecretReference>,
}

closed_words! {
    /// What is done with TLS.
    pub enum EgressTlsMode {
        Originate = "Originate",
        Inspect = "Inspect",
    }
}

closed_words! {
    /// Versions of TLS.
    #[derive(Default)]
    pub enum EgressTlsVersion {
        #[default]
        V1_2 = "1.2",
        V1_3 = "1.3",
    }
}

closed_words! {
    /// Trust anchors that have a name.
    pub enum EgressWellKnownCa {
        System = "System",
    }
}

/// A reference to trust anchors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressTrustReference {
    /// API group; empty for core.
    pub group: String,
    /// ConfigMap or ClusterTrustBundle.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; the policy's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A reference to a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Name.
    pub name: String,
    /// Namespace; the referring object's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A reference to one text of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyReference {
    /// Name.
    pub name: String,
    /// The key of its data.
    pub key: String,
    /// Namespace; the referring object's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A header that is put on requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressRuleCredential {
    /// Its name.
    pub header: String,
    /// What stands before the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The secret.
    pub secret_ref: SecretKeyReference,
}

/// A proxy beyond the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressVia {
    /// What it speaks.
    pub r#type: EgressProxyType,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// A Secret with `username` and `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<SecretReference>,
}

closed_words! {
    /// What a proxy speaks.
    pub enum EgressProxyType {
        Http = "HTTP",
        Socks5 = "SOCKS5",
    }
}

/// How much, in each replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EgressPolicyLimits {
    /// Whether what is beyond them is refused.
    pub mode: EgressPolicyMode,
    /// Whom each is for.
    pub per: EgressLimitsPer,
    /// Open connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Requests a second, or connections where requests are not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Bytes a second, both ways together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// Bytes a day, both ways together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
}

closed_words! {
    /// Whom a limit is for.
    #[derive(Default)]
    pub enum EgressLimitsPer {
        #[default]
        Rule = "Rule",
        Source = "Source",
        Destination = "Destination",
    }
}
