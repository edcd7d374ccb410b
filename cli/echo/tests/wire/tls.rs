//! HTTPS: what the server tells of the connection.

use lychgate_echo::{EchoConfig, EchoReport, EchoServer, Port, TlsReport};
use lychgate_testkit::{
    Authority, ClientTls, Dial, KeyKind, server_tls, server_tls_asking_clients, server_tls_by_name,
};
use rustls::{ProtocolVersion, ServerConfig};

use crate::{addr, any};

async fn https(tls: ServerConfig) -> (EchoServer, std::net::SocketAddr) {
    let server = EchoServer::bind(EchoConfig::default().with_https(any(), tls)).await.unwrap();
    let addr = addr(&server, Port::Https);
    (server, addr)
}

async fn told(dial: &Dial) -> TlsReport {
    let report: EchoReport = dial.get("https://a.example/").await.unwrap().json();
    report.tls.unwrap()
}

#[tokio::test]
async fn alpn_chooses_the_protocol_and_the_report_tells_all() {
    let ca = Authority::new("ca");
    let (_server, addr) = https(server_tls(&ca.server(&["a.example"]))).await;
    for (alpn, agreed, proto) in [
        (vec!["h2", "http/1.1"], "h2", "HTTP/2.0"),
        (vec!["http/1.1"], "http/1.1", "HTTP/1.1"),
        (vec![], "", "HTTP/1.1"),
    ] {
        let reply = Dial::tls(addr, &ClientTls::trusting(&ca).alpn(&alpn)).get("https://a.example/").await.unwrap();
        let report: EchoReport = reply.json();
        assert_eq!(report.proto, proto);
        let tls = report.tls.unwrap();
        assert_eq!(tls.server_name, "a.example");
        assert_eq!(tls.negotiated_protocol, agreed);
        assert_eq!(tls.version, "TLSv1.3");
        assert!(tls.cipher_suite.starts_with("TLS_") && !tls.cipher_suite.contains("TLS13"), "{}", tls.cipher_suite);
        assert_eq!(tls.key_exchange, "X25519MLKEM768");
        assert!(tls.peer_certificates.is_empty() && !tls.resumed);
        assert_eq!(reply.tls.unwrap().alpn.unwrap_or_default(), agreed);
    }
}

#[tokio::test]
async fn sessions_are_resumed_and_told() {
    let ca = Authority::new("ca");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let (_server, addr) = https(server_tls(&ca.server(&["a.example"]))).await;
        let dial = Dial::tls(addr, &ClientTls::only(&ca, version));
        assert!(!told(&dial).await.resumed);
        assert!(told(&dial).await.resumed, "{:?}", version.version);
        assert!(!told(&Dial::tls(addr, &ClientTls::only(&ca, version))).await.resumed, "a stranger has no session");
    }
}

#[tokio::test]
async fn client_certificates_are_told_as_pem() {
    let (ca, clients) = (Authority::new("ca"), Authority::new("clients"));
    let leaf = clients.client("somebody");
    let server = ca.server(&["a.example"]);
    let (_server, addr) = https(server_tls_asking_clients(&server, &clients, false)).await;
    let tls = told(&Dial::tls(addr, &ClientTls::with_identity(&ca, &leaf))).await;
    assert_eq!(tls.peer_certificates, [leaf.chain_pem()]);
    assert!(told(&Dial::tls(addr, &ClientTls::trusting(&ca))).await.peer_certificates.is_empty());
}

#[tokio::test]
async fn clients_without_the_wanted_certificate_are_refused() {
    let (ca, clients, others) = (Authority::new("ca"), Authority::new("clients"), Authority::new("clients"));
    let server = ca.server(&["a.example"]);
    let (_server, addr) = https(server_tls_asking_clients(&server, &clients, true)).await;
    let refused = |tls: ClientTls| async move {
        let error = Dial::tls(addr, &tls).get("https://a.example/").await.unwrap_err();
        assert!(error.is_tls(), "{error:?}");
    };
    refused(ClientTls::trusting(&ca)).await;
    refused(ClientTls::with_identity(&ca, &others.client("somebody"))).await;
    refused(ClientTls::with_identity(&ca, &clients.leaf().dns("late").expired().issue())).await;
    refused(ClientTls::with_identity(&ca, &clients.leaf().dns("wrong").server_only().issue())).await;
    told(&Dial::tls(addr, &ClientTls::with_identity(&ca, &clients.client("somebody")))).await;
}

#[tokio::test]
async fn certificates_that_should_not_be_trusted_are_not() {
    let (ca, other) = (Authority::new("ca"), Authority::new("ca"));
    let below = ca.intermediate("below");
    let good = [
        ca.server(&["a.shop.example"]),
        ca.leaf().dns("*.shop.example").issue(),
        ca.leaf().dns("a.shop.example").key(KeyKind::Rsa2048).issue(),
        below.server(&["a.shop.example"]),
    ];
    for leaf in &good {
        let (_server, addr) = https(server_tls(leaf)).await;
        let reply = Dial::tls(addr, &ClientTls::trusting(&ca)).get("https://a.shop.example/").await.unwrap();
        assert_eq!(reply.tls.unwrap().certificates, leaf.chain());
    }
    let bad = [
        ca.leaf().dns("a.shop.example").expired().issue(),
        ca.leaf().dns("a.shop.example").not_yet_valid().issue(),
        ca.leaf().dns("a.shop.example").client_only().issue(),
        ca.server(&["b.example"]),
        ca.leaf().uri("spiffe://a.shop.example/x").issue(),
        other.server(&["a.shop.example"]),
    ];
    for leaf in &bad {
        let (_server, addr) = https(server_tls(leaf)).await;
        let error = Dial::tls(addr, &ClientTls::trusting(&ca)).get("https://a.shop.example/").await.unwrap_err();
        assert!(error.is_tls(), "{error:?}");
        let seen = Dial::tls(addr, &ClientTls::trusting_anybody()).get("https://a.shop.example/").await.unwrap();
        assert_eq!(seen.tls.unwrap().certificates, leaf.chain());
    }
}

#[tokio::test]
async fn the_server_name_need_not_be_the_host() {
    let ca = Authority::new("ca");
    let (a, b) = (ca.server(&["a.example"]), ca.server(&["b.example"]));
    let (_server, addr) = https(server_tls_by_name(&[("a.example", &a), ("b.example", &b)])).await;
    let dial = Dial::tls(addr, &ClientTls::trusting(&ca));
    let reply = dial.clone().sni("b.example").get("https://a.example/").await.unwrap();
    assert_eq!(reply.tls.as_ref().unwrap().certificates, b.chain());
    let report: EchoReport = reply.json();
    assert_eq!((report.host.as_str(), report.tls.unwrap().server_name.as_str()), ("a.example", "b.example"));
    assert!(dial.get("https://c.example/").await.unwrap_err().is_tls());
    assert!(Dial::tls(addr, &ClientTls::trusting(&ca).without_sni()).get("https://a.example/").await.is_err());
}

#[tokio::test]
async fn the_version_is_told() {
    let ca = Authority::new("ca");
    let (_server, addr) = https(server_tls(&ca.server(&["a.example"]))).await;
    let reply =
        Dial::tls(addr, &ClientTls::only(&ca, &rustls::version::TLS12)).get("https://a.example/").await.unwrap();
    assert_eq!(reply.tls.as_ref().unwrap().version, Some(ProtocolVersion::TLSv1_2));
    let report: EchoReport = reply.json();
    assert_eq!(report.tls.unwrap().version, "TLSv1.2");
}
