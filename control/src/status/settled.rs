//! Writes that left the object as it is: making them again would change nothing, whatever the comparison says.

use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What was written last, and the version of the object after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    status: u64,
    resource_version: String,
}

impl Settled {
    pub(super) fn new(status: &Value, resource_version: &str) -> Self {
        Self { status: digest(status), resource_version: resource_version.to_owned() }
    }

    /// Whether this would be the same write upon the same version.
    pub(super) fn holds(&self, status: &Value, resource_version: &str) -> bool {
        self.resource_version == resource_version && self.status == digest(status)
    }
}

/// Times count as well: a write that only moves one is another write. Objects have their keys in order.
fn digest(status: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    status.to_string().hash(&mut hasher);
    hasher.finish()
}
