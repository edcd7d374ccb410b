//! All rules for one set of subjects, by where they lead.

use crate::address;
use crate::nets::NetMap;
use crate::rule::{Facts, Keys, Rule};
use lychgate_ir::HostPattern;
use lychgate_ir::egress::{DnsName, EgressHost, EgressMode, EgressRuleId, Percent};
use lychgate_router::HostMap;
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

/// All rules for one set of subjects, by where they lead.
#[derive(Debug, Default)]
pub(super) struct Group {
    rules: Vec<Rule>,
    hosts: HostMap<Arc<AtHost>>,
    building: HashMap<HostPattern, AtHost>,
    nets: NetMap<Vec<usize>>,
    any: Vec<usize>,
    /// An enforced rule allows something: what is not listed is denied.
    has_list: bool,
    /// An enforced rule allows something by name.
    allows_names: bool,
    /// The largest share of a policy in shadow, and of one that has a rule that allows.
    in_shadow: Option<Percent>,
    list_in_shadow: Option<Percent>,
}

/// Rules at one pattern of the index.
#[derive(Clone, Debug, Default)]
struct AtHost {
    /// For exactly one label in front of a suffix. Not used where there is no suffix.
    below: Vec<usize>,
    /// For the host, or for any number of labels.
    all: Vec<usize>,
}

impl Group {
    pub(super) fn add(&mut self, (rule, keys): (Rule, Keys)) {
        let index = self.rules.len();
        if rule.allows() {
            let by_name = matches!(keys, Keys::Hosts(_));
            match rule.mode {
                EgressMode::Enforce => {
                    self.has_list = true;
                    self.allows_names |= by_name;
                }
                EgressMode::Shadow(share) => self.list_in_shadow = larger(self.list_in_shadow, share),
            }
        }
        match keys {
            Keys::Any => self.any.push(index),
            Keys::Nets(nets) => {
                for net in nets {
                    file(self.nets.entry(net), index);
                }
            }
            Keys::Hosts(hosts) => {
                for host in hosts {
                    let (pattern, is_below) = match host {
                        EgressHost::Exact(name) => (HostPattern::Exact(name.shared()), false),
                        EgressHost::Below(suffix) => (HostPattern::Wildcard(suffix.shared()), true),
                        EgressHost::AnywhereBelow(suffix) => (HostPattern::Wildcard(suffix.shared()), false),
                        EgressHost::Any => (HostPattern::Any, false),
                    };
                    let AtHost { below, all } = self.building.entry(pattern).or_default();
                    file(if is_below { below } else { all }, index);
                }
            }
        }
        self.rules.push(rule);
    }

    /// Notes that a policy with these subjects is there, with rules or without.
    pub(super) fn is_selected_by(&mut self, mode: EgressMode) {
        match mode {
            EgressMode::Enforce => {}
            EgressMode::Shadow(share) => self.in_shadow = larger(self.in_shadow, share),
        }
    }

    /// Ends the building.
    pub(super) fn finish(&mut self) {
        self.hosts =
            std::mem::take(&mut self.building).into_iter().map(|(pattern, at)| (pattern, Arc::new(at))).collect();
    }

    pub(super) fn first(&self) -> Option<&EgressRuleId> {
        self.rules.first().map(|rule| &*rule.id)
    }

    pub(super) fn has_list(&self) -> bool {
        self.has_list
    }

    pub(super) fn allows_names(&self) -> bool {
        self.allows_names
    }

    pub(super) fn is_in_shadow(&self, draw: u8) -> bool {
        self.in_shadow.is_some_and(|share| share.takes(draw))
    }

    pub(super) fn has_list_in_shadow(&self, draw: u8) -> bool {
        self.list_in_shadow.is_some_and(|share| share.takes(draw))
    }

    /// Visits the rules that may be about what is asked, the closest first. By names that are not the one it goes by, and by
    /// an IPv4 address that is inside the address, only rules that deny are found.
    pub(super) fn candidates<'p>(
        &'p self,
        facts: &Facts<'_>,
        visit: &mut impl FnMut(&'p Rule) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let name = facts.ask.name();
        if let Some(name) = name {
            self.at_name(name, true, visit)?;
        }
        for other in facts.ask.names().filter(|other| Some(*other) != name) {
            self.at_name(other, false, visit)?;
        }
        if let Some(address) = facts.address {
            self.at_address(address, true, visit)?;
            if let Some(inner) = address::embedded(address) {
                self.at_address(IpAddr::V4(inner), false, visit)?;
            }
        }
        self.visit(&self.any, true, visit)
    }

    fn at_name<'p>(
        &'p self,
        name: &DnsName,
        may_allow: bool,
        visit: &mut impl FnMut(&'p Rule) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let name = name.as_str();
        for (pattern, at) in self.hosts.candidates(name) {
            let is_one_label = match pattern {
                HostPattern::Exact(_) | HostPattern::Any => false,
                HostPattern::Wildcard(suffix) => name
                    .strip_suffix(&**suffix)
                    .and_then(|rest| rest.strip_suffix('.'))
                    .is_some_and(|front| !front.contains('.')),
            };
            if is_one_label {
                self.visit(&at.below, may_allow, visit)?;
            }
            self.visit(&at.all, may_allow, visit)?;
        }
        ControlFlow::Continue(())
    }

    fn at_address<'p>(
        &'p self,
        address: IpAddr,
        may_allow: bool,
        visit: &mut impl FnMut(&'p Rule) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for at in self.nets.candidates(address) {
            self.visit(at, may_allow, visit)?;
        }
        ControlFlow::Continue(())
    }

    fn visit<'p>(
        &'p self,
        at: &[usize],
        may_allow: bool,
        visit: &mut impl FnMut(&'p Rule) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for rule in at.iter().filter_map(|index| self.rules.get(*index)) {
            if may_allow || !rule.allows() {
                visit(rule)?;
            }
        }
        ControlFlow::Continue(())
    }
}

fn larger(share: Option<Percent>, other: Percent) -> Option<Percent> {
    Some(share.map_or(other, |share| if u8::from(share) < u8::from(other) { other } else { share }))
}

/// A rule that names a host twice is filed once.
fn file(at: &mut Vec<usize>, index: usize) {
    if at.last() != Some(&index) {
        at.push(index);
    }
}
