//! Policies in few words.

use lychgate_ir::egress::{
    Destination, EgressAction, EgressExceptions, EgressHandling, EgressHost, EgressLimitScope, EgressLimits,
    EgressMode, EgressPolicy, EgressProtocol, EgressRule, EgressSubject, EgressTls, OriginTls, Workload,
};
use lychgate_ir::{ClientIdentity, ObjectName, Redacted, Roots, Secret, SecretId, Snapshot, TlsVersion};
use lychgate_testkit::Authority;
use std::sync::Arc;

pub(crate) fn cart() -> Arc<Workload> {
    Arc::new(Workload { namespace: Some("shop".into()), service_account: Some("cart".into()), ..Workload::default() })
}

pub(crate) fn rule(action: EgressAction, destination: Destination) -> EgressRule {
    EgressRule {
        name: None,
        action,
        destination,
        ports: vec![],
        protocols: vec![],
        windows: vec![],
        exceptions: EgressExceptions::default(),
        reason: None,
        handling: Arc::default(),
    }
}

/// Lets these hosts be reached, on loopback as well.
pub(crate) fn allow(hosts: &[&str]) -> EgressRule {
    allow_within(hosts, &["127.0.0.0/8"])
}

pub(crate) fn allow_within(hosts: &[&str], within: &[&str]) -> EgressRule {
    rule(
        EgressAction::Allow,
        Destination::Hosts {
            hosts: hosts.iter().map(|host| EgressHost::parse(host).unwrap()).collect(),
            within: within.iter().map(|net| net.parse().unwrap()).collect(),
        },
    )
}

/// Lets these networks be reached by address.
pub(crate) fn allow_addresses(nets: &[&str]) -> EgressRule {
    rule(EgressAction::Allow, Destination::Addresses(nets.iter().map(|net| net.parse().unwrap()).collect()))
}

pub(crate) fn speaking(protocols: Vec<EgressProtocol>, rule: EgressRule) -> EgressRule {
    EgressRule { protocols, ..rule }
}

pub(crate) fn policy(subject: EgressSubject, rules: Vec<EgressRule>) -> EgressPolicy {
    EgressPolicy { generation: 1, mode: EgressMode::Enforce, subjects: vec![subject], rules }
}

pub(crate) fn for_everyone(rules: Vec<EgressRule>) -> EgressPolicy {
    policy(EgressSubject::Everyone, rules)
}

/// Carried like this.
pub(crate) fn handled(handling: EgressHandling, rule: EgressRule) -> EgressRule {
    EgressRule { handling: Arc::new(handling), ..rule }
}

pub(crate) const NO_LIMITS: EgressLimits = EgressLimits {
    mode: EgressMode::Enforce,
    per: EgressLimitScope::Rule,
    connections: None,
    requests_per_second: None,
    bytes_per_second: None,
    bytes_per_day: None,
};

/// Only so much of it may leave; it is called `bounded`.
pub(crate) fn limited(limits: EgressLimits, rule: EgressRule) -> EgressRule {
    let handling = EgressHandling { limits: Some(limits), ..EgressHandling::default() };
    EgressRule { name: Some("bounded".into()), ..handled(handling, rule) }
}

/// TLS with origins whose certificates are by this authority.
pub(crate) fn believing(authority: &Authority) -> OriginTls {
    OriginTls {
        min_version: TlsVersion::V1_2,
        roots: Roots::Pem(vec![authority.pem().into()]),
        pins: vec![],
        identity: ClientIdentity::None,
    }
}

pub(crate) fn originating(tls: OriginTls, rule: EgressRule) -> EgressRule {
    handled(EgressHandling { tls: EgressTls::Originate(Ok(tls)), ..EgressHandling::default() }, rule)
}

/// A text that the snapshot has from now on.
pub(crate) fn secret(snapshot: &mut Snapshot, key: &str, text: &str) -> SecretId {
    let id = secret_id(key);
    let text = Redacted::new(text.to_owned());
    snapshot.secrets.insert(id.clone(), Arc::new(Secret { id: id.clone(), text }));
    id
}

pub(crate) fn secret_id(key: &str) -> SecretId {
    SecretId { object: ObjectName::new("egress", "secrets"), key: key.into() }
}
