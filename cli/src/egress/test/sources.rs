//! The addresses that something leaves from, as its rule names them, and those of the replica that was asked.

use super::carried::handling;
use lychgate_egress::Decision;
use lychgate_egress::source_address::{here, is_loopback};
use lychgate_ir::egress::EgressHandling;
use serde_json::{Value, json};
use std::net::IpAddr;

/// Where something leaves from.
#[derive(Default)]
pub(super) struct Sources {
    /// Networks that the rule names. Empty leaves it to the host.
    networks: Vec<String>,
    /// Those of their addresses that the replica has and that lead there, if it has told.
    here: Option<Vec<IpAddr>>,
    /// Addresses that a host may have though no interface shows them.
    unseen: Vec<String>,
}

impl Sources {
    /// Those of what was decided about. To a proxy beyond, any family may lead.
    pub(super) fn of(decision: &Decision, to: Option<IpAddr>, own: Option<&[IpAddr]>) -> Self {
        let Some(handling) = handling(decision) else { return Self::default() };
        let EgressHandling { tls: _, credential: _, via, leave_from, limits: _ } = &**handling;
        let to = to.filter(|_| via.is_none());
        let leads_there = |own: &IpAddr| to.is_none_or(|to| own.is_ipv4() == to.is_ipv4());
        let unseen = leave_from.iter().filter(|network| {
            let is_alone = network.prefix_len() == network.max_prefix_len();
            (is_alone || is_loopback(network)) && leads_there(&network.addr())
        });
        Self {
            networks: leave_from.iter().map(ToString::to_string).collect(),
            here: own.map(|own| here(leave_from, own).filter(leads_there).collect()),
            unseen: unseen.map(ToString::to_string).collect(),
        }
    }

    /// Whether none of them is seen at the replica.
    fn are_missing(&self) -> bool {
        !self.networks.is_empty() && self.here.as_ref().is_some_and(Vec::is_empty)
    }

    /// Why nothing leaves there, if so.
    pub(super) fn cannot(&self) -> Option<String> {
        let is_sure = self.are_missing() && self.unseen.is_empty();
        is_sure.then(|| format!("the gateway that was asked has no address of {} for it", self.networks.join(", ")))
    }

    /// What has to be, so that something leaves there.
    pub(super) fn condition(&self) -> Option<String> {
        let is_unsure = self.are_missing() && !self.unseen.is_empty();
        let unseen = || self.unseen.join(", ");
        is_unsure.then(|| format!("the gateway that was asked has {}: no interface of its host shows it", unseen()))
    }

    /// For people.
    pub(super) fn text(&self) -> Option<String> {
        let networks = self.networks.join(", ");
        match &self.here {
            _ if self.networks.is_empty() => None,
            Some(here) if !here.is_empty() => {
                let here: Vec<String> = here.iter().map(ToString::to_string).collect();
                Some(format!("leaves from {}, of {networks}; from nothing else", here.join(", ")))
            }
            Some(_) | None => Some(format!("leaves from what the replica has of {networks}; from nothing else")),
        }
    }

    /// For programs: the networks, and the addresses of the replica or null.
    pub(super) fn json(&self) -> (Value, Value) {
        (json!(self.networks), json!(self.here))
    }
}
