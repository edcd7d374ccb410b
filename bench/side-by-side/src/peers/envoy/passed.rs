//! Connections that Envoy does not read.

use super::{address, assignment};
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
    let clusters = [cluster("clear", &site.endpoints), cluster("tls", &[site.tls_backend])];
    json!({ "static_resources": { "listeners": [clear, tls], "clusters": clusters } })
}

fn cluster(name: &str, endpoints: &[SocketAddr]) -> Value {
    json!({ "name": name, "type": "STATIC", "connect_timeout": "5s", "load_assignment": assignment(name, endpoints) })
}
