//! What is done to each request, in Envoy's words.

use super::set;
use crate::scene::Filtered;
use serde_json::{Value, json};

const CORS: &str = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors";
const CORS_POLICY: &str = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy";
const SESSION: &str = "type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSession";
const COOKIE: &str = "type.googleapis.com/envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState";
const PREVIOUS: &str = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";

/// The filter that it takes before the router.
pub(super) fn filter(filtered: Filtered) -> Option<Value> {
    match filtered {
        Filtered::Cors => Some(json!({ "name": "envoy.filters.http.cors", "typed_config": { "@type": CORS } })),
        Filtered::Session => {
            let cookie = json!({ "@type": COOKIE, "cookie": { "name": "it", "path": "/" } });
            let state = json!({ "name": "envoy.http.stateful_session.cookie", "typed_config": cookie });
            let config = json!({ "@type": SESSION, "session_state": state });
            Some(json!({ "name": "envoy.filters.http.stateful_session", "typed_config": config }))
        }
        Filtered::Headers | Filtered::Rewrite | Filtered::Retry | Filtered::Retried | Filtered::Mirror => None,
    }
}

/// What stands in the route.
pub(super) fn route(filtered: Filtered, route: &mut Value) {
    match filtered {
        Filtered::Headers => {
            for way in ["request", "response"] {
                let header = |name: &str, append: &str| json!({ "header": { "key": format!("x-{name}"), "value": name }, "append_action": append });
                let set_to = "OVERWRITE_IF_EXISTS_OR_ADD";
                let all = json!([header("a", set_to), header("b", set_to), header("c", "APPEND_IF_EXISTS_OR_ADD")]);
                set(route, &format!("{way}_headers_to_add"), all);
                set(route, &format!("{way}_headers_to_remove"), json!(["x-d"]));
            }
        }
        Filtered::Rewrite => {
            let to =
                json!({ "cluster": "it", "host_rewrite_literal": "other.example.com", "prefix_rewrite": "/other/" });
            set(route, "route", to);
        }
        Filtered::Cors => {
            let origin = json!([{ "safe_regex": { "regex": "https://[^/]*\\.shop\\.example" } }]);
            let policy = json!({ "@type": CORS_POLICY, "allow_origin_string_match": origin, "allow_methods": "GET, PUT",
                "expose_headers": "x-a", "allow_credentials": true });
            set(route, "typed_per_filter_config", json!({ "envoy.filters.http.cors": policy }));
        }
        Filtered::Session => {}
        Filtered::Retry | Filtered::Retried => {
            // Not the one that has failed.
            let previous = json!([{ "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": { "@type": PREVIOUS } }]);
            let policy = json!({ "retry_on": "retriable-status-codes", "retriable_status_codes": [503], "num_retries": 2,
                "retry_back_off": { "base_interval": "0.01s" },
                "retry_host_predicate": previous, "host_selection_retry_max_attempts": "5" });
            set(route, "route", json!({ "cluster": "it", "timeout": "1s", "retry_policy": policy }));
        }
        Filtered::Mirror => {
            set(route, "route", json!({ "cluster": "it", "request_mirror_policies": [{ "cluster": "it" }] }));
        }
    }
}
