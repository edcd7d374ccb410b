//! Groups: Gateways that one data plane serves.

use super::marks::REMOTE;
use super::names;
use lychgate_api::gateway::{
    AddressType, Gateway, GatewayAddressRoutability, GatewayInfrastructure, GatewaySpecAddress,
};
use lychgate_api::lychgate::GatewayParametersSpec;
use lychgate_api::meta::{ConditionStatus, StringMap};
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use lychgate_ir::{GatewayId, ObjectName, Snapshot, Transport};
use lychgate_translate::{Direction, ObjectStatus, Statuses, parameters};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Gateways that one data plane serves, and all that their pods and Services depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Namespace and name, as they are everywhere.
    pub key: ObjectKey,
    /// Its Gateways, the senior first. There is at least one.
    pub gateways: Vec<Arc<Gateway>>,
    /// The ports of all listeners, those of ListenerSets included.
    pub ports: BTreeSet<(Transport, u16)>,
    /// Addresses that are asked for: a Service each.
    pub addresses: BTreeSet<Wish>,
    /// Which way they lead: as the senior does.
    pub direction: Direction,
    /// How pods and Service shall be: the senior's.
    pub parameters: GatewayParametersSpec,
    /// Labels for everything, from all of them; the senior wins.
    pub labels: StringMap,
    /// Annotations for everything, likewise.
    pub annotations: StringMap,
}

/// An address that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Any that clients reach.
    Any,
    /// This one.
    Static(IpAddr),
    /// One that is reached inside the cluster alone: any, or this one.
    Cluster(Option<IpAddr>),
}

/// Every group there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// Those to make and to keep as they shall be.
    pub wanted: BTreeMap<ObjectKey, Group>,
    /// Those whose Gateways are all refused, or have no listener that could be served: what is there stays as it is.
    pub held: BTreeSet<ObjectKey>,
    /// Those whose data planes are in other clusters, with the names of these, and the Gateways that they serve.
    pub remote: BTreeMap<ObjectKey, Remote>,
}

/// A group that is served from another cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remote {
    /// The cluster.
    pub cluster: String,
    /// The Gateways.
    pub gateways: Vec<Arc<Gateway>>,
}

/// Ports of listeners.
type Ports = BTreeSet<(Transport, u16)>;
/// A Gateway of a group, and the ports of its listeners.
type Member<'a> = (&'a Arc<Gateway>, Ports);

/// Finds the groups of the Gateways that are ours, which are those that have a status.
#[must_use]
pub fn groups(objects: &Objects, snapshot: &Snapshot, statuses: &Statuses) -> Groups {
    let mut ports: BTreeMap<&GatewayId, Ports> = BTreeMap::new();
    for (id, listener) in &snapshot.listeners {
        ports.entry(&id.gateway).or_default().insert((listener.protocol.transport(), listener.port));
    }
    let mut members: BTreeMap<ObjectKey, Vec<Member<'_>>> = BTreeMap::new();
    let mut held = BTreeSet::new();
    let mut remote: BTreeMap<ObjectKey, Remote> = BTreeMap::new();
    for (key, gateway) in objects.gateways() {
        let Some(status) = statuses.get(&ObjectRef { kind: Kind::Gateway, key: key.clone() }) else { continue };
        let group = names::group(gateway);
        if let Some(cluster) = gateway.metadata.annotations.get(REMOTE) {
            let remote = remote.entry(group).or_default();
            remote.cluster.clone_from(cluster);
            remote.gateways.push(gateway.clone());
            continue;
        }
        let ports = ports.remove(&GatewayId(ObjectName::new(key.namespace.as_str(), key.name.as_str())));
        match ports.filter(|_| is_accepted(status)) {
            Some(ports) => members.entry(group).or_default().push((gateway, ports)),
            None => {
                held.insert(group);
            }
        }
    }
    let wanted: BTreeMap<ObjectKey, Group> =
        members.into_iter().map(|(key, members)| (key.clone(), one(objects, key, members))).collect();
    held.retain(|key| !wanted.contains_key(key));
    // Where Gateways share and do not agree, what is here stays here.
    remote.retain(|key, _| !wanted.contains_key(key) && !held.contains(key));
    Groups { wanted, held, remote }
}

fn is_accepted(status: &ObjectStatus) -> bool {
    let ObjectStatus::Gateway(status) = status else { return false };
    status.conditions.iter().any(|it| it.r#type == "Accepted" && it.status == ConditionStatus::True)
}

fn one(objects: &Objects, key: ObjectKey, mut members: Vec<Member<'_>>) -> Group {
    members.sort_by_key(|(gateway, _)| {
        let created = gateway.metadata.creation_timestamp.map(|time| time.unix_seconds());
        (created.is_none(), created, gateway.metadata.name.clone())
    });
    let (mut labels, mut annotations) = (StringMap::new(), StringMap::new());
    for (gateway, _) in members.iter().rev() {
        let Some(GatewayInfrastructure { labels: l, annotations: a, parameters_ref: _ }) = &gateway.spec.infrastructure
        else {
            continue;
        };
        labels.extend(l.clone());
        annotations.extend(a.clone());
    }
    Group {
        key,
        ports: members.iter().flat_map(|(_, ports)| ports.iter().copied()).collect(),
        addresses: members.iter().flat_map(|(gateway, _)| addresses(gateway)).collect(),
        direction: members.first().and_then(|(senior, _)| Direction::of(objects, senior)).unwrap_or(Direction::Ingress),
        parameters: members.first().map(|(senior, _)| parameters(objects, senior)).unwrap_or_default(),
        gateways: members.into_iter().map(|(gateway, _)| gateway.clone()).collect(),
        labels,
        annotations,
    }
}

/// What a Gateway asks for. What is no address is told in its status, and nothing is made for it.
pub(super) fn addresses(gateway: &Gateway) -> BTreeSet<Wish> {
    if gateway.spec.addresses.is_empty() {
        return BTreeSet::from([Wish::Any]);
    }
    let wish = |address: &GatewaySpecAddress| {
        let GatewaySpecAddress { r#type, value, routability } = address;
        if *r#type != AddressType::IpAddress {
            return None;
        }
        let ip: Option<IpAddr> = match value.as_deref().unwrap_or_default() {
            "" => None,
            text => Some(text.parse().ok()?),
        };
        match routability {
            GatewayAddressRoutability::Default => Some(ip.map_or(Wish::Any, Wish::Static)),
            GatewayAddressRoutability::Cluster => Some(Wish::Cluster(ip)),
            GatewayAddressRoutability::Other(_) => None,
        }
    };
    gateway.spec.addresses.iter().filter_map(wish).collect()
}
