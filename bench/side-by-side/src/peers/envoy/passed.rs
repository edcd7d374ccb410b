//! Connections that Envoy does not read.

use super::address;
use crate::site::{HOST, Site};
use serde_json::{Value, json};
use std::net::SocketAddr;

const PROXY: &str = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const INSPECTOR: &str = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";

pub(super) fn bootstrap(site: &Site) -> Value {
    let to = |cluster: &str| {
        let proxy = json!({ "@type": PROXY, "stat_prefix": cluster, "cluster": cluster });
        json!([{ "name": "envoy.filters.network.tcp_proxy", "typed_config": proxy }])
    };
    let clear =
        json!({ "name": "clear", "address": address(site.http), "filter_chains": [{ "filters": to("clear") }] });
    let inspector = json!({ "name": "envoy.filters.listener.tls_inspector", "typed_config": { "@type": INSPECTOR } });
    let tls = json!({ "name": "tls", "address": address(site.https), "listener_filters": [inspector],
        "filter_chains": [{ "filter_chain_match": { "server_names": [HOST] }, "filters": to("tls") }] });
    let clusters = [cluster("clear", site.backend), cluster("tls", site.tls_backend)];
    json!({ "static_resources": { "listeners": [clear, tls], "clusters": clusters } })
}

fn cluster(name: &str, at: SocketAddr) -> Value {
    let endpoint = json!({ "lb_endpoints": [{ "endpoint": { "address": address(at) } }] });
    json!({ "name": name, "type": "STATIC", "connect_timeout": "5s",
        "load_assignment": { "cluster_name": name, "endpoints": [endpoint] } })
}
