//! UDPRoute: where datagrams go, and whose answers are whose.

use super::{loopback, pod, route, teller, udp_service};
use crate::support::{PATIENCE, Site, gateway, service};
use crate::tls::{to_xbackend, xbackend};
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_testkit::{free_addr, free_udp_addr};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;

pub(super) fn listener(port: u16) -> String {
    gateway(&format!("    - {{name: udp, protocol: UDP, port: {port}}}\n"))
}

/// A client of a gateway.
pub(crate) async fn client(gateway: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    socket.connect(gateway).await.unwrap();
    socket
}

/// Sends a datagram until it is answered: datagrams may be lost anywhere.
pub(crate) async fn ask(socket: &UdpSocket, question: &str) -> String {
    let mut buffer = vec![0; 65_535];
    let asking = async {
        loop {
            // An error is of an earlier datagram that nobody took.
            let _ = socket.send(question.as_bytes()).await;
            let answer = tokio::time::timeout(Duration::from_millis(250), socket.recv(&mut buffer)).await;
            if let Ok(Ok(size)) = answer {
                return String::from_utf8(buffer[..size].to_vec()).unwrap();
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("no answer")
}

pub(super) fn pod_of(answer: &str) -> String {
    let told: serde_json::Value = serde_json::from_str(answer).unwrap();
    told["pod"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_flow_stays_with_its_endpoint_and_flows_are_shared_by_weight() {
    let tellers = [
        teller("one", |config| config.with_udp(loopback())).await,
        teller("two", |config| config.with_udp(loopback())).await,
        teller("light", |config| config.with_udp(loopback())).await,
    ];
    let [one, two, light] = tellers.each_ref().map(|teller| teller.local_addr(Port::Udp).unwrap());
    let gateway = free_udp_addr();
    let files = listener(gateway.port())
        + &udp_service("heavy", &[one, two])
        + &udp_service("light", &[light])
        + &route("UDPRoute", "dns", "udp", "", "{name: heavy, port: 53, weight: 3}, {name: light, port: 53}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..200 {
        let client = client(gateway).await;
        let pods: BTreeSet<String> =
            [pod_of(&ask(&client, "a").await), pod_of(&ask(&client, "b").await)].into_iter().collect();
        assert_eq!(pods.len(), 1, "{pods:?}");
        *counts.entry(pods.into_iter().next().unwrap()).or_default() += 1;
    }
    let of = |name: &str| counts.get(name).copied().unwrap_or_default();
    assert!((15..=90).contains(&of("light")), "{counts:?}");
    assert!(of("one").abs_diff(of("two")) <= 2, "round-robin: {counts:?}");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn one_port_number_is_for_tcp_and_udp() {
    let server = teller("dns", |config| config.with_tcp(loopback()).with_udp(loopback())).await;
    let (tcp, udp) = (server.local_addr(Port::Tcp).unwrap(), server.local_addr(Port::Udp).unwrap());
    // One number that is free for both.
    let address = loop {
        let address = free_addr();
        if std::net::UdpSocket::bind(address).is_ok() {
            break address;
        }
    };
    let port = address.port();
    let slice = |name: &str, protocol: &str, endpoint: SocketAddr| {
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}\n  namespace: default\n  \
             labels: {{kubernetes.io/service-name: dns}}\naddressType: IPv4\nendpoints: [{{addresses: \
             [127.0.0.1]}}]\nports: [{{name: {name}, protocol: {protocol}, port: {}}}]\n---\n",
            endpoint.port()
        )
    };
    let files = gateway(&format!(
        "    - {{name: tcp, protocol: TCP, port: {port}}}\n    - {{name: udp, protocol: UDP, port: {port}}}\n"
    )) + "apiVersion: v1\nkind: Service\nmetadata: {name: dns, namespace: default}\nspec:\n  ports: [{name: tcp, port: \
          53}, {name: udp, port: 53, protocol: UDP}]\n---\n"
        + &slice("tcp", "TCP", tcp)
        + &slice("udp", "UDP", udp)
        + &route("TCPRoute", "dns", "tcp", "", "{name: dns, port: 53}")
        + &route("UDPRoute", "dns", "udp", "", "{name: dns, port: 53}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    assert_eq!(pod(address).await.as_deref(), Some("dns"));
    let answer: serde_json::Value = serde_json::from_str(&ask(&client(address).await, "who?").await).unwrap();
    assert_eq!((answer["request"].as_str(), answer["pod"].as_str()), (Some("who?"), Some("dns")));
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_dead_endpoint_costs_no_question() {
    let alive = teller("alive", |config| config.with_udp(loopback())).await;
    let gateway = free_udp_addr();
    // A socket that is connected elsewhere keeps the port, and takes nothing of what is sent there.
    let held = UdpSocket::bind(loopback()).await.unwrap();
    held.connect(alive.local_addr(Port::Udp).unwrap()).await.unwrap();
    let dead = held.local_addr().unwrap();
    let files = listener(gateway.port())
        + &udp_service("dns", &[dead, alive.local_addr(Port::Udp).unwrap()])
        + &route("UDPRoute", "dns", "udp", "", "{name: dns, port: 53}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    for _ in 0..10 {
        let client = client(gateway).await;
        // Once: the gateway itself asks the next endpoint.
        client.send(b"?").await.unwrap();
        let mut answer = vec![0; 4096];
        let size = tokio::time::timeout(PATIENCE, client.recv(&mut answer)).await.expect("no answer").unwrap();
        assert_eq!(pod_of(std::str::from_utf8(&answer[..size]).unwrap()), "alive");
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn names_outside_are_reached_through_xbackends() {
    let server = EchoServer::bind(EchoConfig::default().with_udp(loopback())).await.unwrap();
    let gateway = free_udp_addr();
    let files = listener(gateway.port())
        + &xbackend("dns", server.local_addr(Port::Udp).unwrap().port(), "")
        + &route("UDPRoute", "dns", "udp", "", &to_xbackend("dns"));
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert_eq!(ask(&client(gateway).await, "through a name").await, "through a name");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn large_and_empty_datagrams_are_datagrams() {
    let server = EchoServer::bind(EchoConfig::default().with_udp(loopback())).await.unwrap();
    let gateway = free_udp_addr();
    let files = listener(gateway.port())
        + &udp_service("dns", &[server.local_addr(Port::Udp).unwrap()])
        + &route("UDPRoute", "dns", "udp", "", "{name: dns, port: 53}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let client = client(gateway).await;
    // The most that IPv4 carries.
    let large = "x".repeat(65_507);
    assert!(ask(&client, &large).await == large);
    assert_eq!(ask(&client, "").await, "");
    // A service for HTTP has nothing to do with it.
    site.write("more.yaml", &service("web", &[])).await;
    assert_eq!(ask(&client, "still").await, "still");
    assert_eq!(site.stop().await, 0);
}
