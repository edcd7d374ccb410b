//! EgressPolicy: what may leave through egress Gateways.

mod handling;
mod rule;

pub use handling::*;
pub use rule::*;

use serde::{Deserialize, Serialize};

use crate::gateway::PolicyStatus;
use crate::meta::{MatchLabels, ObjectMeta};
use crate::words::closed_words;

/// What may leave, for whom, through which Gateways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressPolicy {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    pub spec: EgressPolicySpec,
    /// Status.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub status: PolicyStatus,
}

/// Specification of an [`EgressPolicy`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressPolicySpec {
    /// The Gateways that it holds for.
    pub target_refs: Vec<EgressTargetReference>,
    /// Whom it is about; all workloads of its namespace where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<EgressPolicySubject>,
    /// Whether it decides.
    #[serde(default)]
    pub mode: EgressPolicyMode,
    /// How mode Shadow is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<EgressShadow>,
    /// What they may, and what they may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<EgressPolicyRule>,
}

/// A Gateway that a policy holds for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressTargetReference {
    /// Gateway API's.
    pub group: String,
    /// `Gateway`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace; the policy's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Whom a policy is about: exactly one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EgressPolicySubject {
    /// Workloads of this service account of the policy's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Workloads of the policy's namespace with these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<MatchLabels>,
    /// All workloads of a namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The workload of this SPIFFE ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// All sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub everyone: Option<Marker>,
    /// Sources of which nobody can say what they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Marker>,
}

/// `{}`: that it is written says all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {}

closed_words! {
    /// Whether something decides, or only tells what it would decide.
    #[derive(Default)]
    pub enum EgressPolicyMode {
        #[default]
        Enforce = "Enforce",
        Shadow = "Shadow",
    }
}

/// How mode Shadow is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressShadow {
    /// For which share of decisions it tells.
    #[serde(default = "hundred")]
    pub percent: u8,
}

pub(super) fn hundred() -> u8 {
    100
}
