//! BackendTLSPolicy.

use serde::{Deserialize, Serialize};

use super::{LocalObjectReference, PolicyStatus};
use crate::meta::{ObjectMeta, StringMap};
use crate::words::{closed_words, open_words};

/// TLS towards the backends of a Service, and how their certificates are validated (GEP-1897).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsPolicy {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    pub spec: BackendTlsPolicySpec,
    /// Status.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub status: PolicyStatus,
}

/// Specification of a [`BackendTlsPolicy`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsPolicySpec {
    /// What the policy is for, in its namespace.
    pub target_refs: Vec<LocalPolicyTargetReferenceWithSectionName>,
    /// How certificates are validated.
    pub validation: BackendTlsPolicyValidation,
    /// Settings of implementations, by domain-prefixed key.
    #[serde(default, skip_serializing_if = "StringMap::is_empty")]
    pub options: StringMap,
}

/// What a policy is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalPolicyTargetReferenceWithSectionName {
    /// The object.
    #[serde(flatten)]
    pub target: LocalObjectReference,
    /// One port of the Service, by name; all of them where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// How a backend's certificate is validated. One of the two sources of trust anchors is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsPolicyValidation {
    /// Trust anchors: ConfigMaps with `ca.crt`, ClusterTrustBundles, or other kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<LocalObjectReference>,
    /// A set of trust anchors that the host knows.
    #[serde(default, rename = "wellKnownCACertificates", skip_serializing_if = "Option::is_none")]
    pub well_known_ca_certificates: Option<WellKnownCaCertificates>,
    /// The SNI that is sent, and the name that the certificate must have where `subjectAltNames` is empty.
    pub hostname: String,
    /// Names, of which the certificate must have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<SubjectAltName>,
}

open_words! {
    /// A set of trust anchors that the host knows. Others are domain-prefixed and belong to implementations.
    pub enum WellKnownCaCertificates {
        System = "System",
    }
}

/// A name in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectAltName {
    /// Which of the following is set.
    pub r#type: SubjectAltNameType,
    /// A DNS name, exact or `*.` wildcard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// An absolute URI, such as a SPIFFE ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

closed_words! {
    /// The type of a name in a certificate.
    pub enum SubjectAltNameType {
        Hostname = "Hostname",
        Uri = "URI",
    }
}
