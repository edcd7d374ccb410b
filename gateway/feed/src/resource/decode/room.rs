//! What is read takes no more memory than what is made: thousands of routes are read, and kept.

#![allow(clippy::unwrap_used)]

use lychgate_ir::{Filter, Route};

/// A route of one rule, and all else but once.
const ROUTE: &str = r#"{
    "id": "HTTPRoute/shop/r", "created": null,
    "attachments": [{"listener": "Gateway/shop/front/http", "hostnames": ["a.example"]}],
    "rules": [{
        "id": "HTTPRoute/shop/r#0@1",
        "matches": [{
            "path": {"Prefix": ""}, "method": null, "headers": [{"name": "a", "value": {"Exact": "b"}}], "query": []
        }],
        "filters": [{"ResponseHeaders": {"set": [["version", "1"]], "add": [], "remove": ["x-a"]}}],
        "forward": {"Ok": {
            "backends": [{"weight": 1, "target": {"Backend": "Service/shop/a:80"}, "filters": []}],
            "timeouts": {}, "retry": null, "persistence": null
        }}
    }]
}"#;

#[test]
fn what_is_read_has_no_room_for_more() {
    let route: Route = serde_json::from_str(ROUTE).unwrap();
    let (attachment, rule) = (&route.attachments[0], &route.rules[0]);
    assert_eq!([attachment.hostnames.capacity(), route.rules.capacity()], [1, 1]);
    let forward = rule.forward.as_ref().unwrap();
    let rooms = [rule.matches.capacity(), rule.filters.capacity(), forward.backends.capacity()];
    assert_eq!(rooms, [1, 1, 1]);
    let Filter::ResponseHeaders(edits) = &rule.filters[0] else { unreachable!() };
    let rooms = [rule.matches[0].headers.capacity(), edits.set.capacity(), edits.remove.capacity()];
    assert_eq!(rooms, [1, 1, 1]);
    assert_eq!([rule.matches[0].query.capacity(), edits.add.capacity()], [0, 0]);
}
