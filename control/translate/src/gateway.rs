//! Gateways: what one of them asks for, listeners aside.

mod addresses;
mod backend_tls;
mod deployment;
pub(crate) mod frontend;
pub(crate) mod parameters;
mod settings;
pub(crate) mod status;

use crate::egress;
use crate::gateway_class::{self, Claim, Direction};
use crate::listener::conflict::Conflicts;
use crate::listener::merge::SetPlan;
use crate::listener::{ListenerPlan, merge};
use crate::names::{name_of, seniority};
use crate::policy::backend_tls::TlsPolicies;
use crate::status::condition::Problem;
use crate::status::reason;
use crate::world::World;
use addresses::Addresses;
use deployment::{Deployment, Seniors};
use frontend::Frontend;
use lychgate_api::ObjectKey;
use lychgate_api::gateway::Gateway;
use lychgate_ir::{CertificateId, GatewayId};
use settings::Settings;
use std::net::IpAddr;

/// What a Gateway asks for, and what of it cannot be done.
pub(crate) struct GatewayPlan<'a> {
    pub(crate) id: GatewayId,
    pub(crate) key: &'a ObjectKey,
    pub(crate) object: &'a Gateway,
    /// Why nothing of it is served, if so.
    pub(crate) refused: Option<Problem>,
    pub(crate) addresses: Addresses,
    /// Addresses that its listeners are bound to; empty for every one. In a cluster they are bound in pods, to which the
    /// Gateway's addresses lead.
    pub(crate) binds: Vec<IpAddr>,
    pub(crate) settings: Settings,
    pub(crate) deployment: Deployment,
    /// The certificate for backends (GEP-3155).
    pub(crate) identity: Option<Result<CertificateId, Problem>>,
    pub(crate) frontend: Frontend,
    /// What it has for what leaves; None where things come in.
    pub(crate) egress: Option<egress::Settings>,
    /// Its own listeners.
    pub(crate) listeners: Vec<ListenerPlan<'a>>,
    /// The ListenerSets that name it as their parent, the senior first.
    pub(crate) sets: Vec<SetPlan<'a>>,
}

/// What has sockets of its own: listeners of one place share its ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host<'a> {
    /// The host of a gateway without a cluster.
    Only,
    /// The pods of one Gateway.
    Of(&'a ObjectKey),
    /// The pods that Gateways of a namespace share.
    Shared(&'a str, String),
}

/// A Gateway that nobody claims, and what is said to it.
pub(crate) type Unclaimed<'a> = (&'a ObjectKey, &'a Gateway, Problem);

/// All Gateways that are ours, the senior first; and what is said to those that nobody claims.
pub(crate) fn plan<'a>(world: &World<'a>, policies: &TlsPolicies<'a>) -> (Vec<GatewayPlan<'a>>, Vec<Unclaimed<'a>>) {
    let mut plans = Vec::new();
    let mut unclaimed = Vec::new();
    for (key, object) in world.objects.gateways() {
        let class = &object.spec.gateway_class_name;
        match gateway_class::claim(world.objects, world.options, class) {
            Claim::Ours(direction) => plans.push(one(world, policies, key, object, direction, None)),
            Claim::Broken(direction, Problem { reason: _, message }) => {
                let message = format!("GatewayClass {class} is not accepted: {message}");
                let broken = Some(Problem::new(reason::INVALID_PARAMETERS, message));
                plans.push(one(world, policies, key, object, direction, broken));
            }
            // Another controller may own a class that we do not see, unless there is no cluster at all.
            Claim::Unknown if world.options.standalone => {
                let message = format!("GatewayClass {class} does not exist; use lychgate or lychgate-egress");
                unclaimed.push((key, &**object, Problem::new(reason::INVALID, message)));
            }
            Claim::Unknown | Claim::Foreign => {}
        }
    }
    plans.sort_by(|a, b| seniority(&a.object.metadata).cmp(&seniority(&b.object.metadata)));
    merge::adopt(world, policies, &mut plans);
    settle(world, &mut plans);
    (plans, unclaimed)
}

/// Settles what Gateways are to one another: whose pods they have, and whose listeners are in whose way.
///
/// Each depends on the other. Whose deployment is judged depends on which of those that share are served, and so on
/// conflicts; who takes part in conflicts depends on who is refused, and so on the judgement. But a Gateway depends on those
/// before it alone: both are done for one before the next begins.
fn settle(world: &World<'_>, plans: &mut [GatewayPlan<'_>]) {
    let mut seniors = Seniors::default();
    let mut conflicts = Conflicts::new(world.options.standalone);
    for plan in plans {
        let heir = seniors.judge(world, plan);
        conflicts.mark(plan);
        if let Some(heir) = heir.filter(|_| plan.has_pods()) {
            seniors.settle(heir);
        }
    }
}

fn one<'a>(
    world: &World<'a>,
    policies: &TlsPolicies<'a>,
    key: &'a ObjectKey,
    object: &'a Gateway,
    direction: Direction,
    broken: Option<Problem>,
) -> GatewayPlan<'a> {
    let addresses = addresses::read(object, world.options.standalone);
    let (settings, settings_problem) = match settings::read(object) {
        Ok(settings) => (settings, None),
        Err(problem) => (Settings::default(), Some(problem)),
    };
    let (egress, parameters_problem) = match direction {
        Direction::Ingress => (None, None),
        Direction::Egress => match egress::settings::read(world, object) {
            Ok(egress) => (Some(egress), None),
            Err(problem) => (Some(egress::Settings::default()), Some(problem)),
        },
    };
    let mut plan = GatewayPlan {
        id: GatewayId(name_of(key)),
        key,
        object,
        refused: broken
            .or_else(|| parameters::of_gateway(world.objects, object).err())
            .or(settings_problem)
            .or(parameters_problem)
            .or_else(|| addresses.unsupported.clone()),
        binds: if world.options.standalone { addresses.bind.clone() } else { Vec::new() },
        addresses,
        settings,
        deployment: Deployment::default(),
        identity: backend_tls::read(world, key, object),
        frontend: frontend::read(world, key, object),
        egress,
        listeners: Vec::new(),
        sets: Vec::new(),
    };
    plan.listeners = merge::own(world, policies, &plan);
    plan
}

impl<'a> GatewayPlan<'a> {
    /// Where its sockets are.
    pub(crate) fn host(&self, standalone: bool) -> Host<'a> {
        match &self.settings.share {
            _ if standalone => Host::Only,
            Some(share) => Host::Shared(&self.key.namespace, share.clone()),
            None => Host::Of(self.key),
        }
    }

    /// Whether it is accepted and has a listener in the snapshot: a data plane is made for it. Its conflicts are marked.
    fn has_pods(&self) -> bool {
        let is_accepted = self.refused.is_none() && self.all_listeners().any(ListenerPlan::is_valid);
        is_accepted && self.all_listeners().any(|listener| listener.is_emitted(self))
    }

    /// The merged list of listeners, in order of precedence (GEP-1713).
    pub(crate) fn all_listeners(&self) -> impl Iterator<Item = &ListenerPlan<'a>> {
        self.listeners.iter().chain(self.sets.iter().flat_map(|set| &set.listeners))
    }

    /// The same, to be changed.
    pub(crate) fn all_listeners_mut(&mut self) -> impl Iterator<Item = &mut ListenerPlan<'a>> {
        self.listeners.iter_mut().chain(self.sets.iter_mut().flat_map(|set| &mut set.listeners))
    }
}
