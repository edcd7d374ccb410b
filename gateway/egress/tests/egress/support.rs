//! Policies and asks in few words.

use lychgate_egress::{Ask, Called, Hello, Policies, Reached, ServerName, Source, Spoken};
use lychgate_ir::ObjectName;
use lychgate_ir::egress::{
    Destination, DnsName, EgressAction, EgressConfig, EgressExceptions, EgressHost, EgressMode, EgressPolicy,
    EgressPolicyId, EgressRule, EgressSubject, Workload,
};
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn hosts(hosts: &[&str]) -> Destination {
    hosts_within(hosts, &[])
}

pub(crate) fn hosts_within(hosts: &[&str], within: &[&str]) -> Destination {
    Destination::Hosts {
        hosts: hosts.iter().map(|host| EgressHost::parse(host).unwrap()).collect(),
        within: within.iter().map(|net| net.parse().unwrap()).collect(),
    }
}

pub(crate) fn addresses(nets: &[&str]) -> Destination {
    Destination::Addresses(nets.iter().map(|net| net.parse().unwrap()).collect())
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

pub(crate) fn allow(destination: Destination) -> EgressRule {
    rule(EgressAction::Allow, destination)
}

pub(crate) fn deny(destination: Destination) -> EgressRule {
    rule(EgressAction::Deny, destination)
}

pub(crate) fn policy(mode: EgressMode, subject: EgressSubject, rules: Vec<EgressRule>) -> EgressPolicy {
    EgressPolicy { generation: 1, mode, subjects: vec![subject], rules }
}

pub(crate) fn config(default: EgressMode, policies: Vec<EgressPolicy>) -> EgressConfig {
    let named = policies
        .into_iter()
        .enumerate()
        .map(|(index, policy)| (EgressPolicyId(ObjectName::new("ns", format!("policy-{index}"))), Arc::new(policy)));
    EgressConfig { default, cluster: vec!["10.96.0.0/12".parse().unwrap()], policies: named.collect() }
}

pub(crate) fn enforced(rules: Vec<EgressRule>) -> Policies {
    let policy = policy(EgressMode::Enforce, EgressSubject::Everyone, rules);
    Policies::compile(&config(EgressMode::Enforce, vec![policy]))
}

pub(crate) fn workload(namespace: &str, account: &str) -> Source {
    Source::Workload(Arc::new(Workload {
        namespace: Some(namespace.into()),
        service_account: Some(account.into()),
        ..Workload::default()
    }))
}

pub(crate) fn ask<'a>(called: Called<'a>, spoken: Spoken<'a>) -> Ask<'a> {
    Ask { called, port: 443, spoken, unix_seconds: 0, draw: 0 }
}

pub(crate) fn tls(sni: &DnsName) -> Spoken<'_> {
    Spoken::Tls(Hello { server_name: ServerName::Name(sni), encrypted: false })
}

pub(crate) fn reached(answer: &[IpAddr]) -> Reached<'_> {
    Reached { address: *answer.first().unwrap(), answer }
}
