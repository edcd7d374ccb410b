//! The smallest policies that would have let through what left.
//!
//! What is learned are hosts, ports and protocols, as they were seen; several hosts that are used alike share a rule. What
//! is not learned are exceptions (a missing SNI, a name that DNS does not lead from): what needs one is said in a comment,
//! and somebody has to want it.

mod fold;
mod need;
mod yaml;

use crate::{Seen, Who};
pub use fold::Fold;
use lychgate_audit::{Record, RecordPhase, Timestamp};
use lychgate_ir::egress::EgressAction;
use lychgate_ir::{GatewayId, ObjectName};
use need::Needs;
use std::collections::{BTreeMap, BTreeSet};
pub use yaml::as_yaml;

/// What to learn from.
#[derive(Clone, Debug, Default)]
pub struct LearnOptions {
    /// Only this workload: `NAMESPACE/SERVICEACCOUNT`, a namespace, a SPIFFE ID, or `unknown`.
    pub workload: Option<String>,
    /// Only what came at or after this time.
    pub since: Option<Timestamp>,
    /// Whether what was refused is learned as well.
    pub include_denied: bool,
    /// When names are folded into one with a `*`; `None` leaves them as they are.
    pub fold: Option<Fold>,
    /// The Gateway of records that do not tell.
    pub gateway: Option<GatewayId>,
}

/// What records teach.
#[derive(Debug)]
pub struct Lessons {
    options: LearnOptions,
    workloads: BTreeMap<Who, Taught>,
    refused: u64,
    unreadable: u64,
}

#[derive(Debug, Default)]
struct Taught {
    needs: Needs,
    gateways: BTreeSet<GatewayId>,
}

/// What one workload needs.
#[derive(Debug)]
pub struct Lesson {
    /// Which.
    pub who: Who,
    /// Through which Gateways it went.
    pub gateways: BTreeSet<GatewayId>,
    /// The rules, those for most first.
    pub rules: Vec<LearnedRule>,
}

/// A rule that was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedRule {
    /// `tls-443`: what is spoken, and on which ports.
    pub name: String,
    /// Where to.
    pub to: Vec<LearnedHost>,
    /// Whether they are networks rather than hosts.
    pub by_address: bool,
    /// Where the addresses of the hosts have to lie, where they are not public.
    pub within: BTreeSet<String>,
    /// Empty for questions to DNS.
    pub ports: BTreeSet<u16>,
    /// `TLS`, `HTTP`, `TCP`, `DNS`.
    pub protocol: &'static str,
}

/// A host or network of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedHost {
    /// As the rule writes it.
    pub text: String,
    /// How often, and when.
    pub seen: Seen,
    /// What the rule would refuse of it all the same, and how often: exceptions that are not learned.
    pub lacks: BTreeMap<&'static str, u64>,
    /// What is unusual about where it leads.
    pub class: Option<String>,
}

impl Lessons {
    /// Begins.
    pub fn new(options: LearnOptions) -> Self {
        Self { options, workloads: BTreeMap::new(), refused: 0, unreadable: 0 }
    }

    /// Learns from a record.
    pub fn take(&mut self, record: &Record) {
        if record.phase == RecordPhase::Begun {
            return;
        }
        if self.options.since.is_some_and(|since| record.time < since) {
            return;
        }
        let who = Who::of(&record.source);
        if self.options.workload.as_deref().is_some_and(|wanted| !who.is(wanted)) {
            return;
        }
        if record.verdict == EgressAction::Deny && !self.options.include_denied {
            self.refused += 1;
            return;
        }
        let taught = self.workloads.entry(who).or_default();
        if taught.needs.take(record).is_none() {
            self.unreadable += 1;
            return;
        }
        taught.gateways.extend(record.gateway.clone().or_else(|| self.options.gateway.clone()));
    }

    /// Records that were left out because they were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Records that do not tell enough: not where to, or not what was spoken.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// What was learned, by workload.
    pub fn lessons(&self) -> Vec<Lesson> {
        let lesson = |(who, Taught { needs, gateways }): (&Who, &Taught)| Lesson {
            who: who.clone(),
            gateways: gateways.clone(),
            rules: needs.rules(self.options.fold),
        };
        self.workloads.iter().map(lesson).filter(|lesson| !lesson.rules.is_empty()).collect()
    }
}

impl Lesson {
    /// The name of its policy: in the namespace of the workload, or of the Gateway for those that have none. `None` if there
    /// is no Gateway either.
    pub fn policy(&self) -> Option<ObjectName> {
        let of_gateway = || self.gateways.first().map(|GatewayId(name)| name.namespace.to_string());
        let (namespace, name) = match &self.who {
            Who::ServiceAccount { namespace, name } => (namespace.clone(), name.clone()),
            Who::Namespace(namespace) => (namespace.clone(), "namespace".to_owned()),
            Who::Identity(identity) => (of_gateway()?, as_label(identity)),
            Who::Unknown => (of_gateway()?, "unknown".to_owned()),
        };
        Some(ObjectName::new(namespace, format!("learned-{name}")))
    }
}

/// A SPIFFE ID as a part of an object's name. Two of them may look alike then; whoever applies both sees one replace the
/// other, so a number that tells them apart is added.
fn as_label(text: &str) -> String {
    let text = text.strip_prefix("spiffe://").unwrap_or(text);
    let mut label: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).take(40).collect();
    // FNV-1a: the same on every machine and in every version.
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    label.push_str(&format!("-{hash:08x}"));
    label
}
