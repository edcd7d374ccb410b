//! CORS: preflights answered by the Gateway, origins allowed and denied, credentials.

use super::bed::{pod, send, serve};
use crate::support::http_route;

fn route(cors: &str) -> String {
    let rule =
        format!("    - filters: [{{type: CORS, cors: {{{cors}}}}}]\n      backendRefs: [{{name: it, port: 80}}]\n");
    http_route("it", "[]", &rule)
}

const NAMED: &str = "allowOrigins: ['https://www.example.com', 'https://*.example.net'], allowMethods: [GET, PUT], \
                     allowHeaders: [x-one, x-two], exposeHeaders: [x-three], maxAge: 600";

fn preflight(origin: &str) -> Vec<(&str, &str)> {
    vec![("origin", origin), ("access-control-request-method", "PUT"), ("access-control-request-headers", "x-one")]
}

#[tokio::test]
async fn a_preflight_of_an_allowed_origin_is_answered_without_the_backend() {
    let (it, services) = pod("it").await;
    let (site, at) = serve(&(services + &route(NAMED))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for origin in ["https://www.example.com", "https://a.example.net", "https://a.b.example.net"] {
        let reply = send(at, "OPTIONS", "http://a.example/", &preflight(origin)).await;
        assert!(reply.status.is_success(), "{}", reply.status);
        assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
        assert_eq!(reply.header("access-control-max-age"), Some("600"));
        let methods = reply.header("access-control-allow-methods").unwrap();
        assert!(methods.contains("GET") && methods.contains("PUT"), "{methods}");
        let headers = reply.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        assert!(headers.contains("x-one") && headers.contains("x-two"), "{headers}");
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        assert!(reply.header("vary").is_some_and(|vary| vary.contains("Origin")));
    }
    assert_eq!(it.counts().requests, 0);
}

#[tokio::test]
async fn a_preflight_of_another_origin_is_denied_without_the_backend() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &route(NAMED))).await;
    for origin in [
        "https://evil.example",
        "http://www.example.com",
        "https://www.example.com:8443",
        "https://example.net",
        "null",
    ] {
        let reply = send(at, "OPTIONS", "http://a.example/", &preflight(origin)).await;
        assert_eq!(reply.status, 403, "{origin}");
        assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{:?}", reply.headers);
    }
    assert_eq!(it.counts().requests, 0);
}

#[tokio::test]
async fn simple_requests_reach_the_backend_and_only_allowed_origins_may_read_the_answer() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &route(NAMED))).await;
    // What the backend says itself must not count.
    let url = "http://a.example/?header=access-control-allow-origin:https://evil.example";
    let reply = send(at, "GET", url, &[("origin", "https://www.example.com")]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://www.example.com"));
    assert_eq!(reply.header("access-control-expose-headers").map(str::to_ascii_lowercase).as_deref(), Some("x-three"));
    let reply = send(at, "GET", url, &[("origin", "https://evil.example")]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), None);
    let reply = send(at, "GET", "http://a.example/", &[]).await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    // An OPTIONS request that is no preflight is a request like any other.
    assert_eq!(send(at, "OPTIONS", "http://a.example/", &[("origin", "https://evil.example")]).await.status, 200);
    assert_eq!(it.counts().requests, 4);
}

#[tokio::test]
async fn with_credentials_no_wildcard_is_ever_sent() {
    let (_it, services) = pod("it").await;
    let cors =
        "allowOrigins: ['*'], allowCredentials: true, allowMethods: ['*'], allowHeaders: ['*'], exposeHeaders: ['*']";
    let (_site, at) = serve(&(services + &route(cors))).await;
    let origin = "https://any.example";
    let reply = send(at, "OPTIONS", "http://a.example/", &preflight(origin)).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(reply.header("access-control-allow-methods"), Some("PUT"));
    assert_eq!(reply.header("access-control-allow-headers"), Some("x-one"));
    let reply = send(at, "GET", "http://a.example/?header=x-shown:1", &[("origin", origin)]).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
    let exposed = reply.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("x-shown") && !exposed.contains('*'), "{exposed}");
}

#[tokio::test]
async fn any_origin_without_credentials_is_a_wildcard() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &route("allowOrigins: ['*'], allowMethods: ['*']"))).await;
    let reply = send(at, "OPTIONS", "http://a.example/", &preflight("https://any.example")).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("access-control-allow-methods"), Some("*"));
    let reply = send(at, "GET", "http://a.example/", &[("origin", "https://any.example")]).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn scripts_may_read_errors_of_the_gateway_too() {
    let cors = "    - filters: [{type: CORS, cors: {allowOrigins: ['https://www.example.com']}}]\n      backendRefs: [{name: \
                missing, port: 80}]\n";
    let (_site, at) = serve(&http_route("it", "[]", cors)).await;
    let reply = send(at, "GET", "http://a.example/", &[("origin", "https://www.example.com")]).await;
    assert_eq!(reply.status, 500);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://www.example.com"));
}
