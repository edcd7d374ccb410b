//! Whether all that is said of a destination agrees: what the client called it, SNI, Host, the answer of DNS, the names
//! of the certificate.

use crate::ask::{Ask, Called, Reached, ServerName, Spoken};
use crate::{Miss, address};
use lychgate_ir::egress::{DnsName, EgressExceptions, EgressHost};

/// What does not agree with the name that is asked for, apart from what is waived.
pub(crate) fn of_names(ask: &Ask<'_>, exceptions: EgressExceptions) -> Option<Miss> {
    let EgressExceptions { missing_sni, encrypted_client_hello, other_sni, other_host, unverified_name: _ } =
        exceptions;
    let name = ask.name();
    if let Some(hello) = ask.hello() {
        if hello.encrypted && !encrypted_client_hello {
            return Some(Miss::EncryptedClientHello);
        }
        match hello.server_name {
            ServerName::Missing if !missing_sni => return Some(Miss::MissingSni),
            ServerName::Unreadable if !other_sni => return Some(Miss::OtherSni),
            ServerName::Name(sni) if Some(sni) != name && !other_sni => return Some(Miss::OtherSni),
            ServerName::Missing | ServerName::Unreadable | ServerName::Name(_) => {}
        }
    }
    match ask.spoken {
        Spoken::Http(http) if !other_host && !is_named(http.host, ask, name) => Some(Miss::OtherHost),
        Spoken::Http(_) | Spoken::NotYet | Spoken::Tcp | Spoken::Tls(_) | Spoken::Dns => None,
    }
}

/// Whether a Host is the name, or the address where there is no name.
fn is_named(host: Option<Called<'_>>, ask: &Ask<'_>, name: Option<&DnsName>) -> bool {
    match host {
        None => false,
        Some(Called::Name(host)) => Some(host) == name,
        Some(Called::Address(host)) => name.is_none() && ask.called == Called::Address(host),
    }
}

/// Whether DNS leads from the name to the address that is dialled. An answer that changes between the check and the
/// connection (rebinding) does not help: what is dialled is what was checked.
pub(crate) fn of_answer(reached: &Reached<'_>) -> bool {
    let dialled = address::canonical(reached.address);
    reached.answer.iter().any(|answer| address::canonical(*answer) == dialled)
}

/// Whether a certificate is for a host, by the DNS names that it has (RFC 9525 section 6.3): a wildcard is its whole first
/// label, stands for exactly one, and not for all of a top-level domain. For connections whose certificate is seen: those
/// with TLS of our own, and those before TLS 1.3.
pub fn certificate_covers<'n>(names: impl IntoIterator<Item = &'n str>, host: &DnsName) -> bool {
    names.into_iter().filter_map(|name| EgressHost::parse(name).ok()).any(|pattern| match &pattern {
        EgressHost::Exact(_) => pattern.matches(host.as_str()),
        EgressHost::Below(suffix) => suffix.as_str().contains('.') && pattern.matches(host.as_str()),
        // Rules have them, certificates do not.
        EgressHost::AnywhereBelow(_) | EgressHost::Any => false,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_its_names_alone() {
        let host = DnsName::parse("api.example.com").unwrap();
        for names in [&["api.example.com"][..], &["other.org", "*.example.com"], &["API.Example.com"]] {
            assert!(certificate_covers(names.iter().copied(), &host), "{names:?}");
        }
        for names in
            [&[][..], &["example.com"], &["*.com"], &["**.com"], &["*"], &["*.api.example.com"], &["a*.example.com"]]
        {
            assert!(!certificate_covers(names.iter().copied(), &host), "{names:?}");
        }
        assert!(!certificate_covers(["*.com"], &DnsName::parse("example.com").unwrap()));
    }
}
