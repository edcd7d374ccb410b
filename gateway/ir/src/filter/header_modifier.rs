use http::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

/// Set, add and remove headers (HTTPRoute `requestHeaderModifier`, `responseHeaderModifier`).
/// Removal comes last: a name that is set and removed is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderModifier {
    /// Replaces every value of the name.
    #[serde(with = "crate::dump::header_pairs")]
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Appends a value.
    #[serde(with = "crate::dump::header_pairs")]
    pub add: Vec<(HeaderName, HeaderValue)>,
    /// Removes every value of the name.
    #[serde(with = "crate::dump::headers")]
    pub remove: Vec<HeaderName>,
}
