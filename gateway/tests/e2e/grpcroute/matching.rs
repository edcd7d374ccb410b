//! Which rule a call belongs to.

use super::{Bed, UNARY, call, grpc_route};
use crate::support::http_route;
use lychgate_testkit::Dial;

const CONFORMANCE: &str = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho";

#[tokio::test]
async fn calls_go_by_service_method_and_headers() {
    let rules = format!(
        "    - matches: [{{method: {{service: {CONFORMANCE}}}}}]\n      backendRefs: [{{name: green, port: 80}}]\n    - \
         matches: [{{method: {{service: {CONFORMANCE}, method: Echo}}}}]\n      backendRefs: [{{name: blue, port: \
         80}}]\n    - matches: [{{method: {{method: Unary}}}}]\n      backendRefs: [{{name: blue, port: 80}}]\n    - \
         matches: [{{method: {{method: Unary}}, headers: [{{name: X-Tenant, value: green}}]}}]\n      backendRefs: \
         [{{name: green, port: 80}}]\n    - matches: [{{method: {{type: RegularExpression, service: \"lychgate[.].*\", \
         method: \"St.*\"}}}}]\n      backendRefs: [{{name: green, port: 80}}]\n"
    );
    let bed = Bed::serve(&grpc_route("grpc", "[]", &rules)).await;
    assert!(bed.site.report().is_clean(), "{:#}", bed.site.report().to_value());
    let mut seen = (0, 0);
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let steps: [(&str, Headers<'_>, bool); 6] = [
        (&format!("{CONFORMANCE}/Echo"), &[], true),
        (&format!("{CONFORMANCE}/EchoTwo"), &[], false),
        (UNARY, &[], true),
        (UNARY, &[("x-tenant", "green")], false),
        (UNARY, &[("x-tenant", "blue")], true),
        ("lychgate.echo.v1.Echo/Stream", &[], false),
    ];
    for (method, metadata, is_blue) in steps {
        bed.call(method, metadata).await;
        if is_blue {
            seen.0 += 1
        } else {
            seen.1 += 1
        }
        assert_eq!(bed.seen(), seen, "{method} {metadata:?}");
    }
    // Of what no rule has, nobody is asked.
    for method in ["lychgate.echo.v1.Echo/Other", "unheard.Of/Echo", "unheard.Of/Unary/More"] {
        let reply = bed.call(method, &[]).await;
        assert_eq!((reply.http_status.as_u16(), reply.status), (200, Some(12)), "{method}: {reply:?}");
    }
    assert_eq!(bed.seen(), seen);
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn hosts_and_the_wildcard_among_them() {
    let routes = grpc_route("one", "[one.example]", "    - backendRefs: [{name: blue, port: 80}]\n")
        + &grpc_route("rest", "['*.example']", "    - backendRefs: [{name: green, port: 80}]\n");
    let bed = Bed::serve(&routes).await;
    assert_eq!(call(bed.address, "one.example", UNARY, &[]).await.status, Some(0));
    assert_eq!(bed.seen(), (1, 0));
    assert_eq!(call(bed.address, "two.example", UNARY, &[]).await.status, Some(0));
    assert_eq!(bed.seen(), (1, 1));
    assert_eq!(call(bed.address, "example.net", UNARY, &[]).await.status, Some(12));
    assert_eq!(bed.seen(), (1, 1));
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn the_senior_of_a_grpcroute_and_an_httproute_has_the_host() {
    let aged = |route: String, time: &str| {
        route.replace("namespace: default}", &format!("namespace: default, creationTimestamp: \"{time}\"}}"))
    };
    let calls = grpc_route("calls", "[a.example]", "    - backendRefs: [{name: blue, port: 80}]\n");
    let requests = http_route("requests", "['*.example']", "    - backendRefs: [{name: green, port: 80}]\n");
    let apart = http_route("apart", "[a.example.net]", "    - backendRefs: [{name: green, port: 80}]\n");
    let routes = aged(calls, "2026-01-01T00:00:00Z") + &aged(requests, "2026-02-01T00:00:00Z") + &apart;
    let bed = Bed::serve(&routes).await;
    assert_eq!(bed.call(UNARY, &[]).await.status, Some(0));
    assert_eq!(bed.seen(), (1, 0));
    // The junior has nothing of the listener, and is told.
    assert_eq!(Dial::http1(bed.address).get("http://b.example/").await.unwrap().status, 404);
    let report = format!("{:#}", bed.site.report().to_value());
    assert!(report.contains("belongs to GRPCRoute/default/calls"), "{report}");
    assert_eq!(Dial::http1(bed.address).get("http://a.example.net/").await.unwrap().status, 200);
    assert_eq!(bed.seen(), (1, 1));
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn headers_by_expression_and_alternatives_of_one_rule() {
    let rules = "    - matches: [{headers: [{type: RegularExpression, name: x-version, value: \"2[.][0-9]+\"}, {name: \
                 x-tenant, value: a}]}, {method: {method: Collect}}]\n      backendRefs: [{name: green, port: 80}]\n    - \
                 backendRefs: [{name: blue, port: 80}]\n";
    let bed = Bed::serve(&grpc_route("grpc", "[]", rules)).await;
    assert!(bed.site.report().is_clean(), "{:#}", bed.site.report().to_value());
    let mut seen = (0, 0);
    let collect = "lychgate.echo.v1.Echo/Collect";
    for (method, version, tenant, is_blue) in [
        (UNARY, "2.10", "a", false),
        (UNARY, "2.10", "b", true),
        (UNARY, "2.x", "a", true),
        (UNARY, "12.1", "a", true),
        (collect, "1", "b", false),
    ] {
        assert_eq!(bed.call(method, &[("x-version", version), ("x-tenant", tenant)]).await.status, Some(0));
        seen = if is_blue { (seen.0 + 1, seen.1) } else { (seen.0, seen.1 + 1) };
        assert_eq!(bed.seen(), seen, "{method} {version} {tenant}");
    }
    assert_eq!(bed.site.stop().await, 0);
}
