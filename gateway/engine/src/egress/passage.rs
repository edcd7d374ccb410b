//! From a wish to where it may go: screened, resolved, decided.

use super::dial::in_turn;
use super::gate::Gate;
use super::limits::Share;
use super::names::Addresses;
use super::refused::Refused;
use super::wish::{Shown, Wish};
use http::Method;
use ipnet::IpNet;
use lychgate_egress::carried::CREDENTIAL_WOULD_RETURN;
use lychgate_egress::limits::Key;
use lychgate_egress::source_address::Pair;
use lychgate_egress::target::TargetHost;
use lychgate_egress::{Because, Decision, Egress, Reached, Screening, Source, Verdict};
use lychgate_ir::egress::EgressHandling;
use lychgate_telemetry::Reason;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Addresses of a name that are tried for one connection.
const TRIES: usize = 4;

/// Where a wish may go.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    pub(crate) wish: Wish,
    /// In the order in which they are tried; at least one.
    pub(crate) ways: Vec<Way>,
    /// What DNS said of its name; empty if it was not asked.
    pub(crate) answer: Addresses,
    /// Whether it was.
    pub(crate) is_asked: bool,
}

/// One way that it may go.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// Which address; `None` leaves it to a proxy beyond.
    pub(crate) address: Option<IpAddr>,
    pub(crate) decision: Decision,
    /// What it is counted by, where there are limits.
    pub(crate) share: Option<Share>,
    /// Who goes where, where there may be several addresses to leave from: connections of others leave from others.
    pub(crate) pair: Option<Pair>,
}

/// Whose wish it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) source: &'a Source,
    /// Where they come from.
    pub(crate) address: IpAddr,
}

impl Asker<'_> {
    fn way(&self, gate: &Gate, wish: &Wish, address: Option<IpAddr>, decision: Decision) -> Result<Way, Refused> {
        let share = Share::of(gate, self.source, self.address, wish, address, &decision)?;
        let has_choice = handling(&decision).has_choice_of_source();
        let pair = has_choice.then(|| Pair::of(&Key::of_source(self.source, self.address), &wish.target.host));
        Ok(Way { address, decision, share, pair })
    }
}

/// How sure one has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Degree {
    /// What is not known yet speaks for the client.
    Foreseen,
    /// Nothing does.
    Decided,
}

impl Passage {
    /// Finds where a wish may go. Nothing is asked of DNS that can never be allowed.
    pub(crate) async fn find(gate: &Gate, asker: &Asker<'_>, wish: Wish, degree: Degree) -> Result<Self, Refused> {
        if let Some(passage) = Self::beyond(gate, asker, &wish, degree)? {
            return Ok(passage);
        }
        let answer = match &wish.target.host {
            TargetHost::Name(name) => {
                let answer = gate.names.resolve(name).await;
                Some(answer.map_err(|why| Refused::unresolved(name.as_str(), &why))?)
            }
            TargetHost::Address(_) => claimed(gate, asker.source, &wish).await,
        };
        Self::decide(gate, asker, wish, answer, degree)
    }

    /// Decides for what DNS has said, if it was asked.
    fn decide(
        gate: &Gate,
        asker: &Asker<'_>,
        wish: Wish,
        answer: Option<Addresses>,
        degree: Degree,
    ) -> Result<Self, Refused> {
        let (is_asked, answer) = (answer.is_some(), answer.unwrap_or_default());
        let egress = gate.policies.of(asker.source);
        let ask = wish.ask();
        let addresses: Vec<IpAddr> = match &wish.target.host {
            TargetHost::Address(address) => vec![*address],
            TargetHost::Name(_) => in_turn(answer.iter().copied()),
        };
        let (mut allowed, mut aside, mut denied) = (Vec::new(), Vec::new(), None);
        for address in addresses {
            let reached = Reached { address, answer: &answer };
            let decision = match degree {
                Degree::Foreseen => egress.foresee(&ask, Some(&reached)),
                Degree::Decided => egress.decide(&ask, &reached),
            };
            match decision.verdict {
                Verdict::Allow if has_source(&handling(&decision), address) => allowed.push((address, decision)),
                Verdict::Allow => aside.push((address, decision)),
                Verdict::Deny => drop(denied.get_or_insert(decision)),
            }
        }
        // Where there is nothing else, they say why it cannot leave.
        let taken = if allowed.is_empty() { aside } else { allowed }.into_iter().take(TRIES);
        let ways = taken.map(|(address, decision)| asker.way(gate, &wish, Some(address), decision));
        let ways: Vec<Way> = ways.collect::<Result<_, _>>()?;
        match (ways.is_empty(), denied) {
            (false, _) => Ok(Self { wish, ways, answer, is_asked }),
            (true, Some(decision)) => Err(Refused::denied(decision)),
            (true, None) => Err(Refused::unresolved("the name", &super::names::Unresolved::NoAddress)),
        }
    }

    /// Where a way leads, if its name could lead elsewhere as well.
    pub(crate) fn choice(&self, way: &Way) -> Option<SocketAddr> {
        match (&self.wish.target.host, way.address) {
            (TargetHost::Name(_), Some(address)) => Some(SocketAddr::new(address, self.wish.target.port)),
            (TargetHost::Name(_), None) | (TargetHost::Address(_), _) => None,
        }
    }

    /// Whether its owner has taken it out of what is looked into. The name that a client claims for an address counts only
    /// where DNS leads from it to there, or whoever names an excluded host could take anything anywhere unread.
    pub(crate) async fn is_excluded(&self, gate: &Gate) -> bool {
        let name = self.wish.name().filter(|name| gate.inspection.excludes(name));
        match (name, &self.wish.target.host) {
            (None, _) => false,
            (Some(_), TargetHost::Name(_)) => true,
            (Some(_), TargetHost::Address(address)) if self.answer.contains(address) => true,
            // Where no rule wants to know, and where a proxy beyond is asked, nobody has asked DNS yet.
            (Some(name), TargetHost::Address(address)) => {
                gate.names.resolve(name).await.is_ok_and(|answer| answer.contains(address))
            }
        }
    }

    /// Refuses TRACE where something is added that the client does not know: its answer is the request as it came (RFC 9110
    /// section 9.3.8).
    pub(crate) fn returns_no_secret(&self, method: &Method) -> Result<(), Refused> {
        let has_secret = |way: &&Way| handling(&way.decision).credential.is_some();
        match self.ways.iter().find(has_secret) {
            Some(way) if method == Method::TRACE => {
                Err(Refused::new(Reason::EgressDenied, CREDENTIAL_WOULD_RETURN).after(&way.decision))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Before a name is resolved: refuses what can never be allowed, and finds out whether a proxy beyond resolves it.
    fn beyond(gate: &Gate, asker: &Asker<'_>, wish: &Wish, degree: Degree) -> Result<Option<Self>, Refused> {
        let egress: Egress<'_> = gate.policies.of(asker.source);
        let ask = wish.ask();
        if let Screening::Refused(decision) = egress.screen(&ask)
            // A rule that looks into TLS may allow what is in it.
            && (!matches!(wish.shown, Shown::Tls(_)) || egress.foresee(&ask, None).verdict == Verdict::Deny)
        {
            return Err(Refused::denied(decision));
        }
        let decision = match degree {
            Degree::Foreseen => egress.foresee(&ask, None),
            Degree::Decided => egress.decide_beyond(&ask),
        };
        let is_beyond = decision.verdict == Verdict::Allow && handling(&decision).via.is_some();
        if !is_beyond {
            return Ok(None);
        }
        let way = asker.way(gate, wish, None, decision)?;
        Ok(Some(Self { wish: wish.clone(), ways: vec![way], answer: Addresses::default(), is_asked: false }))
    }
}

/// Whether a rule names any address of this family to leave from, if it names some. To a proxy beyond, the family is that of
/// the proxy.
fn has_source(handling: &EgressHandling, to: IpAddr) -> bool {
    let EgressHandling { tls: _, credential: _, via, leave_from, limits: _ } = handling;
    let is_of_family = |network: &IpNet| network.addr().is_ipv4() == to.is_ipv4();
    via.is_some() || leave_from.is_empty() || leave_from.iter().any(is_of_family)
}

/// What DNS says of a name that is only claimed for an address; nothing if it leads nowhere. Not asked where that changes
/// nothing: whoever may reach one address would tell everybody's name servers what it likes.
pub(crate) async fn claimed(gate: &Gate, source: &Source, wish: &Wish) -> Option<Addresses> {
    let name = wish.name()?;
    if !gate.policies.of(source).wants_answer(&wish.ask()) {
        return None;
    }
    Some(gate.names.resolve(name).await.unwrap_or_default())
}

/// How what was allowed is carried.
pub(crate) fn handling(decision: &Decision) -> Arc<EgressHandling> {
    match &decision.because {
        Because::Rule { handling, rule: _, level: _, reason: _ } => handling.clone(),
        Because::Uncertain { rule: _, miss: _ } | Because::NoRule | Because::NotEnforced => Arc::default(),
    }
}
