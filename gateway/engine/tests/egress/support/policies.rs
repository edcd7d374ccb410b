//! Policies in few words.

use lychgate_ir::egress::{
    Destination, EgressAction, EgressExceptions, EgressHost, EgressMode, EgressPolicy, EgressProtocol, EgressRule,
    EgressSubject, Workload,
};
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
