//! GatewayClasses: which of them, and so which Gateways, are ours.

mod features;

use crate::Options;
use crate::gateway::parameters;
use crate::names::{CONTROLLER_NAME, EGRESS_CONTROLLER_NAME, EGRESS_GATEWAY_CLASS, GATEWAY_CLASS};
use crate::status::condition::{self, Problem, Writer};
use crate::status::{ObjectStatus, reason};
use lychgate_api::gateway::{Gateway, GatewayClass, GatewayClassStatus};
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use lychgate_ir::GatewayId;

/// Which way a Gateway leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the cluster.
    Ingress,
    /// Out of it: what passes is decided by policies.
    Egress,
}

impl Direction {
    /// Of Gateways whose class has this controller; None if that is another's. What a class is called means nothing.
    #[must_use]
    pub fn of_controller(name: &str) -> Option<Self> {
        match name {
            CONTROLLER_NAME => Some(Self::Ingress),
            EGRESS_CONTROLLER_NAME => Some(Self::Egress),
            _ => None,
        }
    }

    /// The controller of its classes, who speaks in statuses of what is attached to their Gateways.
    #[must_use]
    pub fn controller(self) -> &'static str {
        match self {
            Self::Ingress => CONTROLLER_NAME,
            Self::Egress => EGRESS_CONTROLLER_NAME,
        }
    }

    /// Of a Gateway whose class is ours. Without an object, the class is one of those that are built in.
    #[must_use]
    pub fn of(objects: &Objects, gateway: &Gateway) -> Option<Self> {
        let name = gateway.spec.gateway_class_name.as_str();
        match objects.get_gateway_class(&ObjectKey::new("", name)) {
            Some(class) => Self::of_controller(&class.spec.controller_name),
            None => built_in(name),
        }
    }
}

/// Who speaks to what is attached to a Gateway that is ours.
pub(crate) fn controller_of(objects: &Objects, gateway: &GatewayId) -> &'static str {
    let gateway = objects.get_gateway(&ObjectKey::new(&*gateway.0.namespace, &*gateway.0.name));
    let direction = gateway.and_then(|gateway| Direction::of(objects, gateway));
    direction.unwrap_or(Direction::Ingress).controller()
}

/// The classes that need no object where there is no cluster.
fn built_in(name: &str) -> Option<Direction> {
    match name {
        GATEWAY_CLASS => Some(Direction::Ingress),
        EGRESS_GATEWAY_CLASS => Some(Direction::Egress),
        _ => None,
    }
}

/// What a Gateway's class says about the Gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is ours.
    Ours(Direction),
    /// It would be ours, but its class is broken.
    Broken(Direction, Problem),
    /// It is another controller's.
    Foreign,
    /// There is no such class.
    Unknown,
}

/// Looks a class up by name. Without a cluster, our two classes need no object.
pub(crate) fn claim(objects: &Objects, options: &Options, name: &str) -> Claim {
    match objects.get_gateway_class(&ObjectKey::new("", name)) {
        Some(class) => match (Direction::of_controller(&class.spec.controller_name), problem(objects, class)) {
            (None, _) => Claim::Foreign,
            (Some(direction), None) => Claim::Ours(direction),
            (Some(direction), Some(problem)) => Claim::Broken(direction, problem),
        },
        None => built_in(name).filter(|_| options.standalone).map_or(Claim::Unknown, Claim::Ours),
    }
}

fn problem(objects: &Objects, class: &GatewayClass) -> Option<Problem> {
    parameters::of_class(objects, class).err()
}

/// The statuses of the classes that are ours.
pub(crate) fn statuses(objects: &Objects) -> impl Iterator<Item = (ObjectRef, ObjectStatus)> {
    let ours = |class: &GatewayClass| Direction::of_controller(&class.spec.controller_name).is_some();
    let ours = objects.gateway_classes().filter(move |(_, class)| ours(class));
    ours.map(|(key, class)| {
        let writer = Writer::new(class.metadata.generation);
        let accepted = writer.verdict(
            condition::ACCEPTED,
            problem(objects, class).as_ref(),
            reason::ACCEPTED,
            "Gateways of this class are served by Lychgate",
        );
        let status =
            GatewayClassStatus { conditions: vec![accepted], supported_features: features::supported().collect() };
        (ObjectRef { kind: Kind::GatewayClass, key: key.clone() }, ObjectStatus::GatewayClass(status))
    })
}
