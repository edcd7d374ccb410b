//! Which endpoints of a backend get connections and datagrams, while they become ready, terminate and go.

use super::udp::{self, client as udp_client};
use super::{ask, loopback, pod, route, teller};
use crate::support::{PATIENCE, Site, gateway};
use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer, Port};
use lychgate_testkit::{Authority, ClientTls, Dial, RawConnection, free_addrs, free_udp_addr, server_tls};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use tokio::net::UdpSocket;

const READY: &str = "ready: true";
const NOT_READY: &str = "ready: false, serving: false";
const TERMINATING: &str = "ready: false, serving: true, terminating: true";
const TERMINATING_DEAF: &str = "ready: false, serving: false, terminating: true";

/// A Service with one port of this protocol, and an EndpointSlice for each endpoint with its conditions.
fn with_conditions(name: &str, protocol: &str, endpoints: &[(SocketAddr, &str)]) -> String {
    let mut yaml = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\nspec: {{ports: [{{name: it, port: 80, \
         protocol: {protocol}}}]}}\n---\n"
    );
    for (index, (address, conditions)) in endpoints.iter().enumerate() {
        yaml += &format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}-{index}, namespace: default, labels: \
             {{kubernetes.io/service-name: {name}}}}}\naddressType: IPv4\nendpoints: [{{addresses: [{}], conditions: \
             {{{conditions}}}}}]\nports: [{{name: it, port: {}, protocol: {protocol}}}]\n---\n",
            address.ip(),
            address.port()
        );
    }
    yaml
}

/// Who answers eight questions; nobody is `-`.
async fn who(ask: impl AsyncFn() -> Option<String>) -> BTreeSet<String> {
    let mut pods = BTreeSet::new();
    for _ in 0..8 {
        pods.insert(ask().await.unwrap_or_else(|| "-".to_owned()));
    }
    pods
}

/// Waits until one pod alone answers: what was written counts soon, and not in no time.
async fn settles(ask: impl AsyncFn() -> Option<String>, pod: &str) {
    let asking = async { while who(&ask).await != only(&[pod]) {} };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("not only {pod} answers"));
}

fn only(pods: &[&str]) -> BTreeSet<String> {
    pods.iter().map(|pod| (*pod).to_owned()).collect()
}

#[tokio::test]
async fn connections_go_to_endpoints_that_are_ready() {
    let authority = Authority::new("root");
    let open = |name: &'static str| {
        let tls = server_tls(&authority.server(&["db.example.com"]));
        teller(name, move |config| config.with_tcp(loopback()).with_tls(loopback(), tls))
    };
    let pods = [open("a").await, open("b").await, open("c").await, open("d").await];
    let [tcp, tls] = free_addrs();
    let listeners = gateway(&format!(
        "    - {{name: tcp, protocol: TCP, port: {}}}\n    - {{name: tls, protocol: TLS, port: {}, tls: {{mode: \
         Passthrough}}}}\n",
        tcp.port(),
        tls.port()
    )) + &route("TCPRoute", "plain", "tcp", "", "{name: plain, port: 80}")
        + &route("TLSRoute", "sealed", "tls", "db.example.com", "{name: sealed, port: 80}");
    let backends = |conditions: &[(usize, &'static str)]| {
        let at = |port: Port| -> Vec<(SocketAddr, &str)> {
            conditions.iter().map(|(pod, condition)| (pods[*pod].local_addr(port).unwrap(), *condition)).collect()
        };
        with_conditions("plain", "TCP", &at(Port::Tcp)) + &with_conditions("sealed", "TCP", &at(Port::Tls))
    };
    let all = [(0, READY), (1, NOT_READY), (2, TERMINATING), (3, "")];
    let site = Site::serve(&[("routes.yaml", &listeners), ("backends.yaml", &backends(&all))]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let client = ClientTls::trusting(&authority);
    let passed = async || {
        let told = ask(&Dial::tls(tls, &client), "db.example.com").await.ok()??;
        Some(told["pod"].as_str()?.to_owned())
    };
    assert_eq!(who(async || pod(tcp).await).await, only(&["a", "d"]), "unknown counts as ready");
    assert_eq!(who(passed).await, only(&["a", "d"]), "unknown counts as ready");
    for (endpoints, expected) in [
        (&[(0, NOT_READY), (1, NOT_READY), (2, TERMINATING)][..], "c"),
        (&[(0, NOT_READY), (2, TERMINATING_DEAF)], "-"),
        (&[], "-"),
        (&[(1, READY), (2, TERMINATING)], "b"),
    ] {
        site.write("backends.yaml", &backends(endpoints)).await;
        settles(async || pod(tcp).await, expected).await;
        settles(passed, expected).await;
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_connection_stays_with_an_endpoint_that_terminates_and_goes() {
    let mirror = async || EchoServer::bind(EchoConfig::default().with_tcp(loopback())).await.unwrap();
    let (old, new) = (mirror().await, mirror().await);
    let [old_at, new_at] = [&old, &new].map(|server| server.local_addr(Port::Tcp).unwrap());
    let [address] = free_addrs();
    let routes = gateway(&format!("    - {{name: tcp, protocol: TCP, port: {}}}\n", address.port()))
        + &route("TCPRoute", "db", "tcp", "", "{name: db, port: 80}");
    let backends = |endpoints: &[(SocketAddr, &str)]| with_conditions("db", "TCP", endpoints);
    let site = Site::serve(&[("routes.yaml", &routes), ("backends.yaml", &backends(&[(old_at, READY)]))]).await;
    let mut early = RawConnection::open(&Dial::http1(address), "").await.unwrap();
    let mut said = async |text: &str| {
        early.send(text).await.unwrap();
        assert_eq!(early.read_exact(text.len()).await.unwrap(), text.as_bytes());
    };
    said("ready").await;
    for (endpoints, text) in
        [(&[(old_at, TERMINATING), (new_at, READY)][..], "terminating"), (&[(new_at, READY)][..], "gone")]
    {
        site.write("backends.yaml", &backends(endpoints)).await;
        let mut late = RawConnection::open(&Dial::http1(address), "").await.unwrap();
        late.send("late").await.unwrap();
        assert_eq!(late.read_exact(4).await.unwrap(), b"late");
        said(text).await;
    }
    assert_eq!((old.counts().connections, new.counts().connections), (1, 2));
    drop(early);
    assert_eq!(site.stop().await, 0);
}

/// Asks until somebody answers: a flow is told soon that its endpoint is gone, and not in no time.
async fn until_answered_by(client: &UdpSocket, pod: &str) {
    let asking = async { while udp::pod_of(&udp::ask(client, "?").await) != pod {} };
    tokio::time::timeout(PATIENCE, asking).await.expect("another one answers for ever");
}

#[tokio::test]
async fn flows_go_to_endpoints_that_are_ready_and_leave_those_that_go() {
    let open = |name: &'static str| teller(name, |config| config.with_udp(loopback()));
    let pods = [open("a").await, open("b").await, open("c").await];
    let at = |pod: usize| pods[pod].local_addr(Port::Udp).unwrap();
    let address = free_udp_addr();
    let routes = udp::listener(address.port()) + &route("UDPRoute", "dns", "udp", "", "{name: dns, port: 80}");
    let backends = |endpoints: &[(SocketAddr, &str)]| with_conditions("dns", "UDP", endpoints);
    let all = backends(&[(at(0), READY), (at(1), NOT_READY), (at(2), TERMINATING)]);
    let site = Site::serve(&[("routes.yaml", &routes), ("backends.yaml", &all)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let fresh = async || Some(udp::pod_of(&udp::ask(&udp_client(address).await, "?").await));
    assert_eq!(who(fresh).await, only(&["a"]));
    // One that is used all the time.
    let kept = udp_client(address).await;
    assert_eq!(udp::pod_of(&udp::ask(&kept, "?").await), "a");
    site.write("backends.yaml", &backends(&[(at(0), TERMINATING), (at(1), READY)])).await;
    settles(fresh, "b").await;
    assert_eq!(udp::pod_of(&udp::ask(&kept, "?").await), "a", "who terminates still answers its own");
    site.write("backends.yaml", &backends(&[(at(1), READY)])).await;
    until_answered_by(&kept, "b").await;
    site.write("backends.yaml", &backends(&[(at(2), TERMINATING)])).await;
    settles(fresh, "c").await;
    until_answered_by(&kept, "c").await;
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_flow_ends_with_its_backend() {
    let [old, new] = [
        teller("old", |config| config.with_udp(loopback())).await,
        teller("new", |config| config.with_udp(loopback())).await,
    ];
    let address = free_udp_addr();
    let backend =
        |name: &str, pod: &EchoServer| with_conditions(name, "UDP", &[(pod.local_addr(Port::Udp).unwrap(), READY)]);
    let files = |backends: &str, to: &str| {
        udp::listener(address.port())
            + backends
            + &route("UDPRoute", "dns", "udp", "", &format!("{{name: {to}, port: 80}}"))
    };
    let both = backend("old", &old) + &backend("new", &new);
    let site = Site::serve(&[("all.yaml", &files(&both, "old"))]).await;
    let kept = udp_client(address).await;
    assert_eq!(udp::pod_of(&udp::ask(&kept, "?").await), "old");
    // No route leads there any more, though the Service is as it was.
    site.write("all.yaml", &files(&both, "new")).await;
    until_answered_by(&kept, "new").await;
    assert_eq!(site.stop().await, 0);
}

/// A Service that is a name elsewhere.
fn external_name(name: &str, address: SocketAddr, protocol: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\nspec: {{type: ExternalName, \
         externalName: localhost, ports: [{{name: it, port: {}, protocol: {protocol}}}]}}\n---\n",
        address.port()
    )
}

#[tokio::test]
async fn services_may_be_names_outside() {
    let authority = Authority::new("root");
    let tls = server_tls(&authority.server(&["db.example.com"]));
    let config = EchoConfig::default().with_tcp(loopback()).with_udp(loopback()).with_tls(loopback(), tls);
    let config = config.with_identity(EchoIdentity::pod("far")).with_raw(lychgate_echo::RawMode::Conformance);
    let far = EchoServer::bind(config).await.unwrap();
    let [plain_at, sealed_at, dns_at] = [Port::Tcp, Port::Tls, Port::Udp].map(|port| far.local_addr(port).unwrap());
    let [tcp, tls] = free_addrs();
    let dns = free_udp_addr();
    let to = |name: &str, address: SocketAddr| format!("{{name: {name}, port: {}}}", address.port());
    let files = gateway(&format!(
        "    - {{name: tcp, protocol: TCP, port: {}}}\n    - {{name: tls, protocol: TLS, port: {}, tls: {{mode: \
         Passthrough}}}}\n    - {{name: udp, protocol: UDP, port: {}}}\n",
        tcp.port(),
        tls.port(),
        dns.port()
    )) + &external_name("plain", plain_at, "TCP")
        + &external_name("sealed", sealed_at, "TCP")
        + &external_name("dns", dns_at, "UDP")
        + &route("TCPRoute", "plain", "tcp", "", &to("plain", plain_at))
        + &route("TLSRoute", "sealed", "tls", "db.example.com", &to("sealed", sealed_at))
        + &route("UDPRoute", "dns", "udp", "", &to("dns", dns_at));
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    assert_eq!(pod(tcp).await.as_deref(), Some("far"));
    let client = ClientTls::trusting(&authority);
    assert_eq!(ask(&Dial::tls(tls, &client), "db.example.com").await.unwrap().unwrap()["pod"], "far");
    let answer = tokio::time::timeout(PATIENCE, async { udp::ask(&udp_client(dns).await, "?").await }).await.unwrap();
    assert_eq!(udp::pod_of(&answer), "far");
    assert_eq!(site.stop().await, 0);
}
