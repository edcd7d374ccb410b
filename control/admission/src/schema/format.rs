//! Formats of strings and numbers, and the forms of names that Kubernetes uses.

use std::net::{Ipv4Addr, Ipv6Addr};

use lychgate_api::Time;

/// A format that is checked. Kubernetes passes over formats that it does not know, and so do we.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Int32,
    Int64,
    DateTime,
    Ipv4,
    Ipv6,
    /// Base64.
    Byte,
}

impl Format {
    pub(super) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "date-time" => Self::DateTime,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "byte" => Self::Byte,
            _ => return None,
        })
    }

    /// What a value of this format is called.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Int32 => "a 32-bit integer",
            Self::Int64 => "a 64-bit integer",
            Self::DateTime => "an RFC 3339 time such as 2026-01-31T12:00:00Z",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::Byte => "base64",
        }
    }

    pub(crate) fn accepts_text(self, text: &str) -> bool {
        match self {
            Self::Int32 | Self::Int64 => true,
            Self::DateTime => text.parse::<Time>().is_ok(),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Byte => lychgate_api::core::decode_base64(text).is_some(),
        }
    }

    pub(super) fn accepts_number(self, number: f64) -> bool {
        match self {
            Self::Int32 => (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number),
            Self::Int64 | Self::DateTime | Self::Ipv4 | Self::Ipv6 | Self::Byte => true,
        }
    }
}

fn is_lower_alphanumeric(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// An RFC 1123 label: up to 63 of `a-z`, `0-9`, `-`, not beginning or ending with `-`.
pub(crate) fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    bytes.len() <= 63
        && is_lower_alphanumeric(*first)
        && is_lower_alphanumeric(*last)
        && bytes.iter().all(|b| is_lower_alphanumeric(*b) || *b == b'-')
}

/// An RFC 1035 label: an RFC 1123 label that begins with a letter.
pub(crate) fn is_dns_1035_label(text: &str) -> bool {
    is_dns_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// An RFC 1123 subdomain: labels joined by dots, up to 253 characters. Kubernetes does not limit the single labels.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            let bytes = label.as_bytes();
            let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
            is_lower_alphanumeric(*first)
                && is_lower_alphanumeric(*last)
                && bytes.iter().all(|b| is_lower_alphanumeric(*b) || *b == b'-')
        })
}

/// The value of a label: empty, or up to 63 of letters, digits, `-`, `_`, `.`, beginning and ending alphanumeric.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name_part(text)
}

fn is_name_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    bytes.len() <= 63
        && first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// The key of a label or annotation: a name, optionally after a DNS subdomain and a slash.
pub(crate) fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_name_part(name),
        None => is_name_part(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names() {
        assert!(is_dns_label("a-1") && !is_dns_label("-a") && !is_dns_label("a.b") && !is_dns_label(""));
        assert!(!is_dns_label(&"a".repeat(64)) && is_dns_label(&"a".repeat(63)));
        assert!(is_dns_1035_label("a1") && !is_dns_1035_label("1a"));
        assert!(is_dns_subdomain("a.b-c.1") && !is_dns_subdomain("a..b") && !is_dns_subdomain("A"));
        assert!(is_label_value("") && is_label_value("A_b.c") && !is_label_value("_a"));
        assert!(is_qualified_name("app.kubernetes.io/name") && is_qualified_name("Name"));
        assert!(!is_qualified_name("a/b/c") && !is_qualified_name("/b") && !is_qualified_name("a/"));
    }
}
