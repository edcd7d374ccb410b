//! ListenerSet.

use serde::{Deserialize, Serialize};

use super::{Listener, ListenerStatus, ParentGatewayReference};
use crate::meta::{Condition, ObjectMeta};

/// Listeners that are added to a Gateway from elsewhere (GEP-1713).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerSet {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    pub spec: ListenerSetSpec,
    /// Status.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub status: ListenerSetStatus,
}

/// Specification of a [`ListenerSet`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerSetSpec {
    /// The Gateway.
    pub parent_ref: ParentGatewayReference,
    /// Listeners, unique by name.
    pub listeners: Vec<Listener>,
}

/// Status of a [`ListenerSet`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerSetStatus {
    /// `Accepted`, `Programmed`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// One entry a listener of the spec.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerStatus>,
}
