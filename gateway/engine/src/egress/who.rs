//! Who asks, as far as it is proven: by a certificate, else by name and password, else by the address that it comes from.

use super::gate::Gate;
use crate::runtime::Runtime;
use crate::tls::names::Names;
use lychgate_egress::Source;
use lychgate_egress::socks5::Login;
use lychgate_ir::Redacted;
use lychgate_ir::egress::{EgressLogin, Workload};
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use std::sync::Arc;

/// What a connection has proved of its client. Who that is may change while it lasts: addresses are given to others.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// The SPIFFE ID of its certificate.
    pub(crate) identity: Option<Arc<str>>,
    /// The user name whose password it knew.
    pub(crate) login: Option<Arc<str>>,
}

impl Client {
    pub(crate) fn new(address: IpAddr, identity: Option<Arc<str>>) -> Self {
        Self { address: address.to_canonical(), identity, login: None }
    }

    /// Who it is now. What is known of its address is added only if it is of the same workload.
    pub(crate) fn source(&self, runtime: &Runtime, gate: &Gate) -> Source {
        let of_address = runtime.snapshot.workloads.get(&self.address);
        let proven = match (&self.identity, &self.login) {
            (Some(identity), _) => gate.spec.trust_domains.workload(identity),
            (None, Some(user)) => match gate.spec.logins.get(user) {
                Some(EgressLogin { password: _, namespace, service_account }) => Workload {
                    namespace: Some(namespace.clone()),
                    service_account: Some(service_account.clone()),
                    ..Workload::default()
                },
                // It was taken back.
                None => return Source::Unknown,
            },
            (None, None) => return of_address.cloned().map_or(Source::Unknown, Source::Workload),
        };
        let same = |other: &&Arc<Workload>| {
            proven.namespace.is_some()
                && other.namespace == proven.namespace
                && other.service_account == proven.service_account
        };
        let labels = of_address.filter(same).map(|other| other.labels.clone()).unwrap_or_default();
        Source::Workload(Arc::new(Workload { labels, ..proven }))
    }
}

/// The SPIFFE ID that a certificate is for.
pub(crate) fn spiffe_id(leaf: &CertificateDer<'_>) -> Option<Arc<str>> {
    let names = Names::of(leaf).ok()?;
    names.uri.into_iter().find(|uri| uri.starts_with("spiffe://")).map(Into::into)
}

/// Whether a name and a password belong together. Takes as long for a name that is not known as for a password that is
/// wrong.
pub(crate) fn knows(gate: &Gate, login: &Login) -> Option<Arc<str>> {
    let Login { user, password } = login;
    let known = gate.spec.logins.get_key_value(user.as_str());
    let expected = known.and_then(|(_, login)| gate.secret(&login.password));
    let nobody = Redacted::new(String::new());
    let is_right = same_text(expected.unwrap_or(&nobody), password);
    known
        .filter(|_| is_right && expected.is_some_and(|password| !password.expose().is_empty()))
        .map(|(user, _)| user.clone())
}

/// Compares hashes, so that neither content nor length is told by how long it takes.
fn same_text(a: &Redacted, b: &Redacted) -> bool {
    use aws_lc_rs::{constant_time, digest};
    let hash = |text: &Redacted| digest::digest(&digest::SHA256, text.expose().as_bytes());
    constant_time::verify_slices_are_equal(hash(a).as_ref(), hash(b).as_ref()).is_ok()
}

/// What `Proxy-Authorization: Basic` says (RFC 7617 section 2).
pub(crate) fn basic(value: &http::HeaderValue) -> Option<Login> {
    use base64::Engine as _;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = base64::engine::general_purpose::STANDARD.decode(token.trim()).ok()?;
    // Wiped when it is dropped.
    let text = String::from_utf8(text).ok().map(Redacted::new)?;
    let (user, password) = text.expose().split_once(':')?;
    Some(Login { user: user.to_owned(), password: Redacted::new(password.to_owned()) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_read_as_it_is_written() {
        let login = |text: &'static str| basic(&http::HeaderValue::from_static(text));
        let cart = login("Basic Y2FydDpzOmVjcmV0").unwrap();
        assert_eq!((cart.user.as_str(), cart.password.expose()), ("cart", "s:ecret"));
        for none in ["Basic", "Basic !", "Bearer Y2FydDpzOmVjcmV0", "Basic Y2FydA=="] {
            assert!(login(none).is_none(), "{none}");
        }
    }
}
