//! The names that a certificate carries.

use super::TlsError;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Subject alternative names of a certificate (RFC 5280 section 4.2.1.6). The common name does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// The subject, for people: nothing is decided by it.
    pub(crate) subject: String,
    /// Lower case; may start with `*.`.
    pub(crate) dns: Vec<String>,
    /// As written.
    pub(crate) uri: Vec<String>,
}

impl Names {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self, TlsError> {
        let unreadable = |error: &dyn std::fmt::Display| TlsError::Certificate(error.to_string());
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| unreadable(&error))?;
        let mut names = Self { subject: parsed.subject().to_string(), ..Self::default() };
        let extension = parsed.subject_alternative_name().map_err(|error| unreadable(&error))?;
        for name in extension.iter().flat_map(|extension| &extension.value.general_names) {
            // Names of other types cannot be asked for.
            if let GeneralName::DNSName(dns) = name {
                names.dns.push(dns.to_ascii_lowercase());
            } else if let GeneralName::URI(uri) = name {
                names.uri.push((*uri).to_owned());
            }
        }
        Ok(names)
    }

    /// Subject and names as one element of `X-Forwarded-Client-Cert`: `Subject="…";URI=…;DNS=…`.
    pub(crate) fn describe(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let mut parts = vec![format!("Subject={}", quoted(&self.subject))];
        parts.extend(self.uri.iter().map(|uri| format!("URI={}", quoted(uri))));
        parts.extend(self.dns.iter().map(|dns| format!("DNS={}", quoted(dns))));
        parts.join(";")
    }

    /// Whether one of the DNS names covers a host; a wildcard stands for exactly one label (RFC 6125 section 6.4.3).
    pub(crate) fn covers(&self, host: &str) -> bool {
        self.dns.iter().any(|name| covers(name, host))
    }
}

/// Whether a certificate's name covers a host, or, asked with a wildcard, is that wildcard or lies one label below.
pub(crate) fn covers(name: &str, host: &str) -> bool {
    fn below<'a>(pattern: &'a str, name: &str) -> Option<&'a str> {
        let suffix = pattern.strip_prefix('*')?;
        let label = name.len().checked_sub(suffix.len())?;
        let (first, rest) = name.split_at_checked(label)?;
        (suffix.starts_with('.') && rest.eq_ignore_ascii_case(suffix) && !first.is_empty() && !first.contains('.'))
            .then_some(suffix)
    }
    name.eq_ignore_ascii_case(host) || below(name, host).is_some()
}

#[cfg(test)]
mod tests {
    use super::{Names, covers};

    #[test]
    fn a_description_cannot_be_broken_out_of() {
        let names = Names { subject: "CN=a\";URI=b".into(), dns: vec!["c".into()], uri: vec!["spiffe://d".into()] };
        assert_eq!(names.describe(), r#"Subject="CN=a\";URI=b";URI="spiffe://d";DNS="c""#);
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covers("*.example.com", "a.example.com"));
        assert!(covers("a.example.com", "A.example.com"));
        assert!(!covers("*.example.com", "a.b.example.com"));
        assert!(!covers("*.example.com", "example.com"));
        assert!(!covers("*.example.com", ".example.com"));
        assert!(!covers("*", "example"));
    }
}
