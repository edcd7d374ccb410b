//! One rule, and whether it holds.

use crate::address::{self, Block};
use crate::ask::{Ask, Called, Reached, Spoken};
use crate::{Miss, agreement, nets};
use ipnet::IpNet;
use lychgate_ir::egress::{
    Destination, EgressAction, EgressExceptions, EgressHandling, EgressHost, EgressMode, EgressProtocol, EgressRule,
    EgressRuleId, EgressTls, HttpRule, PortRange, TimeWindow,
};
use std::net::IpAddr;
use std::sync::Arc;

/// A rule, ready to be tried. That its host fits is for the index to say.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: Arc<EgressRuleId>,
    pub(crate) action: EgressAction,
    pub(crate) mode: EgressMode,
    pub(crate) reason: Option<Arc<str>>,
    pub(crate) handling: Arc<EgressHandling>,
    destination: To,
    ports: Vec<PortRange>,
    protocols: Vec<EgressProtocol>,
    windows: Vec<TimeWindow>,
    exceptions: EgressExceptions,
}

/// Where to, without the hosts: those are in the index.
#[derive(Debug)]
enum To {
    Any,
    Hosts { within: Vec<IpNet> },
    Addresses(Vec<IpNet>),
}

/// What a rule is filed under.
pub(crate) enum Keys {
    Any,
    Hosts(Vec<EgressHost>),
    Nets(Vec<IpNet>),
}

/// How far a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// It does.
    Surely,
    /// Nothing is against it, and not all is known.
    SoFar,
}

/// What is asked, with what all rules want to know of it.
pub(crate) struct Facts<'a> {
    pub(crate) ask: Ask<'a>,
    pub(crate) reached: Option<Reached<'a>>,
    /// The address that will be dialled, if it is known.
    pub(crate) address: Option<IpAddr>,
    /// What it belongs to, if it is not public.
    block: Option<Block>,
    source_is_known: bool,
    /// Whether TLS may still be looked into.
    may_be_looked_into: bool,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(ask: Ask<'a>, reached: Option<Reached<'a>>, cluster: &[IpNet], source_is_known: bool) -> Self {
        let called = match ask.called {
            Called::Address(address) => Some(address),
            Called::Name(_) => None,
        };
        let address = reached.map(|reached| reached.address).or(called).map(address::canonical);
        let block = address.and_then(|address| address::block(address, cluster));
        Self { ask, reached, address, block, source_is_known, may_be_looked_into: false }
    }

    /// The same before it was decided whether TLS is looked into.
    pub(crate) fn foreseen(self) -> Self {
        Self { may_be_looked_into: true, ..self }
    }
}

impl Rule {
    pub(crate) fn compile(id: EgressRuleId, mode: EgressMode, rule: &EgressRule) -> (Self, Keys) {
        let EgressRule { name: _, action, destination, ports, protocols, windows, exceptions, reason, handling } = rule;
        let canonical = |nets: &[IpNet]| nets.iter().copied().map(nets::canonical).collect::<Vec<_>>();
        let (destination, keys) = match destination {
            Destination::Any => (To::Any, Keys::Any),
            Destination::Hosts { hosts, within } => {
                (To::Hosts { within: canonical(within) }, Keys::Hosts(hosts.clone()))
            }
            Destination::Addresses(nets) => (To::Addresses(canonical(nets)), Keys::Nets(canonical(nets))),
        };
        let rule = Self {
            id: Arc::new(id),
            action: *action,
            mode,
            reason: reason.clone(),
            destination,
            ports: ports.clone(),
            protocols: protocols.clone(),
            windows: windows.clone(),
            exceptions: *exceptions,
            handling: handling.clone(),
        };
        (rule, keys)
    }

    pub(crate) fn allows(&self) -> bool {
        self.action == EgressAction::Allow
    }

    /// Whether it allows hosts.
    pub(crate) fn allows_by_name(&self) -> bool {
        match self.destination {
            To::Hosts { within: _ } => self.allows(),
            To::Any | To::Addresses(_) => false,
        }
    }

    /// Whether it holds, or the first thing that is against it: what it is about before what is uncertain.
    pub(crate) fn holds(&self, facts: &Facts<'_>, is_for_everyone: bool) -> Result<Holds, Miss> {
        if self.allows() && is_for_everyone && !facts.source_is_known {
            return Err(Miss::UnknownSource);
        }
        if !self.windows.is_empty() && !self.windows.iter().any(|window| window.contains(facts.ask.unix_seconds)) {
            return Err(Miss::Window);
        }
        let spoken = match facts.ask.spoken {
            Spoken::Dns => self.answers_dns()?,
            Spoken::NotYet | Spoken::Tcp | Spoken::Tls(_) | Spoken::Http(_) => self.speaks(facts)?,
        };
        let reached = match self.action {
            EgressAction::Allow => self.is_sure(facts)?,
            EgressAction::Deny => self.touches(facts)?,
        };
        Ok(if spoken == Holds::Surely && reached == Holds::Surely { Holds::Surely } else { Holds::SoFar })
    }

    /// What may be reached may be asked for, or every policy would be written twice; what is denied in part only (a port,
    /// a protocol) may be asked for as well.
    fn answers_dns(&self) -> Result<Holds, Miss> {
        let names_dns = self.protocols.iter().any(|protocol| matches!(protocol, EgressProtocol::Dns));
        let is_whole = self.protocols.is_empty() && self.ports.is_empty();
        if self.allows() || names_dns || is_whole { Ok(Holds::Surely) } else { Err(Miss::Protocol) }
    }

    fn speaks(&self, facts: &Facts<'_>) -> Result<Holds, Miss> {
        if !self.ports.is_empty() && !self.ports.iter().any(|ports| ports.contains(facts.ask.port)) {
            return Err(Miss::Port);
        }
        if self.protocols.is_empty() {
            return Ok(Holds::Surely);
        }
        let mut nearest = Miss::Protocol;
        let mut holds = None;
        for protocol in &self.protocols {
            match is_spoken(protocol, &facts.ask.spoken) {
                Ok(Holds::Surely) => return Ok(Holds::Surely),
                Ok(Holds::SoFar) => holds = Some(Holds::SoFar),
                Err(Miss::Protocol) if facts.may_be_looked_into && self.looks_into(protocol, facts) => {
                    holds = Some(Holds::SoFar);
                }
                Err(Miss::Protocol) => {}
                Err(miss) => nearest = miss,
            }
        }
        holds.ok_or(nearest)
    }

    /// Whether it is about what is inside TLS that it has looked into.
    fn looks_into(&self, protocol: &EgressProtocol, facts: &Facts<'_>) -> bool {
        matches!(self.handling.tls, EgressTls::Inspect(_))
            && matches!(protocol, EgressProtocol::Http(_))
            && matches!(facts.ask.spoken, Spoken::Tls(_))
    }

    /// For a rule that allows: whether what it allows is surely what is reached.
    fn is_sure(&self, facts: &Facts<'_>) -> Result<Holds, Miss> {
        let ask = &facts.ask;
        let is_public = |facts: &Facts<'_>| match facts.block {
            Some(block) => Err(Miss::NotPublic(block.class)),
            None => Ok(()),
        };
        match &self.destination {
            To::Addresses(nets) => {
                if matches!(ask.called, Called::Name(_)) {
                    return Err(Miss::CalledByName);
                }
                within(nets, facts)?;
                Ok(if facts.address.is_some() { Holds::Surely } else { Holds::SoFar })
            }
            To::Any if matches!(ask.called, Called::Address(_)) => {
                is_public(facts)?;
                Ok(if facts.address.is_some() { Holds::Surely } else { Holds::SoFar })
            }
            To::Any => {
                is_public(facts)?;
                self.agrees(facts)
            }
            To::Hosts { within: nets } => {
                if ask.name().is_none() {
                    let may_come = matches!(ask.spoken, Spoken::NotYet);
                    return if may_come { Ok(Holds::SoFar) } else { Err(Miss::NoName) };
                }
                if nets.is_empty() {
                    is_public(facts)?;
                } else {
                    within(nets, facts)?;
                }
                self.agrees(facts)
            }
        }
    }

    fn agrees(&self, facts: &Facts<'_>) -> Result<Holds, Miss> {
        if let Some(miss) = agreement::of_names(&facts.ask, self.exceptions) {
            return Err(miss);
        }
        match &facts.reached {
            None => Ok(Holds::SoFar),
            Some(reached) if self.exceptions.unverified_name || agreement::of_answer(reached) => {
                Ok(if matches!(facts.ask.spoken, Spoken::NotYet) { Holds::SoFar } else { Holds::Surely })
            }
            Some(_) => Err(Miss::UnverifiedName),
        }
    }

    /// For a rule that denies: whether what it denies is touched at all.
    fn touches(&self, facts: &Facts<'_>) -> Result<Holds, Miss> {
        let nets = match &self.destination {
            To::Any => return Ok(Holds::Surely),
            To::Hosts { within } if within.is_empty() => return Ok(Holds::Surely),
            To::Hosts { within: nets } | To::Addresses(nets) => nets,
        };
        let Some(address) = facts.address else { return Ok(Holds::SoFar) };
        let faces = [Some(address), address::embedded(address).map(IpAddr::V4)];
        let touched = faces.into_iter().flatten().any(|face| nets.iter().any(|net| net.contains(&face)));
        if touched { Ok(Holds::Surely) } else { Err(Miss::Outside) }
    }
}

/// Whether the address is one of these, and named by the one that it is in if it is not public.
fn within(nets: &[IpNet], facts: &Facts<'_>) -> Result<(), Miss> {
    let Some(address) = facts.address else { return Ok(()) };
    let mut miss = Miss::Outside;
    for net in nets.iter().filter(|net| net.contains(&address)) {
        match facts.block {
            Some(block) if !block.is_named_by(net) => miss = Miss::NotPublic(block.class),
            Some(_) | None => return Ok(()),
        }
    }
    Err(miss)
}

fn is_spoken(protocol: &EgressProtocol, spoken: &Spoken<'_>) -> Result<Holds, Miss> {
    match (protocol, spoken) {
        (EgressProtocol::Dns, _) | (_, Spoken::Dns) => Err(Miss::Protocol),
        (EgressProtocol::Tcp, Spoken::NotYet | Spoken::Tcp | Spoken::Tls(_) | Spoken::Http(_)) => Ok(Holds::Surely),
        (EgressProtocol::Tls | EgressProtocol::Http(_), Spoken::NotYet) => Ok(Holds::SoFar),
        (EgressProtocol::Tls, Spoken::Tls(_)) => Ok(Holds::Surely),
        (EgressProtocol::Tls, Spoken::Http(http)) if http.tls.is_some() => Ok(Holds::Surely),
        (EgressProtocol::Tls, Spoken::Http(_) | Spoken::Tcp) => Err(Miss::Protocol),
        (EgressProtocol::Http(HttpRule { methods, paths }), Spoken::Http(http)) => {
            if !methods.is_empty() && !methods.contains(http.method) {
                return Err(Miss::Method);
            }
            if !paths.is_empty() && !paths.iter().any(|path| path.matches(http.path)) {
                return Err(Miss::Path);
            }
            Ok(Holds::Surely)
        }
        (EgressProtocol::Http(_), Spoken::Tls(_) | Spoken::Tcp) => Err(Miss::Protocol),
    }
}
