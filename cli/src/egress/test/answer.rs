//! Yes or no, and why.

use super::carried::{Look, beyond, cannot_be_done, cannot_look_into_tls, conditions_of};
use super::sources::Sources;
use super::wish::Wish;
use crate::terminal::paint;
use anyhow::Context;
use http::Method;
use lychgate_dns::{BadUpstream, Failure, Upstream};
use lychgate_egress::target::TargetHost;
use lychgate_egress::{
    Ask, Because, Considered, Decision, Egress, Explanation, Outcome, Reached, Screening, Source, Spoken, Verdict,
};
use lychgate_ir::GatewayId;
use lychgate_ir::egress::{EgressAction, EgressInspection, EgressMode, EgressTls, Workload};
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::IpAddr;

/// What would become of a wish.
pub(super) enum Answer {
    /// Its name is not even asked for.
    Screened(Box<Explanation>),
    /// Its name leads nowhere, and what would be if it did.
    Unresolved(Failure, Decision),
    /// For each address that it leads to, the ones that are allowed first; or for the proxy beyond that finds one.
    Decided(Vec<Way>),
    /// A question to DNS that may be asked, whose name has no address now.
    MayBeAsked(Failure),
}

/// What else is known of the gate.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// How it looks into TLS, if it does.
    pub(super) inspection: Option<&'a EgressInspection>,
    /// The addresses that it has, if it has told.
    pub(super) addresses: Option<&'a [IpAddr]>,
}

/// One address that it leads to.
pub(super) struct Way {
    /// None is known where a proxy beyond is asked.
    address: Option<IpAddr>,
    /// It was looked into TLS.
    inside: bool,
    from: Sources,
    explanation: Explanation,
    /// Why it does not leave though it is allowed: the rule asks for what cannot be done.
    cannot: Option<String>,
    /// What has to be besides.
    conditions: Vec<String>,
}

impl Way {
    fn decision(&self) -> Option<&Decision> {
        self.explanation.decision.as_ref()
    }

    fn is_allowed(&self) -> bool {
        self.cannot.is_none() && self.decision().is_some_and(|decision| decision.verdict == Verdict::Allow)
    }
}

impl Answer {
    /// Decides as the gate does.
    pub(super) async fn find(
        egress: &Egress<'_>,
        upstream: impl FnOnce() -> Result<Upstream, BadUpstream>,
        place: Place<'_>,
        wish: &Wish,
        method: &Method,
    ) -> anyhow::Result<Self> {
        let Place { inspection, addresses: own } = place;
        let ask = wish.ask(method);
        let is_excluded = inspection.zip(ask.name()).is_some_and(|(inspection, name)| inspection.excludes(name));
        let inside = wish.inside(method).filter(|_| !is_excluded);
        let inside = inside.and_then(|inside| Some((inside, looks_inside(egress, &ask)?)));
        if let (Screening::Refused(_), None) = (egress.screen(&ask), &inside) {
            return Ok(Self::Screened(Box::new(egress.explain(&ask, None))));
        }
        let (asked, look) = match &inside {
            Some((inside, look)) => (inside, Some(look)),
            None => (&ask, None),
        };
        let way = |address: Option<IpAddr>, explanation: Explanation| {
            let decided = explanation.decision.as_ref().filter(|decision| decision.verdict == Verdict::Allow);
            // The gate answers questions itself.
            let own = own.filter(|_| !matches!(asked.spoken, Spoken::Dns));
            let from = decided.map(|decision| Sources::of(decision, address, own)).unwrap_or_default();
            let cannot = decided.and_then(|decision| {
                let unseen = look.and_then(|look| cannot_look_into_tls(look, inspection));
                let undone = || cannot_be_done(decision, &asked.spoken, address);
                unseen.or_else(undone).or_else(|| from.cannot())
            });
            let leaves = decided.filter(|_| cannot.is_none());
            let conditions = leaves.map(|decision| conditions_of(decision, &asked.spoken, address)).unwrap_or_default();
            let conditions = from.condition().filter(|_| leaves.is_some()).into_iter().chain(conditions).collect();
            let from = if leaves.is_some() { from } else { Sources::default() };
            Way { address, inside: look.is_some(), from, cannot, conditions, explanation }
        };
        // Before anybody is asked for its address: where a proxy beyond finds it, nobody is.
        let unseen = egress.decide_beyond(asked);
        let is_beyond = unseen.verdict == Verdict::Allow && beyond(&unseen).is_some();
        if is_beyond && !matches!(asked.spoken, Spoken::Dns) {
            let explanation = Explanation { decision: Some(unseen), ..egress.explain(asked, None) };
            return Ok(Self::Decided(vec![way(None, explanation)]));
        }
        let answer = match &wish.target.host {
            TargetHost::Address(address) => vec![*address],
            TargetHost::Name(name) => match upstream().context(wish.to_string())?.addresses(name).await {
                Ok(found) => found.addresses,
                Err(failure) if matches!(ask.spoken, Spoken::Dns) => return Ok(Self::MayBeAsked(failure)),
                Err(failure) => return Ok(Self::Unresolved(failure, egress.foresee(asked, None))),
            },
        };
        let named: &[IpAddr] = match &wish.target.host {
            TargetHost::Name(_) => &answer,
            TargetHost::Address(_) => &[],
        };
        let at = |address: &IpAddr| {
            let reached = Reached { address: *address, answer: named };
            way(Some(*address), egress.explain(asked, Some(&reached)))
        };
        let mut ways: Vec<Way> = answer.iter().map(at).collect();
        ways.sort_by_key(|way| !way.is_allowed());
        Ok(Self::Decided(ways))
    }

    pub(super) fn is_allowed(&self) -> bool {
        match self {
            Self::Screened(_) | Self::Unresolved(..) => false,
            Self::MayBeAsked(_) => true,
            Self::Decided(ways) => ways.iter().any(Way::is_allowed),
        }
    }

    /// Writing to a String cannot fail.
    pub(super) fn text(&self, wish: &Wish, gateway: &GatewayId, source: &Source) -> String {
        let paint = paint();
        let mut text = match self.is_allowed() {
            true => paint.good("Yes"),
            false => paint.bad("No"),
        };
        let _ = write!(text, ": {} to {wish} through {gateway}", who(source));
        match self {
            Self::Unresolved(failure, foreseen) => {
                let _ = writeln!(text, "\n  no rule denies the name, but {failure}");
                let _ = writeln!(text, "    if it led to an address that is not refused: {}", because(foreseen));
            }
            Self::MayBeAsked(failure) => {
                let _ = writeln!(text, "\n  it may be asked for; now, {failure}");
            }
            Self::Screened(explanation) => {
                let _ = writeln!(text, "\n  before its name is resolved:");
                explained(&mut text, explanation);
            }
            Self::Decided(ways) => {
                let _ = writeln!(text);
                for Way { address, inside, from, explanation, cannot, conditions } in ways {
                    let inside = if *inside { ", looked into TLS" } else { "" };
                    let _ = match address {
                        Some(address) => writeln!(text, "  at {address}{inside}:"),
                        None => writeln!(text, "  by a proxy beyond{inside}:"),
                    };
                    if let Some(why) = cannot {
                        let _ = writeln!(text, "    refused, though it is allowed: {why}");
                    }
                    if let Some(from) = from.text() {
                        let _ = writeln!(text, "    {from}");
                    }
                    for condition in conditions {
                        let _ = writeln!(text, "    if {condition}");
                    }
                    explained(&mut text, explanation);
                }
            }
        }
        text
    }

    pub(super) fn json(&self, gateway: &GatewayId) -> Value {
        let ways = match self {
            Self::Unresolved(failure, _) | Self::MayBeAsked(failure) => {
                return json!({ "allowed": self.is_allowed(), "gateway": gateway, "unresolved": failure.to_string() });
            }
            Self::Screened(explanation) => vec![json!({ "explanation": explanation })],
            Self::Decided(ways) => ways
                .iter()
                .map(|Way { address, inside, from, explanation, cannot, conditions }| {
                    let (from, here) = from.json();
                    json!({
                        "address": address, "inside": inside, "leavesFrom": from, "ofReplica": here,
                        "explanation": explanation, "cannot": cannot, "conditions": conditions,
                    })
                })
                .collect(),
        };
        json!({ "allowed": self.is_allowed(), "gateway": gateway, "ways": ways })
    }
}

/// How the rule that would allow this TLS looks into it, if it does. Another may decide about the request inside.
fn looks_inside(egress: &Egress<'_>, ask: &Ask<'_>) -> Option<Look> {
    match egress.foresee(ask, None).because {
        Because::Rule { handling, rule: _, level: _, reason: _ } => match &handling.tls {
            EgressTls::Inspect(look) => Some(look.clone()),
            EgressTls::Pass | EgressTls::Originate(_) => None,
        },
        Because::Uncertain { rule: _, miss: _ } | Because::NoRule | Because::NotEnforced => None,
    }
}

fn who(source: &Source) -> String {
    match source {
        Source::Unknown => "somebody unknown".to_owned(),
        Source::Workload(workload) => {
            let Workload { identity, namespace, service_account, labels: _ } = &**workload;
            match (namespace, service_account, identity) {
                (Some(namespace), Some(account), _) => format!("{namespace}/{account}"),
                (_, _, Some(identity)) => identity.to_string(),
                (Some(namespace), None, None) => namespace.to_string(),
                (None, _, None) => "somebody unknown".to_owned(),
            }
        }
    }
}

/// Writing to a String cannot fail.
fn explained(text: &mut String, Explanation { decision, considered }: &Explanation) {
    if let Some(decision) = decision {
        let _ = writeln!(text, "    {}", because(decision));
        if decision.would_deny() {
            let why = decision.shadow.as_ref().map(|shadow| shadow.because.for_client().into_owned());
            let _ = writeln!(text, "    in shadow; enforced it would be refused: {}", why.unwrap_or_default());
        }
    }
    for Considered { rule, action, mode, level: _, outcome } in considered {
        let action = match action {
            EgressAction::Allow => "allows",
            EgressAction::Deny => "denies",
        };
        let mode = match mode {
            EgressMode::Enforce => "",
            EgressMode::Shadow(_) => " (in shadow)",
        };
        let outcome = match outcome {
            Outcome::Decided => "decided".to_owned(),
            Outcome::Holds => "holds, and another decided".to_owned(),
            Outcome::HoldsSoFar => "holds so far".to_owned(),
            Outcome::DoesNotHold(miss) => format!("does not hold: {miss}"),
        };
        let _ = writeln!(text, "      {rule} {action}{mode}: {outcome}");
    }
}

fn because(decision: &Decision) -> String {
    let verdict = match decision.verdict {
        Verdict::Allow => "allowed",
        Verdict::Deny => "denied",
    };
    match &decision.because {
        Because::Rule { rule, reason, level: _, handling: _ } => match reason {
            Some(reason) => format!("{verdict} by {rule}: {reason}"),
            None => format!("{verdict} by {rule}"),
        },
        Because::Uncertain { rule, miss } => format!("{verdict}: {rule} would allow it, but {miss}"),
        Because::NoRule => format!("{verdict}: no rule allows it"),
        Because::NotEnforced => format!("{verdict}: no rule allows it, and the default is in shadow"),
    }
}
