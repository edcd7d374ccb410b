//! Kinds of route that this version does not serve: the truth about them is all that they get.

use super::attach::{self, Asks, Attached};
use super::parents::Parents;
use crate::names::CONTROLLER_NAME;
use crate::status::condition::{self, Problem, Writer};
use crate::status::{ObjectStatus, reason};
use crate::world::World;
use lychgate_api::gateway::{RouteParentStatus, RouteStatus};
use lychgate_api::{Kind, ObjectKey, ObjectRef};
use lychgate_ir::RouteKind;

/// The statuses of all of them.
pub(crate) fn statuses(world: &World<'_>, parents: &Parents) -> Vec<(ObjectRef, ObjectStatus)> {
    let objects = world.objects;
    let mut statuses = Vec::new();
    let mut say = |kind: Kind, key: &ObjectKey, generation: i64, asks: &Asks<'_>| {
        let status = status(world, parents, generation, asks);
        statuses.push((ObjectRef { kind, key: key.clone() }, ObjectStatus::Route(status)));
    };
    for (key, route) in objects.grpc_routes() {
        let spec = &route.spec;
        let asks = Asks::new(RouteKind::Grpc, key, &spec.parent_refs, spec.use_default_gateways, &spec.hostnames);
        say(Kind::GrpcRoute, key, route.metadata.generation, &asks);
    }
    for (key, route) in objects.tls_routes() {
        let spec = &route.spec;
        let asks = Asks::new(RouteKind::Tls, key, &spec.parent_refs, spec.use_default_gateways, &spec.hostnames);
        say(Kind::TlsRoute, key, route.metadata.generation, &asks);
    }
    for (key, route) in objects.tcp_routes() {
        let asks = Asks::new(RouteKind::Tcp, key, &route.spec.parent_refs, route.spec.use_default_gateways, &[]);
        say(Kind::TcpRoute, key, route.metadata.generation, &asks);
    }
    for (key, route) in objects.udp_routes() {
        let asks = Asks::new(RouteKind::Udp, key, &route.spec.parent_refs, route.spec.use_default_gateways, &[]);
        say(Kind::UdpRoute, key, route.metadata.generation, &asks);
    }
    statuses
}

fn status(world: &World<'_>, parents: &Parents, generation: i64, asks: &Asks<'_>) -> RouteStatus {
    let found = parents.find(world, asks);
    let parents = attach::attach(world, asks, &found).into_iter().map(|Attached { reference, result }| {
        let problem = match result {
            Err(problem) if problem.reason != reason::NOT_ALLOWED_BY_LISTENERS => problem,
            Err(_) | Ok(_) => Problem::new(
                reason::NOT_ALLOWED_BY_LISTENERS,
                format!("{}s are not served by this version of Lychgate; HTTPRoutes are", asks.kind),
            ),
        };
        RouteParentStatus {
            parent_ref: reference.clone(),
            controller_name: CONTROLLER_NAME.to_owned(),
            conditions: vec![Writer::new(generation).verdict(condition::ACCEPTED, Some(&problem), "", "")],
        }
    });
    RouteStatus { parents: parents.collect() }
}
