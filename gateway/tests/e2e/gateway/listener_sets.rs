//! ListenerSets (GEP-1713): their listeners are served with those of their Gateway, and lose against them.

use crate::support::{Site, echo, service};
use lychgate_echo::EchoReport;
use lychgate_testkit::{Dial, free_addrs};
use std::net::SocketAddr;

fn gateway(port: u16, allowed: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: gw, namespace: default}}\nspec:\n  \
         gatewayClassName: lychgate\n  addresses: [{{type: IPAddress, value: 127.0.0.1}}]\n  allowedListeners: \
         {{namespaces: {{from: {allowed}}}}}\n  listeners: [{{name: http, protocol: HTTP, port: {port}, hostname: \
         gw.example}}]\n---\n"
    )
}

fn listener_set(name: &str, listeners: &[(&str, u16, &str)]) -> String {
    let mut yaml = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: {{name: {name}, namespace: \
         default}}\nspec:\n  parentRef: {{name: gw}}\n  listeners:\n"
    );
    for (section, port, hostname) in listeners {
        yaml += &format!("    - {{name: {section}, protocol: HTTP, port: {port}, hostname: {hostname}}}\n");
    }
    yaml + "---\n"
}

/// A route of the parent's name to the Service of that name.
fn route(kind: &str, name: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: \
         default}}\nspec:\n  parentRefs: [{{kind: {kind}, name: {name}}}]\n  rules: [{{backendRefs: [{{name: {name}, port: \
         80}}]}}]\n---\n"
    )
}

async fn answer(address: SocketAddr, host: &str) -> String {
    match Dial::http1(address).get(&format!("http://{host}/")).await {
        Ok(reply) if reply.status == 200 => reply.json::<EchoReport>().identity.pod,
        Ok(reply) => reply.status.as_u16().to_string(),
        Err(_) => "nothing".to_owned(),
    }
}

#[tokio::test]
async fn listeners_of_a_set_come_and_go_beside_those_of_the_gateway() {
    let (_gw, of_gateway) = echo("gw").await;
    let (_extra, of_set) = echo("extra").await;
    let [shared, own] = free_addrs();
    let rest = gateway(shared.port(), "Same")
        + &service("gw", &[of_gateway])
        + &service("extra", &[of_set])
        + &route("Gateway", "gw")
        + &route("ListenerSet", "extra");
    let set =
        listener_set("extra", &[("shared", shared.port(), "extra.example"), ("own", own.port(), "extra.example")]);
    let site = Site::serve(&[("rest.yaml", &rest), ("set.yaml", &set)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    assert_eq!(answer(shared, "gw.example").await, "gw");
    assert_eq!(answer(shared, "extra.example").await, "extra");
    assert_eq!(answer(own, "extra.example").await, "extra");
    assert_eq!(answer(own, "gw.example").await, "404");

    site.remove("set.yaml").await;
    assert_eq!(answer(shared, "gw.example").await, "gw");
    assert_eq!(answer(shared, "extra.example").await, "404");
    assert_eq!(answer(own, "extra.example").await, "nothing");

    site.write_until("set.yaml", &set, |report| report.snapshot.listeners.len() == 3).await;
    assert_eq!(answer(own, "extra.example").await, "extra");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn where_they_conflict_the_gateway_goes_first_and_the_rest_of_the_set_is_served() {
    let (_gw, of_gateway) = echo("gw").await;
    let (_extra, of_set) = echo("extra").await;
    let [shared, own] = free_addrs();
    let set =
        listener_set("extra", &[("conflicting", shared.port(), "gw.example"), ("own", own.port(), "extra.example")]);
    let files = gateway(shared.port(), "Same")
        + &set
        + &service("gw", &[of_gateway])
        + &service("extra", &[of_set])
        + &route("Gateway", "gw")
        + &route("ListenerSet", "extra");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert_eq!(answer(shared, "gw.example").await, "gw");
    assert_eq!(answer(own, "extra.example").await, "extra");
    assert_eq!(site.report().snapshot.listeners.len(), 2);
    let status = site.report().to_value().to_string();
    assert!(status.contains("HostnameConflict"), "{status}");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_set_that_the_gateway_does_not_allow_is_not_served() {
    let (_gw, of_gateway) = echo("gw").await;
    let (_extra, of_set) = echo("extra").await;
    let [shared, own] = free_addrs();
    let rest = listener_set("extra", &[("own", own.port(), "extra.example")])
        + &service("gw", &[of_gateway])
        + &service("extra", &[of_set])
        + &route("Gateway", "gw")
        + &route("ListenerSet", "extra");
    let site = Site::serve(&[("rest.yaml", &rest), ("gateway.yaml", &gateway(shared.port(), "None"))]).await;
    assert_eq!(answer(shared, "gw.example").await, "gw");
    assert_eq!(answer(own, "extra.example").await, "nothing");
    let allowed = gateway(shared.port(), "Same");
    site.write_until("gateway.yaml", &allowed, |report| report.snapshot.listeners.len() == 2).await;
    assert_eq!(answer(own, "extra.example").await, "extra");
    assert_eq!(site.stop().await, 0);
}
