//! Where requests go.

use super::{set, words};
use crate::scene::{By, Routes, Scene, changed};
use crate::site::Site;
use serde_json::{Value, json};

/// Where routes are that change.
pub(super) const FILE: &str = "routes.json";

const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

/// The field of the connection manager that says so, and its value.
pub(super) fn of(site: &Site) -> (&'static str, Value) {
    let to = json!({ "cluster": "it" });
    let all = |route: Value| json!([{ "name": "it", "domains": ["*"], "routes": [route] }]);
    let hosts = match site.scene {
        Scene::Plain
        | Scene::Logged
        | Scene::Grpc
        | Scene::Passed
        | Scene::Tunnelled
        | Scene::Endpoints(_)
        | Scene::WebSocket
        | Scene::Datagrams
        | Scene::Traced => all(json!({ "match": { "prefix": "/" }, "route": to })),
        Scene::Filtered(filtered) => {
            let mut route = json!({ "match": { "prefix": "/" }, "route": to });
            words::route(filtered, &mut route);
            all(route)
        }
        Scene::Changing(_) => {
            let path = site.dir.join(FILE);
            let source =
                json!({ "path_config_source": { "path": path.to_string_lossy() }, "resource_api_version": "V3" });
            return ("rds", json!({ "route_config_name": "it", "config_source": source }));
        }
        Scene::Routes(Routes { by, count }) => many(by, count, None),
    };
    ("route_config", json!({ "virtual_hosts": hosts }))
}

/// What is in the file.
pub(super) fn discovered(site: &Site, version: u32) -> Value {
    let count = site.scene.changing().unwrap_or_default();
    let hosts = many(By::Path, count, Some(&changed(version)));
    let routes = json!({ "@type": ROUTES, "name": "it", "virtual_hosts": hosts });
    json!({ "version_info": version.to_string(), "resources": [routes] })
}

/// Virtual hosts with so many routes, and one more for the path that is given.
fn many(by: By, count: u32, more: Option<&str>) -> Value {
    let to = json!({ "cluster": "it" });
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
    let numbered = (0..count).map(matches);
    let matches = more.map(|prefix| json!({ "prefix": prefix })).into_iter().chain(numbered);
    let routes: Vec<Value> = matches
        .map(|one| {
            let mut route = json!({ "match": one });
            set(&mut route, "route", to.clone());
            route
        })
        .collect();
    json!([{ "name": "it", "domains": ["*"], "routes": routes }])
}
