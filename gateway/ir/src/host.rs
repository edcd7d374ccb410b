//! Host names as listeners and routes write them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A host name, a wildcard of at least one label (`*.example.com`), or every host. Always lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// No host name was given: every host, and requests that name none.
    Any,
    /// `*.` and this suffix (without the leading dot): one label or more before it, never the suffix itself.
    Wildcard(Arc<str>),
    /// Exactly this host.
    Exact(Arc<str>),
}

/// Why text is no host pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPatternError(String);

impl fmt::Display for HostPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostPatternError {}

impl HostPattern {
    /// Parses a Gateway API `Hostname`; empty text means [`HostPattern::Any`].
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        let (wildcard, name) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let label_ok = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if name.len() > 253 || !name.split('.').all(label_ok) {
            return Err(HostPatternError(format!(
                "`{text}` is no host name (RFC 1123 labels, with `*.` allowed in front)"
            )));
        }
        let name: Arc<str> = name.to_ascii_lowercase().into();
        Ok(if wildcard { Self::Wildcard(name) } else { Self::Exact(name) })
    }

    /// Whether a host (lower case, without port) is covered.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => host == &**name,
            Self::Wildcard(suffix) => is_below(host, suffix),
        }
    }

    /// The hosts covered by both, or `None` if there is no such host: always the narrower of the two patterns.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let narrower = match (self, other) {
            (Self::Any, narrower) | (narrower, Self::Any) => narrower,
            (Self::Exact(name), pattern) | (pattern, Self::Exact(name)) => {
                return pattern.matches(name).then(|| Self::Exact(name.clone()));
            }
            (Self::Wildcard(a), Self::Wildcard(b)) => {
                if a == b || is_below(a, b) {
                    self
                } else if is_below(b, a) {
                    other
                } else {
                    return None;
                }
            }
        };
        Some(narrower.clone())
    }

    fn rank(&self) -> (u8, usize) {
        match self {
            Self::Any => (0, 0),
            Self::Wildcard(suffix) => (1, suffix.len()),
            Self::Exact(name) => (2, name.len()),
        }
    }
}

/// Whether `host` has `suffix` and at least one more label in front.
fn is_below(host: &str, suffix: &str) -> bool {
    host.len() > suffix.len() + 1 && host.ends_with(suffix) && host.as_bytes()[host.len() - suffix.len() - 1] == b'.'
}

impl Ord for HostPattern {
    /// By specificity, the least specific first (HTTPRoute `hostnames`: exact before wildcard, longer before shorter).
    fn cmp(&self, other: &Self) -> Ordering {
        let text = |pattern: &Self| match pattern {
            Self::Any => None,
            Self::Wildcard(name) | Self::Exact(name) => Some(name.clone()),
        };
        self.rank().cmp(&other.rank()).then_with(|| text(other).cmp(&text(self)))
    }
}

impl PartialOrd for HostPattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Self::Exact(name) => f.write_str(name),
        }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Written for every host, and by nobody for a host.
        let text = if text == "*" { "" } else { &*text };
        Self::parse(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostPattern {
        HostPattern::parse(text).unwrap()
    }

    #[test]
    fn a_wildcard_needs_a_label_in_front() {
        assert!(host("*.example.com").matches("a.example.com"));
        assert!(host("*.example.com").matches("a.b.example.com"));
        assert!(!host("*.example.com").matches("example.com"));
        assert!(!host("*.example.com").matches(".example.com"));
        assert!(!host("*.example.com").matches("badexample.com"));
    }

    #[test]
    fn an_intersection_is_the_narrower_pattern() {
        assert_eq!(host("*.example.com").intersect(&host("*.a.example.com")), Some(host("*.a.example.com")));
        assert_eq!(host("*.example.com").intersect(&host("a.example.com")), Some(host("a.example.com")));
        assert_eq!(host("").intersect(&host("*.example.com")), Some(host("*.example.com")));
        assert_eq!(host("*.example.com").intersect(&host("example.com")), None);
        assert_eq!(host("*.example.com").intersect(&host("*.example.net")), None);
    }

    #[test]
    fn more_specific_is_greater() {
        assert!(host("a.b") > host("*.very.long.example.com"));
        assert!(host("*.a.example.com") > host("*.example.com"));
        assert!(host("*.com") > host(""));
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        for bad in ["*", "a..b", "-a.b", "a_b.c", "*.*.a", "a.b.", "a b"] {
            assert!(HostPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
