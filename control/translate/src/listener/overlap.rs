//! HTTPS listeners of one port whose hostnames overlap: clients that reuse connections may meet the wrong certificate.

use super::ListenerPlan;
use crate::gateway::GatewayPlan;
use lychgate_ir::{HostPattern, Protocol};
use std::collections::{BTreeMap, HashMap};

/// Marks both of every overlapping pair.
pub(crate) fn mark(plans: &mut [GatewayPlan<'_>], standalone: bool) {
    let mut hosts: HashMap<_, Vec<&mut ListenerPlan<'_>>> = HashMap::new();
    for plan in plans {
        hosts.entry(plan.host(standalone)).or_default().extend(plan.all_listeners_mut());
    }
    for listeners in hosts.values_mut() {
        mark_among(listeners);
    }
}

fn mark_among(listeners: &mut [&mut ListenerPlan<'_>]) {
    let mut by_host: HashMap<(u16, HostPattern), usize> = HashMap::new();
    for (at, listener) in listeners.iter().enumerate() {
        if listener.protocol == Some(Protocol::Https) && listener.is_valid() {
            by_host.insert((listener.spec.port, listener.hostname.clone()), at);
        }
    }
    // Of two overlapping patterns one is always broader, so it is enough to look at what is broader than each.
    let mut with: BTreeMap<usize, usize> = BTreeMap::new();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for ((port, host), at) in &by_host {
        for broader in broader(host) {
            if let Some(other) = by_host.get(&(*port, broader)) {
                found.push((*at, *other));
            }
        }
    }
    found.sort_unstable();
    for (narrow, broad) in found {
        with.entry(narrow).or_insert(broad);
        with.entry(broad).or_insert(narrow);
    }
    let texts: Vec<(usize, String)> = with
        .into_iter()
        .filter_map(|(at, other)| {
            let other = listeners.get(other)?;
            Some((at, format!(
                "{} has hostname {} on the same port, which overlaps with this one: a client that reuses a connection \
                 is answered 421 where the other listener's TLS settings would hold",
                other.id, other.hostname
            )))
        })
        .collect();
    for (at, text) in texts {
        if let Some(listener) = listeners.get_mut(at) {
            listener.overlaps = Some(text);
        }
    }
}

/// Every pattern that covers all hosts of this one and more.
pub(crate) fn broader(host: &HostPattern) -> Vec<HostPattern> {
    let mut patterns = Vec::new();
    let mut rest: &str = match host {
        HostPattern::Any => return patterns,
        HostPattern::Wildcard(name) | HostPattern::Exact(name) => name,
    };
    while let Some((_, parent)) = rest.split_once('.') {
        patterns.push(HostPattern::Wildcard(parent.into()));
        rest = parent;
    }
    patterns.push(HostPattern::Any);
    patterns
}
