//! ReferenceGrants (GEP-709), given and taken away while requests come.

use super::blue;
use super::client_certificates::{client, frontend};
use crate::support::{Site, echo, gateway, http_gateway, http_route, service};
use crate::tls::{https, secret};
use lychgate_testkit::{Authority, ClientTls, Dial, free_addr};

/// Lets objects of a kind in `default` refer to objects of a kind in `far`.
fn grant(from: &str, to: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: {{name: grant, namespace: \
         far}}\nspec:\n  from: [{{group: gateway.networking.k8s.io, kind: {from}, namespace: default}}]\n  to: [{{group: \
         \"\", kind: {to}}}]\n---\n"
    )
}

/// What stands in the file where no grant is: an empty one would be taken for half written.
const NO_GRANT: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: far}\n";

#[tokio::test]
async fn backend_references_need_a_grant() {
    let (_blue, backend) = echo("blue").await;
    let address = free_addr();
    let files = http_gateway(address.port())
        + &service("blue", &[backend]).replace("namespace: default", "namespace: far")
        + &http_route("all", "[]", "    - backendRefs: [{name: blue, namespace: far, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files), ("grant.yaml", NO_GRANT)]).await;
    let mut connection = Dial::http1(address).connect("a.example").await.unwrap();
    let mut status = async || connection.get("http://a.example/").await.unwrap().status.as_u16();
    assert_eq!(status().await, 500);
    assert!(site.report().to_value().to_string().contains("RefNotPermitted"));
    site.write("grant.yaml", &grant("HTTPRoute", "Service")).await;
    assert_eq!(status().await, 200);
    assert!(site.report().is_clean());
    // For another kind of route, and to another kind of object.
    site.write("grant.yaml", &grant("GRPCRoute", "Service")).await;
    assert_eq!(status().await, 500);
    site.write("grant.yaml", &grant("HTTPRoute", "Secret")).await;
    assert_eq!(status().await, 500);
    site.write("grant.yaml", &grant("HTTPRoute", "Service")).await;
    assert_eq!(status().await, 200);
    site.write("grant.yaml", NO_GRANT).await;
    assert_eq!(status().await, 500);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn certificate_references_need_a_grant() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let near = https("near", address.port(), "near.example", &["near"]);
    let far =
        https("far", address.port(), "far.example", &["far"]).replace("{name: far}", "{name: far, namespace: far}");
    let files = gateway(&(near + &far))
        + &secret("near", &authority.server(&["near.example"]))
        + &authority.server(&["far.example"]).secret("far", "far")
        + "---\n"
        + &files;
    let site = Site::serve(&[("all.yaml", &files), ("grant.yaml", NO_GRANT)]).await;
    let dial = Dial::tls(address, &ClientTls::trusting(&authority));
    assert_eq!(dial.get("https://near.example/").await.unwrap().status, 200);
    assert!(dial.get("https://far.example/").await.unwrap_err().is_tls());
    site.write("grant.yaml", &grant("Gateway", "Secret")).await;
    assert_eq!(dial.get("https://far.example/").await.unwrap().status, 200);
    site.write("grant.yaml", NO_GRANT).await;
    assert!(dial.get("https://far.example/").await.unwrap_err().is_tls());
    assert_eq!(dial.get("https://near.example/").await.unwrap().status, 200);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn references_to_trust_anchors_need_a_grant() {
    let (_blue, files) = blue().await;
    let (servers, clients, address) = (Authority::new("servers"), Authority::new("clients"), free_addr());
    let reference =
        "{validation: {caCertificateRefs: [{group: \"\", kind: ConfigMap, name: clients, namespace: far}]}}";
    let files = gateway(&(https("https", address.port(), "", &["cert"]) + &frontend(reference, &[])))
        + &secret("cert", &servers.server(&["a.example"]))
        + &clients.config_map("far", "clients")
        + "---\n"
        + &files;
    let site = Site::serve(&[("all.yaml", &files), ("grant.yaml", NO_GRANT)]).await;
    let dial = Dial::tls(address, &client(&servers, Some(&clients.client("alice"))));
    assert!(dial.get("https://a.example/").await.unwrap_err().is_tls());
    site.write("grant.yaml", &grant("Gateway", "ConfigMap")).await;
    assert_eq!(dial.get("https://a.example/").await.unwrap().status, 200);
    site.write("grant.yaml", NO_GRANT).await;
    assert!(dial.get("https://a.example/").await.unwrap_err().is_tls());
    assert_eq!(site.stop().await, 0);
}
