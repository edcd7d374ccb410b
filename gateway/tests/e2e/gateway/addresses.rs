//! Static addresses: a Gateway is bound where it says, and nowhere else.

use crate::support::{Site, echo, service};
use lychgate_echo::EchoReport;
use lychgate_testkit::{Dial, free_addr};
use std::net::{IpAddr, SocketAddr};

/// A Gateway with one HTTP listener, and a Service and a route of the same name.
fn gateway_at(name: &str, addresses: &[&str], port: u16, backend: SocketAddr) -> String {
    let addresses: Vec<String> = addresses.iter().map(|ip| format!("{{type: IPAddress, value: \"{ip}\"}}")).collect();
    let addresses = addresses.join(", ");
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: \
         default}}\nspec:\n  gatewayClassName: lychgate\n  addresses: [{addresses}]\n  listeners: [{{name: http, protocol: \
         HTTP, port: {port}}}]\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, \
         namespace: default}}\nspec:\n  parentRefs: [{{name: {name}}}]\n  rules: [{{backendRefs: [{{name: {name}, port: \
         80}}]}}]\n---\n"
    ) + &service(name, &[backend])
}

async fn pod(ip: &str, port: u16) -> Option<String> {
    let address = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port);
    let reply = Dial::http1(address).get("http://a.example/").await.ok()?;
    Some(reply.json::<EchoReport>().identity.pod)
}

#[tokio::test]
async fn a_gateway_is_bound_to_all_of_its_addresses_and_no_other() {
    let (_blue, backend) = echo("blue").await;
    let port = free_addr().port();
    let files = gateway_at("blue", &["127.0.0.1", "127.0.0.2", "::1"], port, backend);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for ip in ["127.0.0.1", "127.0.0.2", "::1"] {
        assert_eq!(pod(ip, port).await.as_deref(), Some("blue"), "{ip}");
    }
    assert_eq!(pod("127.0.0.3", port).await, None);
    let status = site.report().to_value().to_string();
    for ip in ["127.0.0.1", "127.0.0.2", "::1"] {
        assert!(status.contains(&format!("\"value\":\"{ip}\"")), "{ip} is in {status}");
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn gateways_on_one_port_are_told_apart_by_address() {
    let (_blue, blue) = echo("blue").await;
    let (_green, green) = echo("green").await;
    let port = free_addr().port();
    let files = gateway_at("blue", &["127.0.0.1"], port, blue) + &gateway_at("green", &["127.0.0.2"], port, green);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    assert_eq!(pod("127.0.0.1", port).await.as_deref(), Some("blue"));
    assert_eq!(pod("127.0.0.2", port).await.as_deref(), Some("green"));
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn an_address_of_another_host_harms_no_other_address() {
    let (_blue, backend) = echo("blue").await;
    let port = free_addr().port();
    // For documentation (RFC 5737): no host has it.
    let site = Site::serve(&[("all.yaml", &gateway_at("blue", &["127.0.0.1", "192.0.2.1"], port, backend))]).await;
    assert_eq!(pod("127.0.0.1", port).await.as_deref(), Some("blue"));
    let report = site.report();
    let unbound: Vec<String> = report.unbound.keys().map(ToString::to_string).collect();
    assert_eq!(unbound, [format!("192.0.2.1:{port}")]);
    assert_eq!(site.stop().await, 0);
}
