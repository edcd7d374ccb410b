//! What is spoken.

use http::Method;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What may be spoken with a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EgressProtocol {
    /// Anything over TCP, TLS and HTTP among it.
    Tcp,
    /// TLS, and HTTP inside it where it is looked into.
    Tls,
    /// HTTP that can be read: without TLS, or where TLS is looked into.
    Http(HttpRule),
    /// Asking for its name, and nothing more.
    Dns,
}

/// Requests of HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRule {
    /// Empty is any.
    #[serde(with = "methods")]
    pub methods: Vec<Method>,
    /// One that fits is enough; empty is any.
    pub paths: Vec<EgressPath>,
}

/// A condition on a path, which arrives in one form and without its query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EgressPath {
    /// The whole path.
    Exact(Arc<str>),
    /// Whole segments; never ends in `/`, so the prefix of all paths is the empty text.
    Prefix(Arc<str>),
}

impl EgressPath {
    /// Whether a path meets it.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == &**exact,
            Self::Prefix(prefix) => {
                path.strip_prefix(&**prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }
}

/// Methods as text.
mod methods {
    use http::Method;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(methods: &[Method], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(methods.iter().map(Method::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Method>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_of_whole_segments() {
        let prefix = EgressPath::Prefix("/a".into());
        assert!(prefix.matches("/a"));
        assert!(prefix.matches("/a/b"));
        assert!(!prefix.matches("/ab"));
        assert!(EgressPath::Prefix("".into()).matches("/"));
        assert!(!EgressPath::Exact("/a".into()).matches("/a/"));
    }
}
