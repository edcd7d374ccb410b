//! GatewayClasses: which of them, and so which Gateways, are ours.

mod features;

use crate::Options;
use crate::gateway::parameters;
use crate::names::{CONTROLLER_NAME, EGRESS_GATEWAY_CLASS, GATEWAY_CLASS};
use crate::status::condition::{self, Problem, Writer};
use crate::status::{ObjectStatus, reason};
use lychgate_api::gateway::{GatewayClass, GatewayClassStatus};
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};

/// What a Gateway's class says about the Gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is ours.
    Ours,
    /// It would be ours, but its class is broken.
    Broken(Problem),
    /// It is another controller's.
    Foreign,
    /// There is no such class.
    Unknown,
}

/// Looks a class up by name. Without a cluster, our two classes need no object.
pub(crate) fn claim(objects: &Objects, options: &Options, name: &str) -> Claim {
    match objects.get_gateway_class(&ObjectKey::new("", name)) {
        Some(class) if class.spec.controller_name != CONTROLLER_NAME => Claim::Foreign,
        Some(class) => problem(objects, class).map_or(Claim::Ours, Claim::Broken),
        None if options.standalone && [GATEWAY_CLASS, EGRESS_GATEWAY_CLASS].contains(&name) => Claim::Ours,
        None => Claim::Unknown,
    }
}

fn problem(objects: &Objects, class: &GatewayClass) -> Option<Problem> {
    parameters::of_class(objects, class).err()
}

/// The statuses of the classes that are ours.
pub(crate) fn statuses(objects: &Objects) -> impl Iterator<Item = (ObjectRef, ObjectStatus)> {
    let ours = objects.gateway_classes().filter(|(_, class)| class.spec.controller_name == CONTROLLER_NAME);
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
