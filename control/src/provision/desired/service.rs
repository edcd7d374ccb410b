//! Services: how clients reach the pods. One for each address that is asked for, and one for any.

use super::{Parts, put};
use crate::provision::group::Wish;
use crate::provision::live::LiveKind;
use crate::provision::marks::ADDRESS;
use crate::provision::names;
use lychgate_api::core::{ServiceType, TransportProtocol};
use lychgate_api::lychgate::{ExtraPort, ServiceParameters};
use lychgate_ir::Transport;
use lychgate_translate::Direction;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The Service for an address, or for any; none where only load balancers can give what is asked for, and there is none.
pub(super) fn service(parts: &Parts<'_>, wish: Wish) -> Option<Value> {
    let ServiceParameters {
        r#type,
        load_balancer_class,
        load_balancer_source_ranges,
        external_traffic_policy,
        ip_family_policy,
        extra_ports,
        labels,
        annotations,
    } = &parts.group.parameters.service;
    let usual = match parts.group.direction {
        Direction::Egress => ServiceType::ClusterIp,
        Direction::Ingress => ServiceType::LoadBalancer,
    };
    let r#type = match wish {
        Wish::Cluster(_) => ServiceType::ClusterIp,
        Wish::Any | Wish::Static(_) => r#type.clone().unwrap_or(usual),
    };
    let balanced = r#type == ServiceType::LoadBalancer;
    if matches!(wish, Wish::Static(_)) && !balanced {
        return None;
    }
    let mut spec = json!({
        "type": r#type,
        "selector": parts.selector(),
        "ports": ports(parts, extra_ports.as_deref().unwrap_or_default()),
    });
    let outside = r#type != ServiceType::ClusterIp;
    put(&mut spec, "externalTrafficPolicy", external_traffic_policy.as_ref().filter(|_| outside));
    put(&mut spec, "loadBalancerClass", load_balancer_class.as_ref().filter(|_| balanced));
    put(&mut spec, "loadBalancerSourceRanges", load_balancer_source_ranges.as_ref().filter(|_| balanced));
    match wish {
        Wish::Any | Wish::Cluster(None) => put(&mut spec, "ipFamilyPolicy", ip_family_policy.as_ref()),
        Wish::Static(ip) => {
            // Old, and yet what every load balancer of the field reads.
            put(&mut spec, "loadBalancerIP", Some(ip));
            put(&mut spec, "ipFamilies", Some([family(ip)]));
        }
        Wish::Cluster(Some(ip)) => {
            put(&mut spec, "clusterIP", Some(ip));
            put(&mut spec, "ipFamilies", Some([family(ip)]));
        }
    }
    let mut labels = labels.clone().unwrap_or_default();
    let fixed = match wish {
        Wish::Static(ip) | Wish::Cluster(Some(ip)) => Some(ip),
        Wish::Any | Wish::Cluster(None) => None,
    };
    labels.extend(fixed.map(|ip| (ADDRESS.to_owned(), label(ip))));
    let annotations = annotations.clone().unwrap_or_default();
    let name = names::service(&parts.group.key.name, wish);
    Some(parts.object_with(LiveKind::Service, &name, &labels, &annotations, json!({ "spec": spec })))
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// An address as the value of a label.
fn label(ip: IpAddr) -> String {
    // `::1` and `fe80::` would begin or end with what a label must not.
    format!("ip-{ip}-").replace(':', "-").trim_end_matches('-').to_owned()
}

/// Those of listeners, then those that are asked for besides, where no listener has them.
fn ports(parts: &Parts<'_>, extra: &[ExtraPort]) -> Vec<Value> {
    let mut all: BTreeMap<(TransportProtocol, u16), (String, u16)> = BTreeMap::new();
    for (transport, port) in &parts.group.ports {
        let (protocol, word) = match transport {
            Transport::Tcp => (TransportProtocol::Tcp, "tcp"),
            Transport::Udp => (TransportProtocol::Udp, "udp"),
        };
        all.insert((protocol, *port), (format!("{word}-{port}"), *port));
    }
    for ExtraPort { name, port, target_port, protocol } in extra {
        let is_named = all.values().any(|(known, _)| known == name);
        if !is_named {
            all.entry((*protocol, *port)).or_insert_with(|| (name.clone(), target_port.unwrap_or(*port)));
        }
    }
    let each = all.into_iter().map(|((protocol, port), (name, target))| {
        json!({ "name": name, "protocol": protocol, "port": port, "targetPort": target })
    });
    each.collect()
}
