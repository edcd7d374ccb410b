//! Host names of listeners and routes: what they have in common is served, the most specific wins.

use super::bed::{pods, serve, who};
use crate::support::{Site, gateway, http_route};
use lychgate_testkit::free_addr;

fn to(backend: &str) -> String {
    format!("    - backendRefs: [{{name: {backend}, port: 80}}]\n")
}

#[tokio::test]
async fn an_exact_host_wins_over_a_wildcard_and_that_over_none() {
    let (_pods, services) = pods(["any", "wide", "narrow", "exact"]).await;
    let routes = http_route("any", "[]", &to("any"))
        + &http_route("wide", "['*.example']", &to("wide"))
        + &http_route("narrow", "['*.a.example']", &to("narrow"))
        + &http_route("exact", "[x.a.example]", &to("exact"));
    let (_site, at) = serve(&(services + &routes)).await;
    for (host, answers) in [
        ("x.a.example", "exact"),
        ("X.A.Example", "exact"),
        ("y.a.example", "narrow"),
        ("y.z.a.example", "narrow"),
        ("a.example", "wide"),
        ("b.c.example", "wide"),
        ("example", "any"),
        ("other.test", "any"),
        ("127.0.0.1", "any"),
    ] {
        assert_eq!(who(at, &format!("http://{host}/")).await, answers, "{host}");
        assert_eq!(who(at, &format!("http://{host}:8080/")).await, answers, "{host} with a port");
    }
}

#[tokio::test]
async fn a_host_decides_before_a_path() {
    let (_pods, services) = pods(["wide", "exact"]).await;
    let rule =
        "    - matches: [{path: {type: Exact, value: /deep/path}}]\n      backendRefs: [{name: wide, port: 80}]\n";
    let routes = http_route("wide", "['*.example']", rule) + &http_route("exact", "[a.example]", &to("exact"));
    let (_site, at) = serve(&(services + &routes)).await;
    assert_eq!(who(at, "http://a.example/deep/path").await, "exact");
    assert_eq!(who(at, "http://b.example/deep/path").await, "wide");
    assert_eq!(who(at, "http://b.example/other").await, "404");
}

#[tokio::test]
async fn a_route_serves_what_its_hosts_and_the_listener_have_in_common() {
    let (_pods, services) = pods(["it", "all"]).await;
    let at = free_addr();
    let port = at.port();
    let listeners = format!(
        "    - {{name: wild, protocol: HTTP, port: {port}, hostname: '*.wild.example'}}\n    - {{name: one, protocol: \
         HTTP, port: {port}, hostname: one.example}}\n"
    );
    let routes = http_route("it", "[very.wild.example, one.example, elsewhere.example, '*.example']", &to("it"))
        + &http_route(
            "all",
            "[]",
            "    - matches: [{path: {value: /all}}]\n      backendRefs: [{name: all, port: 80}]\n",
        );
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &services + &routes))]).await;
    for (url, answers) in [
        ("very.wild.example/", "it"),
        ("less.wild.example/", "it"),
        ("a.b.wild.example/", "it"),
        ("one.example/", "it"),
        ("elsewhere.example/", "404"),
        ("wild.example/", "404"),
        ("two.example/", "404"),
        ("less.wild.example/all", "it"),
        ("one.example/all", "it"),
        ("elsewhere.example/all", "404"),
    ] {
        assert_eq!(who(at, &format!("http://{url}")).await, answers, "{url}");
    }
    assert!(site.report().is_clean());
}

#[tokio::test]
async fn the_most_specific_listener_takes_a_host_even_if_it_has_no_route_for_it() {
    let (_pods, services) = pods(["it"]).await;
    let at = free_addr();
    let port = at.port();
    let listeners = format!(
        "    - {{name: any, protocol: HTTP, port: {port}}}\n    - {{name: own, protocol: HTTP, port: {port}, hostname: \
         own.example}}\n"
    );
    let route = http_route("it", "[]", &to("it")).replace("[{name: gw}]", "[{name: gw, sectionName: any}]");
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &services + &route))]).await;
    assert_eq!(who(at, "http://other.example/").await, "it");
    // GEP-3567: listeners are isolated from each other.
    assert_eq!(who(at, "http://own.example/").await, "404");
    drop(site);
}

#[tokio::test]
async fn a_route_without_a_common_host_is_not_accepted_and_not_served() {
    let (_pods, services) = pods(["it"]).await;
    let at = free_addr();
    let listener = format!("    - {{name: one, protocol: HTTP, port: {}, hostname: one.example}}\n", at.port());
    let route = http_route("it", "[two.example]", &to("it"));
    let site = Site::serve(&[("all.yaml", &(gateway(&listener) + &services + &route))]).await;
    assert_eq!(who(at, "http://two.example/").await, "404");
    assert!(site.report().to_value().to_string().contains("NoMatchingListenerHostname"));
}
