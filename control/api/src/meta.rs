//! What all kinds share: metadata, label selectors, conditions, durations.

mod condition;
mod duration;
mod selector;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::time::{Time, TimeError};
pub use condition::{Condition, ConditionStatus};
pub use duration::{Duration, DurationError};
pub use selector::{LabelSelector, LabelSelectorOperator, LabelSelectorRequirement, MatchLabels};

/// Labels or annotations.
pub type StringMap = BTreeMap<String, String>;

/// The part of Kubernetes' `ObjectMeta` that we read. Other fields of it are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// The name, unique for the kind in its namespace.
    pub name: String,
    /// The namespace; empty for kinds that have none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Counts changes of the spec; 0 where no API server counts.
    #[serde(skip_serializing_if = "crate::is_default")]
    pub generation: i64,
    /// When the API server stored the object first. Older objects win conflicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Time>,
    /// Labels, which selectors look at.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: StringMap,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: StringMap,
    /// Set by the API server; absent for objects from files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Set by the API server; absent for objects from files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}
