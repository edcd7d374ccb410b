//! What the patterns of the CRDs mean, in words.

/// What texts that match a pattern are called.
pub(super) fn describe(pattern: &str) -> Option<&'static str> {
    PATTERNS.iter().find(|(known, _)| *known == pattern).map(|(_, what)| *what)
}

const PATTERNS: [(&str, &str); 15] = [
    (
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "a name made of a-z, 0-9 and '-', beginning and ending with a letter or digit",
    ),
    (
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "a DNS name: a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit",
    ),
    (
        r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "an API group: a DNS name without a version, or empty for core kinds",
    ),
    (
        r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "a hostname: a DNS name in lower case, without port, alone or after \"*.\"",
    ),
    (r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$", "the name of a kind, such as Service"),
    (r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$", "the name of a header: letters, digits and !#$%&'*+-.^_`|~"),
    (r"^[!-~]+([\t ]?[!-~]+)*$", "the value of a header: visible ASCII, with single spaces or tabs between words"),
    (
        r"^([0-9]{1,5}(h|m|s|ms)){1,4}$",
        "a duration such as 500ms, 10s or 1h30m (GEP-2257: whole numbers of up to five digits, of h, m, s and ms)",
    ),
    (
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$",
        "the name of a controller: a domain, a slash and a path, such as lychgate.dev/gateway-controller",
    ),
    (
        r"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]+$",
        "a protocol: HTTP, HTTPS, TLS, TCP, UDP, or a word after a domain and a slash",
    ),
    (
        r"(^\*$)|(^(http(s)?):\/\/(((\*\.)?([a-zA-Z0-9\-]+\.)*[a-zA-Z0-9-]+|\*)(:([0-9]{1,5}))?)$)",
        "an origin: *, or http:// or https://, a hostname (alone or after \"*.\") and perhaps a port, without a path",
    ),
    (r"^(([^:/?#]+):)(//([^/?#]*))([^?#]*)(\?([^#]*))?(#(.*))?", "an absolute URI, such as spiffe://example.com/shop"),
    (
        r"^(System|([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]))$",
        "a set of certificates: System, or a word after a domain and a slash",
    ),
    (
        r"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$",
        "a path as it stands in a URL, with other characters as %XX",
    ),
    (
        r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$",
        "the name of a port: a-z, 0-9 and '-', beginning and ending with a letter or digit",
    ),
];

#[cfg(test)]
mod tests {
    use super::PATTERNS;

    /// A pattern that no schema has would never be described.
    #[test]
    fn every_pattern_is_one_of_a_schema() {
        for (pattern, what) in PATTERNS {
            let quoted = serde_json::Value::from(pattern).to_string();
            let found = lychgate_api::Kind::ALL.iter().any(|kind| crate::crds::text(*kind).contains(&quoted));
            assert!(found, "{what}: {pattern}");
        }
    }
}
