//! Versions of what was published.

use std::fmt;

/// The place of a publication among all of one [`crate::server::Feed`]: later ones are greater. Another replica of the
/// control plane, or the next process, counts anew; what it publishes is compared by content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub(crate) u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
