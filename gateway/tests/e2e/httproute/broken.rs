//! References that lead nowhere answer 500, no endpoints 503, no match 404: each for itself alone.

use super::bed::{pod, send, serve, who};
use crate::support::{echo, http_route, service};

#[tokio::test]
async fn invalid_references_answer_500() {
    let foreign = service("foreign", &[]).replace("namespace: default", "namespace: elsewhere");
    let cases = [
        ("missing", "[{name: missing, port: 80}]"),
        ("port", "[{name: it, port: 81}]"),
        ("kind", "[{group: apps, kind: Deployment, name: it, port: 80}]"),
        ("foreign", "[{name: foreign, namespace: elsewhere, port: 80}]"),
    ];
    let (_it, services) = pod("it").await;
    let rules: String = cases
        .iter()
        .map(|(name, refs)| format!("    - matches: [{{path: {{value: /{name}}}}}]\n      backendRefs: {refs}\n"))
        .collect();
    let good = "    - matches: [{path: {value: /good}}]\n      backendRefs: [{name: it, port: 80}]\n";
    let (site, at) = serve(&(services + &foreign + &http_route("it", "[]", &(rules + good)))).await;
    for (name, _) in cases {
        assert_eq!(who(at, &format!("http://a.example/{name}")).await, "500", "{name}");
    }
    assert_eq!(who(at, "http://a.example/good").await, "it");
    assert!(site.report().to_value().to_string().contains("ResolvedRefs"));
}

#[tokio::test]
async fn a_rule_that_cannot_be_done_answers_500_and_the_others_work() {
    let (_it, services) = pod("it").await;
    let rules = "    - matches: [{path: {value: /none}}]\n    - matches: [{path: {value: /extension}}]\n      filters: [{type: \
                 ExtensionRef, extensionRef: {group: example.com, kind: Magic, name: wand}}]\n      backendRefs: [{name: it, \
                 port: 80}]\n    - matches: [{path: {value: /good}}]\n      backendRefs: [{name: it, port: 80}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rules))).await;
    for (path, answers) in [("none", "500"), ("extension", "500"), ("good", "it"), ("other", "404")] {
        assert_eq!(who(at, &format!("http://a.example/{path}")).await, answers, "{path}");
    }
}

#[tokio::test]
async fn no_ready_endpoint_is_503_until_there_is_one() {
    let (_it, address) = echo("it").await;
    let rule = "    - backendRefs: [{name: it, port: 80}]\n";
    let (site, at) = serve(&http_route("it", "[]", rule)).await;
    assert_eq!(who(at, "http://a.example/").await, "500");
    site.write_until("service.yaml", &service("it", &[]), |report| report.is_clean()).await;
    let reply = send(at, "GET", "http://a.example/", &[]).await;
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("no_endpoint"), "{}", reply.text());
    let unready = service("it", &[address]).replace(
        &format!("addresses: [{}]", address.ip()),
        &format!("addresses: [{}]\n    conditions: {{ready: false}}", address.ip()),
    );
    site.write_until("service.yaml", &unready, |report| report.is_clean()).await;
    assert_eq!(who(at, "http://a.example/").await, "503");
    site.write_until("service.yaml", &service("it", &[address]), |report| report.is_clean()).await;
    assert_eq!(who(at, "http://a.example/").await, "it");
}

#[tokio::test]
async fn a_terminating_endpoint_serves_only_while_nothing_is_ready() {
    let (_old, old) = echo("old").await;
    let (_new, new) = echo("new").await;
    let serving = |yaml: String| {
        let conditions = "conditions: {ready: false, serving: true, terminating: true}";
        yaml.replacen(&format!("addresses: [{}]", old.ip()), &format!("addresses: [{}]\n    {conditions}", old.ip()), 1)
    };
    let rule = "    - backendRefs: [{name: it, port: 80}]\n";
    let (site, at) = serve(&http_route("it", "[]", rule)).await;
    site.write_until("service.yaml", &serving(service("it", &[old])), |report| report.is_clean()).await;
    assert_eq!(who(at, "http://a.example/").await, "old");
    site.write_until("service.yaml", &serving(service("it", &[old, new])), |report| report.is_clean()).await;
    for _ in 0..4 {
        assert_eq!(who(at, "http://a.example/").await, "new");
    }
}
