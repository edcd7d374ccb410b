//! RequestHeaderModifier and ResponseHeaderModifier, on rules and on backendRefs.

use super::bed::{pod, pods, send, serve};
use crate::support::http_route;

const MODIFIERS: &str = "
        - type: RequestHeaderModifier
          requestHeaderModifier:
            set: [{name: X-Set, value: ours}, {name: Host, value: set.example}]
            add: [{name: X-Add, value: ours}]
            remove: [X-Remove]
        - type: ResponseHeaderModifier
          responseHeaderModifier:
            set: [{name: X-Set, value: ours}]
            add: [{name: X-Add, value: ours}]
            remove: [X-Remove, Server]
";

#[tokio::test]
async fn headers_of_requests_and_responses_are_set_added_and_removed() {
    let (it, services) = pod("it").await;
    let rule = format!("    - filters:{MODIFIERS}      backendRefs: [{{name: it, port: 80}}]\n");
    let (site, at) = serve(&(services + &http_route("it", "[]", &rule))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let url = "http://a.example/?header=x-set:theirs&header=x-add:theirs&header=x-remove:theirs&header=x-keep:theirs";
    let sent = [("x-set", "theirs"), ("x-add", "theirs"), ("X-Remove", "theirs"), ("x-keep", "theirs")];
    let reply = send(at, "GET", url, &sent).await;
    let report = it.requests()[0].report.clone();
    assert_eq!(report.header("x-set"), ["ours"]);
    assert_eq!(report.header("x-add"), ["theirs", "ours"]);
    assert_eq!(report.header("x-remove"), [""; 0]);
    assert_eq!(report.header("x-keep"), ["theirs"]);
    assert_eq!(report.host, "set.example");
    let got = |name: &str| reply.headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(got("x-set"), ["ours"]);
    assert_eq!(got("x-add"), ["theirs", "ours"]);
    assert_eq!(got("x-remove"), [""; 0]);
    assert_eq!(got("x-keep"), ["theirs"]);
}

#[tokio::test]
async fn what_is_not_there_is_set_and_added_too() {
    let (it, services) = pod("it").await;
    let rule = format!("    - filters:{MODIFIERS}      backendRefs: [{{name: it, port: 80}}]\n");
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule))).await;
    let reply = send(at, "GET", "http://a.example/", &[]).await;
    let report = it.requests()[0].report.clone();
    assert_eq!((report.header("x-set"), report.header("x-add")), (vec!["ours"], vec!["ours"]));
    assert_eq!((reply.header("x-set"), reply.header("x-add")), (Some("ours"), Some("ours")));
}

#[tokio::test]
async fn modifiers_of_a_backend_touch_its_own_requests_only_and_come_after_those_of_the_rule() {
    let ([a, b], services) = pods(["a", "b"]).await;
    let modifiers = |value: &str| {
        format!(
            "[{{type: RequestHeaderModifier, requestHeaderModifier: {{add: [{{name: X-Seen, value: {value}}}]}}}}, {{type: \
             ResponseHeaderModifier, responseHeaderModifier: {{add: [{{name: X-Seen, value: {value}}}]}}}}]"
        )
    };
    let rule = format!(
        "    - filters: {}\n      backendRefs:\n        - {{name: a, port: 80, filters: {}}}\n        - {{name: b, port: 80}}\n",
        modifiers("rule"),
        modifiers("backend")
    );
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule))).await;
    let (mut of_a, mut of_b) = (0, 0);
    while of_a == 0 || of_b == 0 {
        let reply = send(at, "GET", "http://a.example/", &[]).await;
        let seen: Vec<_> = reply.headers.get_all("x-seen").iter().map(|value| value.to_str().unwrap()).collect();
        if reply.header("x-echo-pod") == Some("a") {
            of_a += 1;
            assert_eq!(a.requests().last().unwrap().report.header("x-seen"), ["rule", "backend"]);
            // A response goes back the way the request came.
            assert_eq!(seen, ["backend", "rule"]);
        } else {
            of_b += 1;
            assert_eq!(b.requests().last().unwrap().report.header("x-seen"), ["rule"]);
            assert_eq!(seen, ["rule"]);
        }
    }
}

#[tokio::test]
async fn response_headers_are_edited_on_answers_of_the_gateway_too() {
    let rule = "    - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Set, value: ours}]}}]\n      \
                backendRefs: [{name: missing, port: 80}]\n";
    let (_site, at) = serve(&http_route("it", "[]", rule)).await;
    let reply = send(at, "GET", "http://a.example/", &[]).await;
    assert_eq!((reply.status.as_u16(), reply.header("x-set")), (500, Some("ours")));
}
