//! Datagrams.

use super::assignment;
use crate::site::Site;
use serde_json::{Value, json};

const PROXY: &str = "type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig";
const ROUTE: &str = "type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.Route";

pub(super) fn bootstrap(site: &Site) -> Value {
    let route = json!({ "name": "route", "typed_config": { "@type": ROUTE, "cluster": "it" } });
    let proxy = json!({ "@type": PROXY, "stat_prefix": "it", "matcher": { "on_no_match": { "action": route } } });
    let (ip, port) = (site.http.ip().to_string(), site.http.port());
    let listener = json!({ "name": "it", "udp_listener_config": { "downstream_socket_config": {} },
        "address": { "socket_address": { "protocol": "UDP", "address": ip, "port_value": port } },
        "listener_filters": [{ "name": "envoy.filters.udp_listener.udp_proxy", "typed_config": proxy }] });
    let cluster = json!({ "name": "it", "type": "STATIC", "load_assignment": assignment("it", &site.endpoints) });
    json!({ "static_resources": { "listeners": [listener], "clusters": [cluster] } })
}
