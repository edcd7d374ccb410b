//! A snapshot as resources.

use super::features::{EGRESS_LIMITS, EGRESS_ROUTES, EGRESS_SOURCES, LISTENER_FILTERS};
use super::{Kind, Name, Need, Resource};
use lychgate_ir::egress::{EgressPolicy, EgressPolicyId};
use lychgate_ir::{Certificate, CertificateId, Listener, ListenerId, Protocol, Secret, SecretId};
use serde::Serialize;
use std::fmt::Display;

/// A resource that is sent as dumps write it.
pub(super) fn plain(kind: &Kind, id: &impl Display, value: &impl Serialize) -> (Name, Resource) {
    needing(kind, id, value, Vec::new())
}

/// A listener, which is not served by who does not know what it has.
pub(super) fn listener(kind: &Kind, id: &ListenerId, listener: &Listener) -> (Name, Resource) {
    let filters = (!listener.filters.is_empty()).then(|| Need::whole(LISTENER_FILTERS));
    let leaves = (listener.leaves && has_routes(listener.protocol)).then(|| Need::whole(EGRESS_ROUTES));
    needing(kind, id, listener, filters.into_iter().chain(leaves).collect())
}

/// Whether routes say what becomes of what is spoken.
fn has_routes(protocol: Protocol) -> bool {
    match protocol {
        Protocol::Http | Protocol::Https | Protocol::Tls | Protocol::Tcp | Protocol::Udp => true,
        Protocol::Proxy | Protocol::Transparent | Protocol::Dns | Protocol::DnsOverTcp => false,
    }
}

/// A policy about what leaves, which denies where nobody counts what its rules bound, or knows which addresses they mean.
pub(super) fn egress_policy(kind: &Kind, id: &EgressPolicyId, policy: &EgressPolicy) -> (Name, Resource) {
    let has_limits = policy.rules.iter().any(|rule| rule.handling.limits.is_some());
    let has_sources = policy.rules.iter().any(|rule| rule.handling.has_choice_of_source());
    let limits = has_limits.then(|| Need::whole(EGRESS_LIMITS));
    let sources = has_sources.then(|| Need::whole(EGRESS_SOURCES));
    needing(kind, id, policy, limits.into_iter().chain(sources).collect())
}

fn needing(kind: &Kind, id: &impl Display, value: &impl Serialize, needs: Vec<Need>) -> (Name, Resource) {
    // Plain data with text as keys always serializes; were it otherwise, the empty text is refused by who reads it.
    let payload = serde_json::to_vec(value).unwrap_or_default();
    (Name::new(kind.clone(), id), Resource::new(payload, needs))
}

/// A certificate with its key, which no dump has.
pub(super) fn certificate(kind: &Kind, id: &CertificateId, certificate: &Certificate) -> (Name, Resource) {
    let Certificate { id: _, chain_pem, key_pem } = certificate;
    plain(kind, id, &Plain { id, chain_pem, key_pem: key_pem.expose() })
}

/// A secret with its text, which no dump has.
pub(super) fn secret(kind: &Kind, id: &SecretId, secret: &Secret) -> (Name, Resource) {
    let Secret { id: _, text } = secret;
    plain(kind, id, &PlainSecret { id, text: text.expose() })
}

/// What [`Secret`] is read from.
#[derive(Serialize)]
struct PlainSecret<'a> {
    id: &'a SecretId,
    text: &'a str,
}

/// What [`Certificate`] is read from.
#[derive(Serialize)]
struct Plain<'a> {
    id: &'a CertificateId,
    chain_pem: &'a str,
    key_pem: &'a str,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_with_filters_is_for_those_who_know_them() {
        let text = r#"{"id":"Gateway/a/b/c","addresses":[],"port":80,"protocol":"Http","hostname":"*","tls":null,
            "upstream_identity":null,"trusted_hops":0}"#;
        let mut of: Listener = serde_json::from_str(text).unwrap();
        let needs = |of: &Listener| listener(&Kind::Listener, &of.id, of).1.needs;
        assert_eq!(needs(&of), []);
        let text =
            r#"[{"ExternalAuth":{"target":{"Backend":"Service/a/b:80"},"protocol":{"Grpc":{"sees":"All"}},"body":0}}]"#;
        of.filters = serde_json::from_str(text).unwrap();
        let needs = needs(&of);
        assert!(matches!(needs.as_slice(), [need] if need.rule.is_none() && need.is_met()), "{needs:?}");
    }

    #[test]
    fn a_listener_whose_routes_lead_out_is_for_those_who_ask_policies() {
        let of = |protocol: &str, leaves: bool| {
            let text = format!(
                r#"{{"id":"Gateway/a/b/c","addresses":[],"port":80,"protocol":"{protocol}","hostname":"*","tls":null,
                "upstream_identity":null,"trusted_hops":0,"leaves":{leaves}}}"#
            );
            let of: Listener = serde_json::from_str(&text).unwrap();
            listener(&Kind::Listener, &of.id, &of).1.needs
        };
        for protocol in ["Http", "Https", "Tls", "Tcp"] {
            assert_eq!(of(protocol, false), []);
            let needs = of(protocol, true);
            assert!(matches!(needs.as_slice(), [need] if need.rule.is_none() && need.is_met()), "{needs:?}");
        }
        // Those were never anything but a way out.
        for protocol in ["Proxy", "Transparent", "Dns", "DnsOverTcp"] {
            assert_eq!(of(protocol, true), []);
        }
    }

    /// What a policy needs whose rule says this.
    fn of_policy(leave_from: &str, limits: &str) -> Vec<Need> {
        let text = format!(
            r#"{{"generation":1,"mode":"Enforce","subjects":["Everyone"],"rules":[{{"name":null,"action":"Allow",
            "destination":"Any","ports":[],"protocols":[],"windows":[],"reason":null,"exceptions":{{"missing_sni":false,
            "encrypted_client_hello":false,"other_sni":false,"other_host":false,"unverified_name":false}},
            "handling":{{"tls":"Pass","credential":null,"via":null,"leave_from":{leave_from},"limits":{limits}}}}}]}}"#
        );
        let policy: EgressPolicy = serde_json::from_str(&text).unwrap();
        egress_policy(&Kind::EgressPolicy, &"EgressPolicy/a/b".parse().unwrap(), &policy).1.needs
    }

    #[test]
    fn a_policy_with_limits_is_for_those_who_count() {
        assert_eq!(of_policy("[]", "null"), []);
        let needs = of_policy(
            "[]",
            r#"{"mode":"Enforce","per":"Rule","connections":1,"requests_per_second":null,"bytes_per_second":null,"bytes_per_day":null}"#,
        );
        assert!(matches!(needs.as_slice(), [need] if need.rule.is_none() && need.is_met()), "{needs:?}");
    }

    #[test]
    fn a_policy_with_a_choice_of_source_addresses_is_for_those_who_choose() {
        assert_eq!(of_policy(r#"["192.0.2.7","2001:db8::7"]"#, "null"), []);
        for choice in [r#"["192.0.2.0/24"]"#, r#"["192.0.2.7","192.0.2.8"]"#, r#"["192.0.2.7","2001:db8::/64"]"#] {
            let needs = of_policy(choice, "null");
            assert!(matches!(needs.as_slice(), [need] if need.rule.is_none() && need.is_met()), "{choice}: {needs:?}");
        }
    }
}
