//! Names of hosts as egress rules write them.
//!
//! Not [`crate::HostPattern`]: there a `*` stands for one label or more, as Gateway API has it for listeners. Here it
//! stands for exactly one, as in certificates, because a rule that reads wider than its author meant lets something out.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// A name of DNS: lower case, without the root label's dot, never an address. Underscores are taken: names of buckets
/// and of service records have them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Arc<str>);

/// Why text names no host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAHost {
    text: String,
    why: &'static str,
}

impl fmt::Display for NotAHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no host: {}", self.text.escape_default(), self.why)
    }
}

impl std::error::Error for NotAHost {}

/// The longest name (RFC 1035 section 2.3.4), written without the root.
const LONGEST: usize = 253;
/// The longest label.
const LONGEST_LABEL: usize = 63;

impl DnsName {
    /// Parses a name; the dot of the root is dropped, letters are lowered.
    pub fn parse(text: &str) -> Result<Self, NotAHost> {
        // Only the beginning of what is far too long is told.
        let no = |why| NotAHost { text: text.chars().take(LONGEST).collect(), why };
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(no("it is empty"));
        }
        if name.len() > LONGEST {
            return Err(no("names have at most 253 bytes (RFC 1035)"));
        }
        if !name.is_ascii() {
            return Err(no("write international names in their ASCII form, `xn--...` (RFC 5890)"));
        }
        let label_ok = |label: &str| {
            !label.is_empty()
                && label.len() <= LONGEST_LABEL
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if !name.split('.').all(label_ok) {
            return Err(no("labels are letters, digits, `-` and `_`, 1 to 63 of them, with no `-` at an end"));
        }
        if name.rsplit('.').next().is_some_and(is_number) {
            return Err(no("it ends in a number, so that some would read it as an IPv4 address"));
        }
        Ok(Self(name.to_ascii_lowercase().into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as shared text.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

/// What resolvers of old take for a part of an IPv4 address: `127.1`, `0x7f000001` and `0177.0.0.1` are loopback to them.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One host, or many by their end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EgressHost {
    /// Exactly this one.
    Exact(DnsName),
    /// `*.` and this: exactly one label in front of it.
    Below(DnsName),
    /// `**.` and this: one label in front of it, or more; never itself.
    AnywhereBelow(DnsName),
    /// `**`, or `*` alone: every name.
    Any,
}

impl EgressHost {
    /// Parses a host as rules write it.
    pub fn parse(text: &str) -> Result<Self, NotAHost> {
        let (form, name): (fn(DnsName) -> Self, &str) = match text.strip_prefix('*') {
            None => (Self::Exact, text),
            Some("" | "*") => return Ok(Self::Any),
            Some(rest) => match (rest.strip_prefix("*."), rest.strip_prefix('.')) {
                (Some(name), _) => (Self::AnywhereBelow, name),
                (None, Some(name)) => (Self::Below, name),
                (None, None) => {
                    let why = "a `*` stands in front as `*.` (one label), `**.` (one or more), or alone (every host)";
                    return Err(NotAHost { text: text.chars().take(LONGEST).collect(), why });
                }
            },
        };
        DnsName::parse(name).map(form)
    }

    /// Whether a name (lower case, without the root's dot) is one of them.
    pub fn matches(&self, name: &str) -> bool {
        let below = |suffix: &DnsName| name.strip_suffix(suffix.as_str()).and_then(|rest| rest.strip_suffix('.'));
        match self {
            Self::Exact(host) => name == host.as_str(),
            Self::Below(suffix) => below(suffix).is_some_and(|front| !front.is_empty() && !front.contains('.')),
            Self::AnywhereBelow(suffix) => below(suffix).is_some_and(|front| !front.is_empty()),
            Self::Any => true,
        }
    }
}

impl fmt::Display for EgressHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
            Self::AnywhereBelow(suffix) => write!(f, "**.{suffix}"),
            Self::Any => f.write_str("**"),
        }
    }
}

macro_rules! serialize_as_text {
    ($($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )+};
}
serialize_as_text!(DnsName, EgressHost);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn host(text: &str) -> EgressHost {
        EgressHost::parse(text).unwrap()
    }

    #[test]
    fn one_star_is_one_label_and_two_are_one_or_more() {
        assert!(host("*.example.com").matches("a.example.com"));
        assert!(!host("*.example.com").matches("a.b.example.com"));
        assert!(host("**.example.com").matches("a.b.example.com"));
        for pattern in ["*.example.com", "**.example.com"] {
            for other in ["example.com", ".example.com", "badexample.com", "example.com.evil.org"] {
                assert!(!host(pattern).matches(other), "{pattern} {other}");
            }
        }
        assert!(host("**").matches("a.b.c"));
        assert_eq!(host("*"), host("**"));
    }

    #[test]
    fn names_are_lowered_and_lose_the_root() {
        assert_eq!(host("*.Example.COM."), host("*.example.com"));
        assert!(host("_dmarc.my_bucket.example.com").matches("_dmarc.my_bucket.example.com"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in
            ["", ".", "a..b", "-a.b", "a-.b", "*a.b", "a.*.b", "***.a", "a b", "a/b", "a:1", "[::1]", "bücher.de"]
        {
            assert!(EgressHost::parse(bad).is_err(), "{bad}");
        }
        assert!(DnsName::parse(&"a.".repeat(200)).is_err());
    }

    #[test]
    fn what_old_resolvers_read_as_an_address_is_no_name() {
        for bad in ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.01", "a.0x1", "0X", "1.2.3.4."] {
            assert!(DnsName::parse(bad).is_err(), "{bad}");
        }
        assert!(DnsName::parse("4chan.org").is_ok());
        assert!(DnsName::parse("1.1.1.1.nip.io").is_ok());
    }
}
