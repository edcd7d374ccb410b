//! What is done to each request, in nginx's words.

use crate::scene::{Filtered, Scene};

/// Whether it has words for it, without modules that one has to build.
pub(super) fn has(filtered: Filtered) -> bool {
    match filtered {
        Filtered::Headers
        | Filtered::Rewrite
        | Filtered::Cors
        | Filtered::Retry
        | Filtered::Retried
        | Filtered::Mirror => true,
        Filtered::Session => false,
    }
}

/// What stands before all servers.
pub(super) fn before(scene: Scene) -> &'static str {
    if scene == Scene::Filtered(Filtered::Cors) {
        "  map $http_origin $allowed { ~^https://[^/]*\\.shop\\.example$ $http_origin; }\n"
    } else {
        ""
    }
}

/// What stands in the location, before it passes on.
pub(super) fn of(filtered: Filtered) -> &'static str {
    match filtered {
        Filtered::Headers => {
            "proxy_set_header x-a a; proxy_set_header x-b b; proxy_set_header x-c c; proxy_set_header x-d ''; \
             add_header x-a a; add_header x-b b; add_header x-c c; proxy_hide_header x-d;"
        }
        Filtered::Rewrite => "proxy_set_header Host other.example.com; rewrite ^/(.*)$ /other/$1 break;",
        Filtered::Cors => {
            "add_header Access-Control-Allow-Origin $allowed; add_header Access-Control-Allow-Credentials true; \
             add_header Access-Control-Expose-Headers x-a; add_header Vary Origin;"
        }
        Filtered::Retry | Filtered::Retried => {
            "proxy_read_timeout 1s; proxy_next_upstream error timeout http_503; proxy_next_upstream_tries 3;"
        }
        Filtered::Mirror => "mirror /mirrored;",
        Filtered::Session => "",
    }
}
