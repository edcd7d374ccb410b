//! What the data plane adds to statuses: what it does not have yet, sockets that it could not open, rules that it could
//! not compile.
//!
//! Gateway API v1.7.0, `ListenerReasonPortUnavailable`: a listener whose port is in use is not Accepted. It stays
//! Accepted where some of its sockets are open, and is not Programmed in either case.

mod addresses;
mod pending;

pub use addresses::{Assigned, MissingAddress};

use super::condition::{self, Problem, Writer, sentences};
use super::{ObjectStatus, Statuses, reason};
use lychgate_api::gateway::{GatewayStatus, ListenerSetStatus, ListenerStatus, RouteStatus};
use lychgate_api::meta::{Condition, ConditionStatus};
use lychgate_api::{Kind, ObjectKey, ObjectRef};
use lychgate_ir::{
    CertificateId, GatewayId, ListenerId, ListenerOwner, ObjectName, RouteId, RouteKind, RuleId, Snapshot,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What became of a snapshot where it is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    /// Listeners that do not have all of their sockets.
    pub sockets: BTreeMap<ListenerId, SocketTrouble>,
    /// Rules that could not be compiled, wholly or in part, and why.
    pub rejected: Vec<(RuleId, String)>,
    /// Certificates that are served in an older version, because the newest cannot be used, and why not.
    pub stale: BTreeMap<CertificateId, String>,
    /// Listeners that no data plane has acknowledged yet as they are, and what is waited for.
    pub pending: BTreeMap<ListenerId, String>,
    /// Where Gateways can be reached, if that is for others to say: in a cluster, Services have the addresses.
    pub addresses: BTreeMap<GatewayId, Assigned>,
}

/// Why a listener does not have all of its sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketTrouble {
    /// Whether some of them are open nevertheless.
    pub partly_open: bool,
    /// Which are not, why, and what to do.
    pub message: String,
}

impl Statuses {
    /// The statuses of a translation, with what became of its snapshot.
    #[must_use]
    pub fn overlaid(&self, snapshot: &Snapshot, overlay: &Overlay) -> Self {
        let Overlay { sockets, rejected, stale, pending, addresses } = overlay;
        let plain = sockets.is_empty() && rejected.is_empty() && stale.is_empty();
        if plain && pending.is_empty() && addresses.is_empty() {
            return self.clone();
        }
        let mut instead = self.instead.clone();
        let mut edit = |object: ObjectRef, edit: &dyn Fn(&mut ObjectStatus)| {
            if let Some(status) = instead.get(&object).or_else(|| self.all.get(&object)) {
                let mut status = ObjectStatus::clone(status);
                edit(&mut status);
                instead.insert(Arc::new(object), Arc::new(status));
            }
        };
        for (id, listener) in &snapshot.listeners {
            let certificates = listener.tls.iter().flat_map(|tls| &tls.certificates);
            if let Some(why) = certificates.filter_map(|certificate| stale.get(certificate)).next() {
                edit(owner(id), &|status| unresolved(status, &id.section, why));
            }
        }
        // Before the sockets: one that cannot be opened is worth more words than one that is waited for.
        for (object, pending) in pending::by_object(snapshot, pending) {
            edit(object, &|status| pending::say(status, &pending));
        }
        let owners: BTreeSet<ObjectRef> = sockets.keys().map(owner).collect();
        for object in owners {
            edit(object.clone(), &|status| listeners(status, &object, sockets));
        }
        let gateways: BTreeSet<&GatewayId> = sockets.keys().map(|id| &id.gateway).collect();
        for id in gateways {
            let mut served = snapshot.listeners.keys().filter(|listener| listener.gateway == *id);
            if served.all(|listener| is_shut(sockets, listener)) {
                edit(reference(Kind::Gateway, &id.0), &|status| {
                    if let ObjectStatus::Gateway(status) = status {
                        not_programmed(&mut status.conditions);
                    }
                });
            }
        }
        for (gateway, assigned) in addresses {
            edit(reference(Kind::Gateway, &gateway.0), &|status| {
                if let ObjectStatus::Gateway(status) = status {
                    addresses::assign(status, assigned);
                }
            });
        }
        let mut by_route: BTreeMap<&RouteId, Vec<&(RuleId, String)>> = BTreeMap::new();
        for rejection in rejected {
            by_route.entry(&rejection.0.route).or_default().push(rejection);
        }
        for (route, rejections) in by_route {
            let rules = snapshot.routes.get(route).map_or(0, |route| route.rules.len());
            edit(reference(kind_of(route.kind), &route.name), &|status| {
                if let ObjectStatus::Route(status) = status {
                    rejections_of(status, rules, &rejections);
                }
            });
        }
        Self { all: self.all.clone(), instead }
    }
}

fn is_shut(sockets: &BTreeMap<ListenerId, SocketTrouble>, id: &ListenerId) -> bool {
    sockets.get(id).is_some_and(|trouble| !trouble.partly_open)
}

fn reference(kind: Kind, name: &ObjectName) -> ObjectRef {
    ObjectRef { kind, key: ObjectKey::new(&*name.namespace, &*name.name) }
}

/// The object that the listener is written in.
fn owner(listener: &ListenerId) -> ObjectRef {
    match &listener.owner {
        ListenerOwner::Gateway => reference(Kind::Gateway, &listener.gateway.0),
        ListenerOwner::ListenerSet(set) => reference(Kind::ListenerSet, set),
    }
}

fn kind_of(kind: RouteKind) -> Kind {
    match kind {
        RouteKind::Http => Kind::HttpRoute,
        RouteKind::Grpc => Kind::GrpcRoute,
        RouteKind::Tls => Kind::TlsRoute,
        RouteKind::Tcp => Kind::TcpRoute,
        RouteKind::Udp => Kind::UdpRoute,
    }
}

/// Says it of each listener, and of the object that they are written in.
fn listeners(status: &mut ObjectStatus, object: &ObjectRef, sockets: &BTreeMap<ListenerId, SocketTrouble>) {
    let Some((conditions, listeners)) = parts(status) else { return };
    let mut shut = Vec::new();
    for (id, trouble) in sockets.iter().filter(|(id, _)| owner(id) == *object) {
        if let Some(listener) = listeners.iter_mut().find(|listener| listener.name == *id.section) {
            listener_status(listener, trouble);
            if !trouble.partly_open {
                shut.push(format!("listener {}: {}", id.section, trouble.message));
            }
        }
    }
    if shut.is_empty() {
        return;
    }
    let none_accepted = listeners.iter().all(|listener| !holds(&listener.conditions, condition::ACCEPTED));
    let none_programmed = listeners.iter().all(|listener| !holds(&listener.conditions, condition::PROGRAMMED));
    let problem = Problem::new(reason::LISTENERS_NOT_VALID, sentences(&shut));
    if let Some(accepted) = find(conditions, condition::ACCEPTED).filter(|it| it.status == ConditionStatus::True) {
        set(accepted, !none_accepted, &problem);
    }
    if object.kind == Kind::ListenerSet && none_programmed {
        not_programmed(conditions);
    }
}

/// Says that a reference to a certificate is not resolved, though the listener is served.
fn unresolved(status: &mut ObjectStatus, section: &str, why: &str) {
    let Some((conditions, listeners)) = parts(status) else { return };
    let message = format!("{why}; what it held before is served");
    let own = listeners.iter_mut().find(|listener| listener.name == section);
    let own = own.and_then(|listener| find(&mut listener.conditions, condition::RESOLVED_REFS));
    if let Some(resolved) = own.filter(|resolved| resolved.status == ConditionStatus::True) {
        set(resolved, false, &Problem::new(reason::INVALID_CERTIFICATE_REF, message.clone()));
    }
    let whole = find(conditions, condition::RESOLVED_REFS);
    if let Some(resolved) = whole.filter(|resolved| resolved.status == ConditionStatus::True) {
        let message = format!("listener {section}: {message}");
        set(resolved, false, &Problem::new(reason::LISTENERS_NOT_RESOLVED, message));
    }
}

/// Conditions and listeners of what has listeners.
fn parts(status: &mut ObjectStatus) -> Option<(&mut Vec<Condition>, &mut Vec<ListenerStatus>)> {
    match status {
        ObjectStatus::Gateway(GatewayStatus { conditions, listeners, .. }) => Some((conditions, listeners)),
        ObjectStatus::ListenerSet(ListenerSetStatus { conditions, listeners }) => Some((conditions, listeners)),
        ObjectStatus::GatewayClass(_)
        | ObjectStatus::Route(_)
        | ObjectStatus::Policy(_)
        | ObjectStatus::XBackend(_) => None,
    }
}

fn listener_status(listener: &mut ListenerStatus, trouble: &SocketTrouble) {
    let problem = Problem::new(reason::PORT_UNAVAILABLE, trouble.message.clone());
    if !trouble.partly_open
        && let Some(accepted) = find(&mut listener.conditions, condition::ACCEPTED)
    {
        set(accepted, false, &problem);
    }
    if let Some(programmed) = find(&mut listener.conditions, condition::PROGRAMMED) {
        set(programmed, false, &problem);
    }
}

fn not_programmed(conditions: &mut [Condition]) {
    let problem = Problem::new(
        reason::PORT_UNAVAILABLE,
        "no listener can be served, because their ports cannot be used; see the conditions of each",
    );
    if let Some(programmed) = find(conditions, condition::PROGRAMMED) {
        set(programmed, false, &problem);
    }
}

/// Says of every parent which rules are not served as written.
fn rejections_of(status: &mut RouteStatus, rules: usize, rejections: &[&(RuleId, String)]) {
    let indices: BTreeSet<u32> = rejections.iter().map(|(rule, _)| rule.index).collect();
    // A rule is compiled for each of its listeners; it is told once.
    let messages: BTreeSet<String> =
        rejections.iter().map(|(rule, why)| format!("spec.rules[{}]: {why}", rule.index)).collect();
    let why = sentences(&messages.into_iter().collect::<Vec<_>>());
    let all = indices.len() >= rules;
    for parent in &mut status.parents {
        let Some(accepted) = find(&mut parent.conditions, condition::ACCEPTED) else { continue };
        if accepted.status != ConditionStatus::True {
            continue;
        }
        if all {
            set(accepted, false, &Problem::new(reason::UNSUPPORTED_VALUE, why.clone()));
            continue;
        }
        let generation = accepted.observed_generation.unwrap_or(0);
        match find(&mut parent.conditions, condition::PARTIALLY_INVALID) {
            Some(known) if known.status == ConditionStatus::True => {
                let message = format!("{} | {why}", known.message);
                set(known, true, &Problem::new(reason::UNSUPPORTED_VALUE, message));
            }
            Some(known) => set(known, true, &Problem::new(reason::UNSUPPORTED_VALUE, dropped(&why))),
            None => parent.conditions.push(Writer::new(generation).write(
                condition::PARTIALLY_INVALID,
                true,
                reason::UNSUPPORTED_VALUE,
                dropped(&why),
            )),
        }
    }
}

/// The API asks for this beginning.
fn dropped(why: &str) -> String {
    format!("Dropped Rule: what cannot be compiled matches nothing: {why}")
}

fn find<'a>(conditions: &'a mut [Condition], kind: &str) -> Option<&'a mut Condition> {
    conditions.iter_mut().find(|condition| condition.r#type == kind)
}

fn holds(conditions: &[Condition], kind: &str) -> bool {
    conditions.iter().any(|condition| condition.r#type == kind && condition.status == ConditionStatus::True)
}

fn set(condition: &mut Condition, holds: bool, problem: &Problem) {
    let generation = condition.observed_generation.unwrap_or(0);
    let kind = condition.r#type.clone();
    *condition = Writer::new(generation).write(&kind, holds, problem.reason, problem.message.as_str());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Options, Translation, translate};
    use lychgate_admission::read_text;

    const OBJECTS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: d}
spec:
  gatewayClassName: lychgate
  listeners:
    - {name: a, protocol: HTTP, port: 8081}
    - {name: b, protocol: HTTP, port: 8082}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: d, generation: 3}
spec:
  parentRefs: [{name: gw}]
  rules:
    - matches: [{path: {value: /one}}]
    - matches: [{path: {value: /two}}]
";

    pub(super) fn translated() -> Translation {
        let objects = read_text("test.yaml", OBJECTS).objects.into_iter().map(|admitted| admitted.object).collect();
        translate(&objects, &Options { standalone: true, ..Options::default() }, None)
    }

    /// `place type=status (reason)` of everything that is a problem.
    pub(super) fn problems(overlay: impl FnOnce(&Snapshot) -> Overlay) -> Vec<String> {
        let translation = translated();
        assert_eq!(translation.statuses.problems().count(), 0);
        let overlay = overlay(&translation.snapshot);
        let statuses = translation.statuses.overlaid(&translation.snapshot, &overlay);
        let text = statuses.problems().map(|finding| {
            let (place, condition) = (finding.place.to_string(), finding.condition);
            assert!(!condition.message.is_empty());
            format!("{place} {}={:?} ({})", condition.r#type, condition.status, condition.reason)
        });
        text.collect()
    }

    fn shut(snapshot: &Snapshot, sections: &[&str], partly_open: bool) -> Overlay {
        let ids = snapshot.listeners.keys().filter(|id| sections.contains(&&*id.section));
        let trouble = SocketTrouble { partly_open, message: "in use".to_owned() };
        Overlay { sockets: ids.map(|id| (id.clone(), trouble.clone())).collect(), ..Overlay::default() }
    }

    fn rejected(snapshot: &Snapshot, rules: &[usize]) -> Overlay {
        let route = snapshot.routes.values().next().unwrap();
        let rejection = |index: &usize| (route.rules.get(*index).unwrap().id.clone(), "bad".to_owned());
        Overlay { rejected: rules.iter().map(rejection).collect(), ..Overlay::default() }
    }

    #[test]
    fn a_port_in_use_is_said_of_its_listener_alone() {
        let said = problems(|snapshot| shut(snapshot, &["a"], false));
        assert_eq!(
            said,
            ["listener a Accepted=False (PortUnavailable)", "listener a Programmed=False (PortUnavailable)"]
        );
    }

    #[test]
    fn a_gateway_without_any_port_is_not_programmed() {
        let said = problems(|snapshot| shut(snapshot, &["a", "b"], false));
        assert_eq!(said[..2], [" Accepted=False (ListenersNotValid)", " Programmed=False (PortUnavailable)"]);
        assert_eq!(said.len(), 6);
    }

    #[test]
    fn a_listener_with_some_of_its_sockets_is_accepted() {
        let said = problems(|snapshot| shut(snapshot, &["a", "b"], true));
        assert_eq!(
            said,
            ["listener a Programmed=False (PortUnavailable)", "listener b Programmed=False (PortUnavailable)"]
        );
    }

    #[test]
    fn a_gateway_without_its_address_is_not_programmed() {
        let address = lychgate_api::gateway::GatewayStatusAddress {
            r#type: lychgate_api::gateway::AddressType::IpAddress,
            value: "192.0.2.1".to_owned(),
            routability: None,
        };
        let assigned = |missing| {
            let translation = translated();
            let id = translation.snapshot.listeners.keys().next().unwrap().gateway.clone();
            let assigned = Assigned { addresses: vec![address.clone()], missing };
            let overlay = Overlay { addresses: [(id, assigned)].into(), ..Overlay::default() };
            translation.statuses.overlaid(&translation.snapshot, &overlay)
        };
        let statuses = assigned(None);
        assert_eq!(statuses.problems().count(), 0);
        assert!(statuses.iter().any(|(_, status)| match &**status {
            ObjectStatus::Gateway(status) => status.addresses == [address.clone()],
            _ => false,
        }));
        let statuses = assigned(Some(MissingAddress::NotUsable("taken".to_owned())));
        let said: Vec<_> =
            statuses.problems().map(|it| (it.condition.r#type.as_str(), it.condition.reason.as_str())).collect();
        assert_eq!(said, [("Programmed", "AddressNotUsable")]);
    }

    #[test]
    fn what_is_said_otherwise_is_told() {
        let translation = translated();
        let plain = &translation.statuses;
        let overlay = rejected(&translation.snapshot, &[0]);
        let overlaid = plain.overlaid(&translation.snapshot, &overlay);
        let names = |changed: BTreeSet<ObjectRef>| changed.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(overlaid.changed_since(plain)), ["HTTPRoute/d/r"]);
        assert_eq!(names(plain.changed_since(&overlaid)), ["HTTPRoute/d/r"]);
        assert!(overlaid.changed_since(&plain.overlaid(&translation.snapshot, &overlay)).is_empty());
        assert!(translated().statuses.changed_since(plain).is_empty(), "another value that says the same");
        let all: BTreeSet<ObjectRef> = plain.iter().map(|(object, _)| object.clone()).collect();
        assert_eq!(plain.changed_since(&Statuses::default()), all);
        assert_eq!(Statuses::default().changed_since(&overlaid), all);
        // Said so, or laid over what was said: it is the same.
        let flat: Statuses =
            overlaid.iter().map(|(object, status)| (object.clone(), ObjectStatus::clone(status))).collect();
        assert!(flat == overlaid && flat != *plain && flat.changed_since(&overlaid).is_empty());
        assert_eq!(flat.get(all.last().unwrap()), overlaid.get(all.last().unwrap()));
    }

    #[test]
    fn rules_that_were_not_compiled_are_said_of_their_route() {
        let said = problems(|snapshot| rejected(snapshot, &[1, 1]));
        assert_eq!(said, ["parent Gateway/gw PartiallyInvalid=True (UnsupportedValue)"]);
        let said = problems(|snapshot| rejected(snapshot, &[0, 1]));
        assert_eq!(said, ["parent Gateway/gw Accepted=False (UnsupportedValue)"]);
    }
}
