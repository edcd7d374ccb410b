//! Where Gateways can be reached, as their Services say.

use super::group::{self, Groups, Wish};
use super::live::{Live, LiveKey, LiveKind};
use super::names;
use lychgate_api::ObjectKey;
use lychgate_api::gateway::{AddressType, GatewayAddressRoutability, GatewayStatusAddress};
use lychgate_ir::{GatewayId, ObjectName};
use lychgate_translate::{Assigned, MissingAddress};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The CRD takes no more.
const MOST: usize = 16;

/// The addresses of every Gateway that has a data plane, and what is missing.
#[must_use]
pub fn addresses(groups: &Groups, live: &BTreeMap<LiveKey, Live>) -> BTreeMap<GatewayId, Assigned> {
    let mut found = BTreeMap::new();
    for group in groups.wanted.values() {
        for gateway in &group.gateways {
            let id = GatewayId(ObjectName::new(gateway.metadata.namespace.as_str(), gateway.metadata.name.as_str()));
            found.insert(id, one(&group.key, &group::addresses(gateway), live));
        }
    }
    // Who serves it elsewhere has its address there; what is asked for is what it is said to have.
    for gateway in groups.remote.values().flat_map(|remote| &remote.gateways) {
        let id = GatewayId(ObjectName::new(gateway.metadata.namespace.as_str(), gateway.metadata.name.as_str()));
        let said = group::addresses(gateway).into_iter().filter_map(|wish| match wish {
            Wish::Static(ip) => Some(into_status((Scope::Default, Address::Ip(ip)))),
            Wish::Any | Wish::Cluster(_) => None,
        });
        found.insert(id, Assigned { addresses: said.take(MOST).collect(), missing: None });
    }
    found
}

fn one(group: &ObjectKey, asked: &BTreeSet<Wish>, live: &BTreeMap<LiveKey, Live>) -> Assigned {
    let mut all = BTreeSet::new();
    let (mut unusable, mut waiting) = (Vec::new(), None);
    for wish in asked {
        let name = names::service(&group.name, *wish);
        let key = LiveKey { kind: LiveKind::Service, key: ObjectKey::new(group.namespace.as_str(), name.as_str()) };
        let scope = match wish {
            Wish::Any | Wish::Static(_) => Scope::Default,
            Wish::Cluster(_) => Scope::Cluster,
        };
        let has: BTreeSet<Address> = live.get(&key).map(of_service).unwrap_or_default().into_iter().collect();
        match wish {
            Wish::Static(ip) | Wish::Cluster(Some(ip)) if has.contains(&Address::Ip(*ip)) => {
                all.insert((scope, Address::Ip(*ip)));
            }
            Wish::Static(ip) | Wish::Cluster(Some(ip)) => unusable.push(ip.to_string()),
            Wish::Any | Wish::Cluster(None) if has.is_empty() => waiting = Some(name),
            Wish::Any | Wish::Cluster(None) => all.extend(has.into_iter().map(|address| (scope, address))),
        }
    }
    let missing = if !unusable.is_empty() {
        Some(MissingAddress::NotUsable(format!(
            "{} was not given to this Gateway; see the events of its Services, and whether the address is free",
            unusable.join(", ")
        )))
    } else {
        waiting.map(|name| {
            MissingAddress::NotAssigned(format!(
                "Service {name} has no address yet; if it gets none, the cluster may have nothing that gives addresses \
                 to Services of type LoadBalancer"
            ))
        })
    };
    Assigned { addresses: all.into_iter().take(MOST).map(into_status).collect(), missing }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Address {
    Ip(IpAddr),
    Hostname(String),
}

/// From where an address is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Default,
    Cluster,
}

fn into_status((scope, address): (Scope, Address)) -> GatewayStatusAddress {
    let (r#type, value) = match address {
        Address::Ip(ip) => (AddressType::IpAddress, ip.to_string()),
        Address::Hostname(name) => (AddressType::Hostname, name),
    };
    let routability = match scope {
        Scope::Default => None,
        Scope::Cluster => Some(GatewayAddressRoutability::Cluster),
    };
    GatewayStatusAddress { r#type, value, routability }
}

/// What a load balancer has given, or else the addresses inside the cluster.
fn of_service(service: &Live) -> Vec<Address> {
    let list = |pointer| service.0.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let ip = |value: &Value| value.as_str()?.parse().ok().map(Address::Ip);
    if service.0.pointer("/spec/type").and_then(Value::as_str) == Some("LoadBalancer") {
        let given = list("/status/loadBalancer/ingress");
        return given
            .filter_map(|given| {
                ip(&given["ip"]).or_else(|| Some(Address::Hostname(given["hostname"].as_str()?.to_owned())))
            })
            .collect();
    }
    list("/spec/clusterIPs").filter_map(ip).collect()
}
