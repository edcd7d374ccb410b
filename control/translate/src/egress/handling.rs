//! How what a rule allows is carried. A reference that leads nowhere stays in its place as a refusal.

use super::policy::mode_of;
use super::rule::{Reader, network};
use crate::filter::header_modifier::FRAMING;
use crate::reference_grant::Referent;
use crate::status::condition::sentences;
use crate::status::reason;
use crate::world::BadRef;
use http::header::{HeaderName, HeaderValue};
use ipnet::IpNet;
use lychgate_api::core::decode_base64;
use lychgate_api::gateway::SecretObjectReference;
use lychgate_api::lychgate::{
    EgressLimitsPer, EgressPolicyLimits, EgressPolicyTls, EgressProxyType, EgressRuleCredential, EgressTlsMode,
    EgressTlsVersion, EgressTrustReference, EgressVia, EgressWellKnownCa, SecretKeyReference, SecretReference,
};
use lychgate_ir::egress::{
    DnsName, EgressCredential, EgressHandling, EgressLimitScope, EgressLimits, EgressTls, OriginTls, SpkiPin,
    UpstreamProxy, UpstreamProxyLogin, UpstreamProxyProtocol,
};
use lychgate_ir::{ClientIdentity, Refusal, RefusalReason, Roots, Secret, SecretId, TlsVersion};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Fewer bytes than that carry no handshake of TLS.
const FEWEST_BYTES: u64 = 1024;

/// What a rule says of it.
pub(super) struct Wanted<'r> {
    pub(super) tls: &'r Option<EgressPolicyTls>,
    pub(super) credential: &'r Option<EgressRuleCredential>,
    pub(super) via: &'r Option<EgressVia>,
    pub(super) source_addresses: &'r [String],
    pub(super) limits: &'r Option<EgressPolicyLimits>,
}

/// What cannot be read is told to the reader.
pub(super) fn read(reader: &mut Reader<'_, '_>, path: &str, wanted: &Wanted<'_>) -> EgressHandling {
    let Wanted { tls, credential, via, source_addresses, limits } = *wanted;
    EgressHandling {
        tls: tls.as_ref().map_or(EgressTls::Pass, |tls| self::tls(reader, &format!("{path}.tls"), tls)),
        credential: credential.as_ref().and_then(|wanted| self::credential(reader, path, wanted)),
        via: via.as_ref().and_then(|via| proxy(reader, &format!("{path}.via"), via)),
        leave_from: leave_from(reader, path, source_addresses),
        limits: limits.as_ref().map(|limits| self::limits(reader, path, limits)),
    }
}

fn tls(reader: &mut Reader<'_, '_>, path: &str, wanted: &EgressPolicyTls) -> EgressTls {
    let EgressPolicyTls {
        mode,
        min_version,
        ca_certificate_refs,
        well_known_ca_certificates,
        pins,
        client_certificate_ref,
    } = wanted;
    let min_version = match min_version {
        EgressTlsVersion::V1_2 => TlsVersion::V1_2,
        EgressTlsVersion::V1_3 => TlsVersion::V1_3,
    };
    let roots = match (well_known_ca_certificates, ca_certificate_refs.is_empty()) {
        (None | Some(EgressWellKnownCa::System), true) => Ok(Roots::System),
        (None, false) => roots(reader, path, ca_certificate_refs),
        (Some(EgressWellKnownCa::System), false) => {
            Err(refusal(format!("{path}: write one of caCertificateRefs and wellKnownCACertificates")))
        }
    };
    let pins = pins.iter().map(|text| pin(text)).collect::<Option<Vec<_>>>();
    let pins = pins.ok_or_else(|| refusal(format!("{path}.pins: a pin is sha256/ and 32 bytes in base64")));
    let identity = match client_certificate_ref {
        None => Ok(ClientIdentity::None),
        Some(reference) => identity(reader, path, reference),
    };
    let origin = roots.and_then(|roots| Ok(OriginTls { min_version, roots, pins: pins?, identity: identity? }));
    match mode {
        EgressTlsMode::Originate => EgressTls::Originate(origin),
        EgressTlsMode::Inspect => {
            reader.inspects = true;
            EgressTls::Inspect(origin)
        }
    }
}

/// Sorted by where they come from. One that leads nowhere breaks all: whom to believe is then not what was meant.
fn roots(reader: &mut Reader<'_, '_>, path: &str, references: &[EgressTrustReference]) -> Result<Roots, Refusal> {
    reader.refers = true;
    let mut roots = BTreeMap::new();
    let mut bad = Vec::new();
    for (index, EgressTrustReference { group, kind, name, namespace }) in references.iter().enumerate() {
        let namespace = namespace.as_deref().unwrap_or(reader.from.namespace);
        match reader.world.trust_anchors(reader.from, Referent { group, kind, namespace, name }) {
            Ok(pem) => {
                roots.insert((namespace, name.as_str()), pem);
            }
            Err(error) => {
                let reason = match error {
                    BadRef::Kind(_) => reason::INVALID_KIND,
                    BadRef::NotPermitted(_) => reason::REF_NOT_PERMITTED,
                    BadRef::Broken(_) => reason::INVALID_CA_CERTIFICATE_REF,
                };
                let message = format!("{path}.caCertificateRefs[{index}]: {}", error.into_message());
                reader.unresolved.push((reason, message.clone()));
                bad.push(message);
            }
        }
    }
    if bad.is_empty() { Ok(Roots::Pem(roots.into_values().collect())) } else { Err(refusal(sentences(&bad))) }
}

fn pin(text: &str) -> Option<SpkiPin> {
    let bytes = decode_base64(text.strip_prefix("sha256/")?)?;
    bytes.try_into().ok().map(SpkiPin)
}

fn identity(reader: &mut Reader<'_, '_>, path: &str, reference: &SecretReference) -> Result<ClientIdentity, Refusal> {
    reader.refers = true;
    let reference = whole_secret(reference);
    match reader.world.certificate(reader.from, &reference) {
        Ok(certificate) => {
            reader.certificates.push(certificate.id.clone());
            Ok(ClientIdentity::Certificate(certificate.id.clone()))
        }
        Err(error) => Err(lost(reader, &format!("{path}.clientCertificateRef"), error)),
    }
}

/// As Gateways refer to certificates.
pub(super) fn whole_secret(reference: &SecretReference) -> SecretObjectReference {
    let SecretReference { name, namespace } = reference;
    let kind = lychgate_api::Kind::Secret.as_str().to_owned();
    SecretObjectReference { group: String::new(), kind, name: name.clone(), namespace: namespace.clone() }
}

/// Tells of a reference that leads nowhere, and stands for it.
fn lost(reader: &mut Reader<'_, '_>, path: &str, error: BadRef) -> Refusal {
    let reason = match error {
        BadRef::Kind(_) => reason::INVALID_KIND,
        BadRef::NotPermitted(_) => reason::REF_NOT_PERMITTED,
        BadRef::Broken(_) => reason::INVALID_SECRET_REF,
    };
    let message = format!("{path}: {}", error.into_message());
    reader.unresolved.push((reason, message.clone()));
    refusal(message)
}

fn refusal(message: String) -> Refusal {
    Refusal::internal(RefusalReason::InvalidPolicy, message)
}

fn credential(reader: &mut Reader<'_, '_>, path: &str, wanted: &EgressRuleCredential) -> Option<EgressCredential> {
    let EgressRuleCredential { header, prefix, secret_ref } = wanted;
    let path = format!("{path}.credential");
    let name = HeaderName::try_from(header.as_str()).ok();
    let Some(header) = name.filter(|name| !FRAMING.contains(&name.as_str()) && *name != http::header::HOST) else {
        reader.problems.push(format!("{path}.header: `{header}` is no header that can hold a credential"));
        return None;
    };
    let prefix = prefix.as_deref().unwrap_or_default();
    let secret = secret(reader, &format!("{path}.secretRef"), secret_ref, |secret| {
        let fits = HeaderValue::from_str(&format!("{prefix}{}", secret.text.expose())).is_ok();
        fits.then_some(()).ok_or("holds what no header can hold; is there a line break at its end?")
    });
    Some(EgressCredential { header, prefix: prefix.into(), secret })
}

/// A text of a Secret that is as it has to be.
fn secret(
    reader: &mut Reader<'_, '_>,
    path: &str,
    reference: &SecretKeyReference,
    judge: impl Fn(&Secret) -> Result<(), &'static str>,
) -> Result<SecretId, Refusal> {
    reader.refers = true;
    let found = super::text(reader.world, reader.from, reference).and_then(|found| match judge(&found) {
        Ok(()) => Ok(found),
        Err(problem) => Err(BadRef::Broken(format!("{} {problem}", found.id))),
    });
    match found {
        Ok(found) => {
            let id = found.id.clone();
            reader.secrets.push(found);
            Ok(id)
        }
        Err(error) => Err(lost(reader, path, error)),
    }
}

fn proxy(reader: &mut Reader<'_, '_>, path: &str, wanted: &EgressVia) -> Option<UpstreamProxy> {
    let EgressVia { r#type, host, port, credentials_ref } = wanted;
    let host: Arc<str> = match (host.parse::<IpAddr>(), DnsName::parse(host)) {
        (Ok(address), _) => address.to_string().into(),
        (Err(_), Ok(name)) => name.shared(),
        (Err(_), Err(no)) => {
            reader.problems.push(format!("{path}.host: {no}"));
            return None;
        }
    };
    let login = credentials_ref.as_ref().map(|SecretReference { name, namespace }| {
        let path = format!("{path}.credentialsRef");
        let mut part = |key: &str| {
            let reference =
                SecretKeyReference { name: name.clone(), key: key.to_owned(), namespace: namespace.clone() };
            secret(reader, &path, &reference, |_| Ok(()))
        };
        let (user, password) = (part("username"), part("password"));
        Ok(UpstreamProxyLogin { user: user?, password: password? })
    });
    let protocol = match r#type {
        EgressProxyType::Http => UpstreamProxyProtocol::Http,
        EgressProxyType::Socks5 => UpstreamProxyProtocol::Socks5,
    };
    Some(UpstreamProxy { protocol, host, port: *port, login })
}

fn leave_from(reader: &mut Reader<'_, '_>, path: &str, wanted: &[String]) -> Vec<IpNet> {
    let mut networks: Vec<IpNet> = Vec::with_capacity(wanted.len());
    for (index, text) in wanted.iter().enumerate() {
        match source_network(text) {
            Ok(network) => networks.push(network),
            Err(problem) => reader.problems.push(format!("{path}.sourceAddresses[{index}]: {problem}")),
        }
    }
    networks
}

fn source_network(text: &str) -> Result<IpNet, String> {
    let network = network(text).map_err(|_| {
        format!("`{text}` is neither an address nor a network; write one such as 203.0.113.7 or 203.0.113.0/24")
    })?;
    let is_alone = network.prefix_len() == network.max_prefix_len();
    match network.addr() {
        address if address.is_multicast() || (is_alone && address.is_unspecified()) => {
            Err(format!("nothing can leave from {text}"))
        }
        _ => Ok(network),
    }
}

/// A number that lets nothing leave, or nothing at all, is not what anybody meant. The CRD says so as well.
fn limits(reader: &mut Reader<'_, '_>, path: &str, wanted: &EgressPolicyLimits) -> EgressLimits {
    let path = format!("{path}.limits");
    let EgressPolicyLimits { mode, per, connections, requests_per_second, bytes_per_second, bytes_per_day } = wanted;
    let numbers = [
        ("connections", connections.map(u64::from), 1),
        ("requestsPerSecond", requests_per_second.map(u64::from), 1),
        ("bytesPerSecond", *bytes_per_second, FEWEST_BYTES),
        ("bytesPerDay", *bytes_per_day, FEWEST_BYTES),
    ];
    for (field, number, least) in numbers {
        if number.is_some_and(|number| number < least) {
            reader.problems.push(format!("{path}.{field}: write {least} or more"));
        }
    }
    if numbers.iter().all(|(_, number, _)| number.is_none()) {
        reader.problems.push(format!(
            "{path}: write at least one of connections, requestsPerSecond, bytesPerSecond and bytesPerDay"
        ));
    }
    EgressLimits {
        mode: mode_of(*mode, None),
        per: match per {
            EgressLimitsPer::Rule => EgressLimitScope::Rule,
            EgressLimitsPer::Source => EgressLimitScope::Source,
            EgressLimitsPer::Destination => EgressLimitScope::Destination,
        },
        connections: *connections,
        requests_per_second: *requests_per_second,
        bytes_per_second: *bytes_per_second,
        bytes_per_day: *bytes_per_day,
    }
}
