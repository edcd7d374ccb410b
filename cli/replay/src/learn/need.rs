//! What a workload needs, host by host, and the rules that give it.

use super::fold::{Fold, fold};
use super::{LearnedHost, LearnedRule};
use crate::Seen;
use crate::seen::protocol;
use lychgate_audit::{Record, RecordProtocol, Timestamp};
use lychgate_egress::address;
use lychgate_egress::target::TargetHost;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What a workload needs.
#[derive(Debug, Default)]
pub(super) struct Needs {
    hosts: BTreeMap<String, BTreeMap<(RecordProtocol, u16), Used>>,
    addresses: BTreeMap<IpAddr, BTreeMap<(RecordProtocol, u16), Used>>,
}

/// How something was used.
#[derive(Clone, Debug)]
pub(super) struct Used {
    seen: Seen,
    /// Addresses that it led to.
    addresses: BTreeSet<IpAddr>,
    lacks: BTreeMap<&'static str, u64>,
}

impl Used {
    fn once(at: Timestamp) -> Self {
        Self { seen: Seen::once(at), addresses: BTreeSet::new(), lacks: BTreeMap::new() }
    }

    pub(super) fn join(&mut self, other: &Self) {
        let Self { seen, addresses, lacks } = other;
        self.seen.join(seen);
        self.addresses.extend(addresses);
        for (lack, count) in lacks {
            *self.lacks.entry(lack).or_default() += count;
        }
    }
}

impl Needs {
    /// Learns from a record; `None` if it tells too little.
    pub(super) fn take(&mut self, record: &Record) -> Option<()> {
        let destination = &record.destination;
        let spoken = protocol(record);
        let port = if spoken == RecordProtocol::Dns { 0 } else { destination.port };
        let host = destination.host.as_deref().and_then(|host| TargetHost::parse(host).ok());
        let mut used = Used::once(record.time);
        used.addresses.extend(destination.address);
        let uses = match host {
            Some(TargetHost::Name(name)) => {
                used.lacks = lacks(record, name.as_str());
                self.hosts.entry(name.as_str().to_owned()).or_default()
            }
            Some(TargetHost::Address(address)) => self.addresses.entry(address).or_default(),
            None => self.addresses.entry(address::canonical(destination.address?)).or_default(),
        };
        match uses.get_mut(&(spoken, port)) {
            Some(before) => before.join(&used),
            None => drop(uses.insert((spoken, port), used)),
        }
        Some(())
    }

    /// The rules, those for most first. Hosts that are used alike share one.
    pub(super) fn rules(&self, folding: Option<Fold>) -> Vec<LearnedRule> {
        let mut shared: BTreeMap<Shape, BTreeMap<String, Used>> = BTreeMap::new();
        for (host, uses) in &self.hosts {
            for (shape, used) in shapes(uses, false) {
                shared.entry(shape).or_default().insert(host.clone(), used);
            }
        }
        for (address, uses) in &self.addresses {
            for (shape, used) in shapes(uses, true) {
                let net = ipnet_text(*address);
                shared.entry(shape).or_default().insert(net, used);
            }
        }
        let rule = |(shape, uses): (Shape, BTreeMap<String, Used>)| {
            let uses = match folding {
                Some(folding) if !shape.by_address => fold(uses, folding),
                Some(_) | None => uses,
            };
            shape.rule(uses)
        };
        let mut rules: Vec<_> = shared.into_iter().map(rule).collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.to.iter().map(|host| host.seen.count).sum::<u64>()));
        let mut names = BTreeMap::<String, u32>::new();
        for rule in &mut rules {
            let count = names.entry(rule.name.clone()).or_default();
            *count += 1;
            if *count > 1 {
                rule.name = format!("{}-{count}", rule.name);
            }
        }
        rules
    }
}

/// What hosts of one rule have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    by_address: bool,
    protocol: RecordProtocol,
    ports: BTreeSet<u16>,
    within: BTreeSet<String>,
}

/// The shapes of one host, one for each protocol. A question for its name is part of what may be reached.
fn shapes(uses: &BTreeMap<(RecordProtocol, u16), Used>, by_address: bool) -> Vec<(Shape, Used)> {
    let mut by_protocol: BTreeMap<RecordProtocol, (BTreeSet<u16>, Used)> = BTreeMap::new();
    let is_reached = uses.keys().any(|(protocol, _)| *protocol != RecordProtocol::Dns);
    for ((protocol, port), used) in uses {
        if *protocol == RecordProtocol::Dns && is_reached {
            continue;
        }
        let ports = (*port != 0).then_some(*port);
        by_protocol
            .entry(*protocol)
            .and_modify(|(all, before)| {
                all.extend(ports);
                before.join(used);
            })
            .or_insert_with(|| (ports.into_iter().collect(), used.clone()));
    }
    let shape = |(protocol, (ports, used)): (RecordProtocol, (BTreeSet<u16>, Used))| {
        let within = if by_address { BTreeSet::new() } else { within(&used) };
        (Shape { by_address, protocol, ports, within }, used)
    };
    by_protocol.into_iter().map(shape).collect()
}

/// A name that leads to an address that is not public needs a rule that names all of its addresses.
fn within(used: &Used) -> BTreeSet<String> {
    let is_public = |address: &IpAddr| address::block(*address, &[]).is_none();
    if used.addresses.iter().all(is_public) {
        return BTreeSet::new();
    }
    used.addresses.iter().copied().map(ipnet_text).collect()
}

fn ipnet_text(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

impl Shape {
    fn rule(self, uses: BTreeMap<String, Used>) -> LearnedRule {
        let Self { by_address, protocol, ports, within } = self;
        let protocol = match protocol {
            RecordProtocol::Tcp => "TCP",
            RecordProtocol::Tls => "TLS",
            RecordProtocol::Http => "HTTP",
            RecordProtocol::Dns => "DNS",
        };
        let mut name = protocol.to_lowercase();
        for port in ports.iter().take(3) {
            name.push_str(&format!("-{port}"));
        }
        let host = |(text, Used { seen, addresses, lacks }): (String, Used)| LearnedHost {
            text,
            seen,
            lacks,
            class: addresses
                .iter()
                .find_map(|address| address::block(*address, &[]))
                .map(|block| format!("not public ({})", block.class)),
        };
        let mut to: Vec<_> = uses.into_iter().map(host).collect();
        to.sort_by_key(|host| std::cmp::Reverse(host.seen.count));
        LearnedRule { name, to, by_address, within, ports, protocol }
    }
}

/// Exceptions without which a rule for the host would refuse what a record tells of.
fn lacks(record: &Record, host: &str) -> BTreeMap<&'static str, u64> {
    let is_tls = match protocol(record) {
        RecordProtocol::Tls => true,
        RecordProtocol::Http => record.http.as_ref().is_some_and(|http| http.over_tls),
        RecordProtocol::Tcp | RecordProtocol::Dns => false,
    };
    let other_host = |http: &lychgate_audit::RecordHttp| http.host.as_deref() != Some(host);
    [
        ("MissingSNI", is_tls && record.server_name.is_none()),
        ("OtherSNI", is_tls && record.server_name.as_deref().is_some_and(|name| name != host)),
        ("EncryptedClientHello", record.encrypted_hello),
        ("OtherHost", record.http.as_ref().is_some_and(other_host)),
        ("UnverifiedName", record.destination.verified == Some(false)),
    ]
    .into_iter()
    .filter(|(_, lacks)| *lacks)
    .map(|(name, _)| (name, 1))
    .collect()
}
