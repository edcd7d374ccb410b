//! What we show to backends: the certificate of the Gateway (GEP-3155), or of the XBackend itself.

use super::{Bed, routes};
use crate::support::{Site, gateway, service};
use crate::tls::{ca, secret, tls_echo, tls_policy, to_xbackend, trusting, xbackend};
use lychgate_echo::{EchoReport, EchoServer};
use lychgate_testkit::{Authority, Dial, Leaf, free_addr, free_addrs, server_tls_asking_clients};
use std::net::SocketAddr;

/// `spec.tls.backend`, as the end of what [`gateway`] takes.
fn shown_to_backends(secret: &str) -> String {
    format!("  tls: {{backend: {{clientCertificateRef: {{name: {secret}}}}}}}\n")
}

fn http(port: u16) -> String {
    format!("    - {{name: http, protocol: HTTP, port: {port}}}\n")
}

/// A backend that wants to see a certificate, or at least asks for one.
async fn backend(servers: &Authority, clients: &Authority, is_required: bool) -> (EchoServer, SocketAddr) {
    let leaf = servers.server(&["b.example"]);
    tls_echo("b", server_tls_asking_clients(&leaf, clients, is_required)).await
}

fn is_shown(seen: &EchoReport, leaf: &Leaf) -> bool {
    seen.tls.as_ref().unwrap().peer_certificates.first().is_some_and(|pem| *pem == leaf.chain_pem())
}

async fn seen(address: SocketAddr, path: &str) -> EchoReport {
    let reply = Dial::http1(address).get(&format!("http://a.example/{path}")).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn a_gateway_shows_its_certificate_to_backends_under_tls() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let (_server, backend) = backend(&servers, &clients, true).await;
    let (own, address) = (clients.client("gateway"), free_addr());
    let files = service("b", &[backend])
        + &tls_policy("b", &trusting("ca", "b.example"))
        + &ca("ca", &servers)
        + &secret("own", &own)
        + &routes(&["b"]);
    let with = gateway(&(http(address.port()) + &shown_to_backends("own")));
    let site = Site::serve(&[("gateway.yaml", &with), ("rest.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    assert!(is_shown(&seen(address, "b").await, &own));
    // Without it, no request goes on over the connection that was made with it.
    site.write("gateway.yaml", &gateway(&http(address.port()))).await;
    assert_eq!(Dial::http1(address).get("http://a.example/b").await.unwrap().status, 502);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn gateways_do_not_borrow_the_certificates_of_each_other() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let (_server, backend) = backend(&servers, &clients, false).await;
    let identities = [Some(clients.client("one")), Some(clients.client("two")), None];
    let addresses: [SocketAddr; 3] = free_addrs();
    let mut files = service("b", &[backend]) + &tls_policy("b", &trusting("ca", "b.example")) + &ca("ca", &servers);
    for (index, (identity, address)) in identities.iter().zip(addresses).enumerate() {
        let name = format!("gw{index}");
        let tls = identity.as_ref().map(|_| shown_to_backends(&name)).unwrap_or_default();
        files += &gateway(&(http(address.port()) + &tls)).replace("name: gw,", &format!("name: {name},"));
        files += &routes(&["b"])
            .replace("{name: b, namespace", &format!("{{name: {name}, namespace"))
            .replace("{name: gw}", &format!("{{name: {name}}}"));
        if let Some(identity) = identity {
            files += &secret(&name, identity);
        }
    }
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    // Twice, so that connections to reuse are there.
    for _ in 0..2 {
        for (identity, address) in identities.iter().zip(addresses) {
            let seen = seen(address, "b").await;
            match identity {
                Some(identity) => assert!(is_shown(&seen, identity)),
                None => assert!(seen.tls.unwrap().peer_certificates.is_empty()),
            }
        }
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_new_certificate_is_shown_at_once() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let (_server, backend) = backend(&servers, &clients, true).await;
    let (old, new, address) = (clients.client("gateway"), clients.client("gateway"), free_addr());
    let files = gateway(&(http(address.port()) + &shown_to_backends("own")))
        + &service("b", &[backend])
        + &tls_policy("b", &trusting("ca", "b.example"))
        + &ca("ca", &servers)
        + &routes(&["b"]);
    let site = Site::serve(&[("all.yaml", &files), ("own.yaml", &secret("own", &old))]).await;
    assert!(is_shown(&seen(address, "b").await, &old));
    site.write("own.yaml", &secret("own", &new)).await;
    assert!(is_shown(&seen(address, "b").await, &new));
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn an_xbackend_is_shown_its_own_certificate_or_none() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let (_required, required) = backend(&servers, &clients, true).await;
    let (_optional, optional) = backend(&servers, &clients, false).await;
    let (of_gateway, own, address) = (clients.client("gateway"), clients.client("xbackend"), free_addr());
    let trust = trusting("ca", "b.example");
    let both = format!("  tls: {{mode: ClientAndServer, clientCertificateRef: {{name: own}}, validation: {trust}}}\n");
    let broken = both.replace("own", "nowhere");
    let server_only = format!("  tls: {{mode: ServerOnly, validation: {trust}}}\n");
    let references = ["both", "broken", "server-only"].map(|name| format!("{name}={}", to_xbackend(name)));
    let files = gateway(&(http(address.port()) + &shown_to_backends("gateway")))
        + &xbackend("both", required.port(), &both)
        + &xbackend("broken", required.port(), &broken)
        + &xbackend("server-only", optional.port(), &server_only)
        + &ca("ca", &servers)
        + &secret("gateway", &of_gateway)
        + &secret("own", &own)
        + &routes(&references.each_ref().map(String::as_str));
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(is_shown(&seen(address, "both").await, &own));
    assert!(seen(address, "server-only").await.tls.unwrap().peer_certificates.is_empty());
    assert_eq!(Dial::http1(address).get("http://a.example/broken").await.unwrap().status, 500);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_backend_that_insists_on_a_certificate_gets_no_request_without() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let (server, backend) = backend(&servers, &clients, true).await;
    let files = service("b", &[backend]) + &tls_policy("b", &trusting("ca", "b.example")) + &ca("ca", &servers);
    let bed = Bed::new(&["b"], &[("all.yaml", &files)]).await;
    assert_eq!(bed.status("b").await, 502);
    assert_eq!(server.counts().requests, 0);
    bed.stop().await;
}
