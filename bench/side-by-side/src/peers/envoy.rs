//! Envoy: one worker, a bootstrap without a control plane, written as JSON, which it takes for YAML.

mod passed;

use super::number;
use crate::process::Invocation;
use crate::scene::{By, Routes, Scene};
use crate::site::Site;
use crate::tools::Tools;
use serde_json::{Value, json};
use std::net::SocketAddr;

const MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const HTTP: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const FILE_LOG: &str = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";

pub(super) async fn version(tools: &Tools) -> anyhow::Result<String> {
    let text = Invocation::new(&tools.find("envoy")?).with(["--version"]).output().await?;
    // PATH  version: COMMIT/NUMBER/…
    let (_, version) = text.split_once("version: ").unwrap_or_default();
    Ok(version.split('/').nth(1).map_or_else(|| number(&text), str::to_owned))
}

pub(super) fn invocation(tools: &Tools, site: &Site) -> anyhow::Result<Option<Invocation>> {
    let bootstrap = match site.scene {
        Scene::Plain | Scene::Logged | Scene::Routes(_) | Scene::Grpc => bootstrap(site),
        Scene::Passed => passed::bootstrap(site),
        Scene::Filtered(_) => return Ok(None),
    };
    let config = site.write("envoy.json", &bootstrap.to_string())?;
    let flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--config-path"];
    Ok(Some(Invocation::new(&tools.find("envoy")?).with(flags).with_path(&config)))
}

fn bootstrap(site: &Site) -> Value {
    let manager = manager(site);
    let http = json!({ "name": "http", "address": address(site.http),
        "filter_chains": [{ "filters": [manager] }] });
    let (chain, key) = (site.identity.chain.to_string_lossy(), site.identity.key.to_string_lossy());
    let context = json!({ "@type": TLS, "common_tls_context": {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificates": [{ "certificate_chain": { "filename": chain }, "private_key": { "filename": key } }],
    } });
    let https = json!({ "name": "https", "address": address(site.https), "filter_chains": [{ "filters": [manager],
        "transport_socket": { "name": "envoy.transport_sockets.tls", "typed_config": context } }] });
    json!({ "static_resources": { "listeners": [http, https], "clusters": [cluster(site)] } })
}

fn manager(site: &Site) -> Value {
    let mut manager = json!({ "@type": MANAGER, "stat_prefix": "it", "route_config": { "virtual_hosts": hosts(site) },
        "http_filters": [{ "name": "envoy.filters.http.router", "typed_config": { "@type": ROUTER } }] });
    if let (Some(path), Some(manager)) = (site.access_log(), manager.as_object_mut()) {
        let file = json!({ "@type": FILE_LOG, "path": path.to_string_lossy() });
        manager.insert("access_log".to_owned(), json!([{ "name": "envoy.access_loggers.file", "typed_config": file }]));
    }
    json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager })
}

fn hosts(site: &Site) -> Value {
    let to = json!({ "cluster": "it" });
    let Routes { by, count } = match site.scene {
        Scene::Plain | Scene::Logged | Scene::Grpc | Scene::Passed | Scene::Filtered(_) => {
            let all = json!([{ "match": { "prefix": "/" }, "route": to }]);
            return json!([{ "name": "it", "domains": ["*"], "routes": all }]);
        }
        Scene::Routes(routes) => routes,
    };
    let matches: fn(u32) -> Value = match by {
        By::Host => {
            let host = |route: u32| {
                json!({ "name": format!("h{route}"), "domains": [format!("h{route}.example.com")],
                    "routes": [{ "match": { "prefix": "/" }, "route": to }] })
            };
            return (0..count).map(host).collect();
        }
        By::Path => |route| json!({ "prefix": format!("/r{route}/") }),
        By::Header => {
            |route| json!({ "prefix": "/", "headers": [{ "name": "x-route", "string_match": { "exact": format!("r{route}") } }] })
        }
        By::Regex => |route| json!({ "safe_regex": { "regex": format!("/r{route}/[0-9]+") } }),
    };
    let routes: Vec<Value> = (0..count).map(|route| json!({ "match": matches(route), "route": to })).collect();
    json!([{ "name": "it", "domains": ["*"], "routes": routes }])
}

fn cluster(site: &Site) -> Value {
    let (backend, protocol) = match site.scene {
        Scene::Plain | Scene::Logged | Scene::Routes(_) | Scene::Passed | Scene::Filtered(_) => {
            (site.backend, "http_protocol_options")
        }
        Scene::Grpc => (site.grpc, "http2_protocol_options"),
    };
    let endpoint = json!({ "lb_endpoints": [{ "endpoint": { "address": address(backend) } }] });
    json!({ "name": "it", "type": "STATIC", "connect_timeout": "5s",
        "circuit_breakers": { "thresholds": [{ "max_connections": 65536, "max_pending_requests": 65536, "max_requests": 65536 }] },
        "load_assignment": { "cluster_name": "it", "endpoints": [endpoint] },
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions":
            { "@type": HTTP, "explicit_http_config": { protocol: {} } } } })
}

fn address(at: SocketAddr) -> Value {
    json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } })
}
