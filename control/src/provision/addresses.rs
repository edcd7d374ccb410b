//! Where Gateways can be reached, as their Services say.

use super::group::{self, Groups};
use super::live::{Live, LiveKey, LiveKind};
use super::names;
use lychgate_api::ObjectKey;
use lychgate_api::gateway::{AddressType, GatewayStatusAddress};
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
    found
}

fn one(group: &ObjectKey, asked: &BTreeSet<Option<IpAddr>>, live: &BTreeMap<LiveKey, Live>) -> Assigned {
    let mut all = BTreeSet::new();
    let (mut unusable, mut waiting) = (Vec::new(), None);
    for address in asked {
        let name = names::service(&group.name, *address);
        let key = LiveKey { kind: LiveKind::Service, key: ObjectKey::new(group.namespace.as_str(), name.as_str()) };
        let has = live.get(&key).map(of_service).unwrap_or_default();
        match address {
            Some(ip) if has.contains(&Address::Ip(*ip)) => {
                all.insert(Address::Ip(*ip));
            }
            Some(ip) => unusable.push(ip.to_string()),
            None if has.is_empty() => waiting = Some(name),
            None => all.extend(has),
        }
    }
    let missing = if !unusable.is_empty() {
        Some(MissingAddress::NotUsable(format!(
            "no load balancer has given {} to this Gateway; see the events of its Services, and whether the address is free",
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
    Assigned { addresses: all.into_iter().take(MOST).map(Address::into_status).collect(), missing }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Address {
    Ip(IpAddr),
    Hostname(String),
}

impl Address {
    fn into_status(self) -> GatewayStatusAddress {
        let (r#type, value) = match self {
            Self::Ip(ip) => (AddressType::IpAddress, ip.to_string()),
            Self::Hostname(name) => (AddressType::Hostname, name),
        };
        GatewayStatusAddress { r#type, value, routability: None }
    }
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
