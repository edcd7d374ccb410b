//! Envoy: one worker, a bootstrap without a control plane, written as JSON, which it takes for YAML.

mod datagrams;
mod passed;
mod routes;
mod words;

use super::number;
use crate::process::Invocation;
use crate::scene::Scene;
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

pub(super) fn can(scene: Scene) -> bool {
    match scene {
        Scene::Plain
        | Scene::Logged
        | Scene::Routes(_)
        | Scene::Grpc
        | Scene::Passed
        | Scene::Tunnelled
        | Scene::Filtered(_)
        | Scene::Endpoints(_)
        | Scene::WebSocket
        | Scene::Datagrams
        | Scene::Changing(_) => true,
        Scene::Traced => false,
    }
}

pub(super) fn invocation(tools: &Tools, site: &Site) -> anyhow::Result<Invocation> {
    let bootstrap = match site.scene {
        Scene::Plain
        | Scene::Logged
        | Scene::Routes(_)
        | Scene::Grpc
        | Scene::Filtered(_)
        | Scene::Endpoints(_)
        | Scene::WebSocket
        | Scene::Traced => bootstrap(site),
        Scene::Changing(_) => {
            change(site, 0)?;
            bootstrap(site)
        }
        Scene::Passed | Scene::Tunnelled => passed::bootstrap(site),
        Scene::Datagrams => datagrams::bootstrap(site),
    };
    let config = site.write("envoy.json", &bootstrap.to_string())?;
    let flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--config-path"];
    Ok(Invocation::new(&tools.find("envoy")?).with(flags).with_path(&config))
}

/// It watches the file.
pub(super) fn change(site: &Site, version: u32) -> anyhow::Result<()> {
    site.replace(routes::FILE, &routes::discovered(site, version).to_string())
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
    // Files are watched for whoever has a name.
    json!({ "node": { "id": "bench", "cluster": "bench" },
        "static_resources": { "listeners": [http, https], "clusters": [cluster(site)] } })
}

fn manager(site: &Site) -> Value {
    let mut filters: Vec<Value> = site.scene.filtered().and_then(words::filter).into_iter().collect();
    filters.push(json!({ "name": "envoy.filters.http.router", "typed_config": { "@type": ROUTER } }));
    let mut manager = json!({ "@type": MANAGER, "stat_prefix": "it", "http_filters": filters });
    let (key, routes) = routes::of(site);
    set(&mut manager, key, routes);
    if site.scene == Scene::WebSocket {
        set(&mut manager, "upgrade_configs", json!([{ "upgrade_type": "websocket" }]));
    }
    if let Some(path) = site.access_log() {
        let file = json!({ "@type": FILE_LOG, "path": path.to_string_lossy() });
        set(&mut manager, "access_log", json!([{ "name": "envoy.access_loggers.file", "typed_config": file }]));
    }
    json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager })
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

fn cluster(site: &Site) -> Value {
    let protocol = if site.http2_behind() { "http2_protocol_options" } else { "http_protocol_options" };
    let thresholds = json!([{ "max_connections": 65536, "max_pending_requests": 65536, "max_requests": 65536,
        "max_retries": 65536 }]);
    json!({ "name": "it", "type": "STATIC", "connect_timeout": "5s",
        "circuit_breakers": { "thresholds": thresholds },
        "load_assignment": assignment("it", &site.endpoints),
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions":
            { "@type": HTTP, "explicit_http_config": { protocol: {} } } } })
}

fn assignment(name: &str, endpoints: &[SocketAddr]) -> Value {
    let endpoints: Vec<Value> = endpoints.iter().map(|at| json!({ "endpoint": { "address": address(*at) } })).collect();
    json!({ "cluster_name": name, "endpoints": [{ "lb_endpoints": endpoints }] })
}

fn address(at: SocketAddr) -> Value {
    json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } })
}
