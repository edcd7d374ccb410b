//! Namespace.

use serde::{Deserialize, Serialize};

use crate::meta::ObjectMeta;

/// A namespace; we read its labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Namespace {
    /// Metadata.
    pub metadata: ObjectMeta,
}
