//! Conditions, as `metav1.Condition`.

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::words::closed_words;

/// One observation about an object, with the reason and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is observed, such as `Accepted`.
    pub r#type: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The `metadata.generation` that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` changed last; the epoch where nobody has said.
    #[serde(default)]
    pub last_transition_time: Time,
    /// A word for machines, in CamelCase.
    pub reason: String,
    /// A sentence for people.
    #[serde(default)]
    pub message: String,
}

closed_words! {
    /// Whether a condition holds.
    pub enum ConditionStatus {
        True = "True",
        False = "False",
        Unknown = "Unknown",
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}
