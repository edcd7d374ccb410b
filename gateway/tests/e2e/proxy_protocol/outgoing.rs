//! Headers for backends that ask for them.

use super::{V1, believing, v2};
use crate::support::{Site, annotated, gateway, http_gateway, http_route, service, service_speaking, soon};
use crate::tls::{ca, https, secret, tls_policy, to_xbackend, trusting, xbackend};
use lychgate_echo::{EchoConfig, EchoIdentity, EchoReport, EchoServer, Introduction, Port, RawMode};
use lychgate_testkit::{Authority, ClientTls, Connected, Dial, RawConnection, WebSocket, free_addr, server_tls};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";
const VERSIONS: [&str; 2] = ["v1", "v2"];

fn asking(version: &str, yaml: &str) -> String {
    annotated(yaml, &format!("lychgate.dev/proxy-protocol: {version}"))
}

fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A backend that serves nobody who is not introduced.
async fn strict(config: EchoConfig) -> EchoServer {
    let config = config.with_raw(RawMode::Conformance).with_identity(EchoIdentity::pod("it")).with_proxy_protocol();
    EchoServer::bind(config).await.unwrap()
}

/// A gateway with one HTTP listener in front of these objects.
async fn serve(objects: &str) -> (Site, SocketAddr) {
    let at = free_addr();
    let files = http_gateway(at.port()) + objects + &http_route("it", "[]", RULE);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    (site, at)
}

async fn seen(connection: &mut Connected) -> EchoReport {
    let reply = connection.get("http://a.example/").await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// What a backend has to be told.
fn between(version: &str, source: SocketAddr, destination: SocketAddr) -> Option<Introduction> {
    Some(Introduction { version: version.to_owned(), source: Some(source), destination: Some(destination) })
}

#[tokio::test]
async fn connections_of_a_client_to_endpoints_that_go_are_closed_before_the_client_s() {
    for protocol in [None, Some("kubernetes.io/h2c")] {
        let it = strict(EchoConfig::loopback()).await;
        let address = it.local_addr(Port::Http).unwrap();
        let at = free_addr();
        let files = |addresses: &[SocketAddr]| {
            http_gateway(at.port())
                + &asking("v2", &service_speaking("it", protocol, addresses))
                + &http_route("it", "[]", RULE)
        };
        let site = Site::serve(&[("all.yaml", &files(&[address]))]).await;
        let mut client = Dial::http1(at).connect("a.example").await.unwrap();
        seen(&mut client).await;
        site.write("all.yaml", &files(&[])).await;
        let closed = it.wait_for(|counts| (counts.connections, counts.closed) == (1, 1));
        // Long before idle connections are closed in any case.
        let closed = tokio::time::timeout(Duration::from_secs(20), closed).await;
        assert!(closed.is_ok(), "{protocol:?}: {:?}", it.counts());
        assert_eq!(client.get("http://a.example/").await.unwrap().status, 503);
    }
}

#[tokio::test]
async fn two_clients_never_share_a_connection() {
    for version in VERSIONS {
        for protocol in [None, Some("kubernetes.io/h2c")] {
            let it = strict(EchoConfig::loopback()).await;
            let address = it.local_addr(Port::Http).unwrap();
            let (_site, at) = serve(&asking(version, &service_speaking("it", protocol, &[address]))).await;
            let mut used = BTreeSet::new();
            for dial in [Dial::http1(at), Dial::h2c(at), Dial::http1(at)] {
                let mut client = dial.connect("a.example").await.unwrap();
                let mut own = BTreeSet::new();
                for _ in 0..3 {
                    let report = seen(&mut client).await;
                    assert_eq!(report.proxy_protocol, between(version, client.local_addr(), at));
                    own.insert(report.connection);
                }
                // Its own connection serves it again, and nobody after it.
                assert_eq!(own.len(), 1, "{protocol:?}");
                assert!(used.insert(own), "{protocol:?}");
            }
        }
    }
}

#[tokio::test]
async fn requests_that_run_at_once_share_only_within_a_client() {
    let it = strict(EchoConfig::loopback()).await;
    let address = it.local_addr(Port::Http).unwrap();
    let (_site, at) = serve(&asking("v2", &service_speaking("it", Some("kubernetes.io/h2c"), &[address]))).await;
    let clients = [Dial::h2c(at).connect("a").await.unwrap(), Dial::h2c(at).connect("a").await.unwrap()];
    let mut held = tokio::task::JoinSet::new();
    for client in &clients {
        for _ in 0..4 {
            let mut client = client.multiplexed().unwrap();
            held.spawn(async move {
                let report: EchoReport = client.get("http://a.example/?hold=gate").await.unwrap().json();
                (client.local_addr(), report)
            });
        }
    }
    soon(it.wait_held("gate", 8)).await;
    it.release("gate");
    for (client, report) in held.join_all().await {
        assert_eq!(report.proxy_protocol, between("v2", client, at));
    }
}

#[tokio::test]
async fn a_backends_connection_ends_with_that_of_its_client() {
    for protocol in [None, Some("kubernetes.io/h2c")] {
        let it = strict(EchoConfig::loopback()).await;
        let address = it.local_addr(Port::Http).unwrap();
        let (_site, at) = serve(&asking("v1", &service_speaking("it", protocol, &[address]))).await;
        let mut stays = Dial::http1(at).connect("a.example").await.unwrap();
        let first = seen(&mut stays).await.connection;
        let mut goes = Dial::http1(at).connect("a.example").await.unwrap();
        seen(&mut goes).await;
        drop(goes);
        soon(it.wait_for(|counts| counts.closed == 1)).await;
        assert_eq!(seen(&mut stays).await.connection, first);
    }
}

#[tokio::test]
async fn a_header_comes_before_tls_to_the_backend() {
    let authority = Authority::new("ca");
    for protocol in [None, Some("kubernetes.io/h2c"), Some("kubernetes.io/wss")] {
        let it = strict(EchoConfig::default().with_https(any(), server_tls(&authority.server(&["b.example"])))).await;
        let address = it.local_addr(Port::Https).unwrap();
        let objects = asking("v2", &service_speaking("it", protocol, &[address]))
            + &tls_policy("it", &trusting("ca", "b.example"))
            + &ca("ca", &authority);
        let (_site, at) = serve(&objects).await;
        let mut used = BTreeSet::new();
        for _ in 0..2 {
            let mut client = Dial::http1(at).connect("a.example").await.unwrap();
            let mut own = BTreeSet::new();
            for _ in 0..2 {
                let report = seen(&mut client).await;
                assert_eq!(report.tls.unwrap().server_name, "b.example");
                assert_eq!(report.proxy_protocol, between("v2", client.local_addr(), at));
                own.insert(report.connection);
            }
            assert_eq!(own.len(), 1, "{protocol:?}");
            assert!(used.insert(own), "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn what_one_proxy_told_us_we_tell_the_next() {
    let it = strict(EchoConfig::loopback()).await;
    let at = free_addr();
    let files = believing("127.0.0.1", &format!("    - {{name: http, protocol: HTTP, port: {}}}\n", at.port()))
        + &asking("v1", &service("it", &[it.local_addr(Port::Http).unwrap()]))
        + &http_route("it", "[]", RULE);
    let _site = Site::serve(&[("all.yaml", &files)]).await;
    let mut client = Dial::http1(at).first(V1).connect("a.example").await.unwrap();
    let told = between("v1", "192.0.2.7:4711".parse().unwrap(), "198.51.100.1:443".parse().unwrap());
    assert_eq!(seen(&mut client).await.proxy_protocol, told);
    let mut client = Dial::http1(at).first(v2()).connect("a.example").await.unwrap();
    let told = between("v1", "[2001:db8::7]:4711".parse().unwrap(), "[2001:db8::1]:443".parse().unwrap());
    assert_eq!(seen(&mut client).await.proxy_protocol, told);
}

#[tokio::test]
async fn streams_begin_with_a_header() {
    let authority = Authority::new("ca");
    let tls = || server_tls(&authority.server(&["a.example", "b.example"]));
    let it = strict(EchoConfig::default().with_tcp(any()).with_tls(any(), tls())).await;
    let (tcp, passed, ended) = (free_addr(), free_addr(), free_addr());
    let listeners = format!(
        "    - {{name: tcp, protocol: TCP, port: {}}}\n    - {{name: passed, protocol: TLS, port: {}, tls: {{mode: \
         Passthrough}}}}\n    - {{name: ended, protocol: TLS, port: {}, tls: {{mode: Terminate, certificateRefs: [{{name: \
         cert}}]}}}}\n",
        tcp.port(),
        passed.port(),
        ended.port()
    );
    let route = |kind: &str, section: &str, backend: &str| {
        let hostnames = if kind == "TLSRoute" { "  hostnames: [a.example]\n" } else { "" };
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {section}, namespace: \
             default}}\nspec:\n  parentRefs: [{{name: gw, sectionName: {section}}}]\n{hostnames}  rules: [{{backendRefs: \
             [{backend}]}}]\n---\n"
        )
    };
    let away = "  tls: {mode: ServerOnly, validation: ".to_owned() + &trusting("ca", "b.example") + "}\n";
    let backends = service("tcp", &[it.local_addr(Port::Tcp).unwrap()])
        + &service("tls", &[it.local_addr(Port::Tls).unwrap()])
        + &xbackend("away", it.local_addr(Port::Tls).unwrap().port(), &away);
    let files = gateway(&listeners)
        + &secret("cert", &authority.server(&["a.example"]))
        + &ca("ca", &authority)
        + &asking("v2", &backends)
        + &route("TCPRoute", "tcp", "{name: tcp, port: 80}")
        + &route("TLSRoute", "passed", "{name: tls, port: 80}")
        + &route("TLSRoute", "ended", &to_xbackend("away"));
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let client = ClientTls::trusting(&authority).alpn(&[]);
    for (dial, at) in
        [(Dial::http1(tcp), tcp), (Dial::tls(passed, &client), passed), (Dial::tls(ended, &client), ended)]
    {
        let mut stream = RawConnection::open(&dial, "a.example").await.unwrap();
        stream.send("TEST\n").await.unwrap();
        stream.finish().await.unwrap();
        let said = String::from_utf8(stream.to_end().await.unwrap().0).unwrap();
        let told: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert_eq!(told["proxyProtocol"]["version"], "v2");
        assert_eq!(told["proxyProtocol"]["destination"], at.to_string());
        assert_eq!(told["proxyProtocol"]["source"], stream.local_addr().unwrap().to_string());
    }
    assert_eq!(it.counts().connections, 3);
}

#[tokio::test]
async fn copies_are_introduced_too() {
    let main = EchoServer::bind(EchoConfig::loopback().with_identity(EchoIdentity::pod("main"))).await.unwrap();
    let it = strict(EchoConfig::loopback()).await;
    let at = free_addr();
    let rule = "    - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: it, port: 80}}}]\n      \
                backendRefs: [{name: main, port: 80}]\n";
    let files = http_gateway(at.port())
        + &service("main", &[main.local_addr(Port::Http).unwrap()])
        + &asking("v2", &service("it", &[it.local_addr(Port::Http).unwrap()]))
        + &http_route("it", "[]", rule);
    let _site = Site::serve(&[("all.yaml", &files)]).await;
    for n in 1..=2 {
        let mut client = Dial::http1(at).connect("a.example").await.unwrap();
        assert_eq!(seen(&mut client).await.proxy_protocol, None);
        let local = client.local_addr();
        // The copy arrives, be its client gone or not.
        drop(client);
        let copy = soon(it.nth_request(n)).await.unwrap();
        assert_eq!(copy.report.proxy_protocol, between("v2", local, at));
    }
}

#[tokio::test]
async fn websockets_are_introduced_too() {
    let it = strict(EchoConfig::loopback()).await;
    let (_site, at) = serve(&asking("v1", &service("it", &[it.local_addr(Port::Http).unwrap()]))).await;
    let mut socket = WebSocket::open(&Dial::http1(at), "ws://a.example/").await.unwrap();
    assert_eq!(socket.ask("hello").await.unwrap(), "hello");
    assert_eq!(it.requests()[0].report.proxy_protocol.as_ref().unwrap().version, "v1");
    socket.close().await.unwrap();
}

#[tokio::test]
async fn another_try_is_introduced_too() {
    let it = strict(EchoConfig::loopback()).await;
    let dead = free_addr();
    let endpoints = [dead, it.local_addr(Port::Http).unwrap()];
    let (_site, at) = serve(&asking("v2", &service("it", &endpoints))).await;
    for _ in 0..4 {
        let mut client = Dial::http1(at).connect("a.example").await.unwrap();
        assert_eq!(seen(&mut client).await.proxy_protocol, between("v2", client.local_addr(), at));
    }
}

#[tokio::test]
async fn a_changed_annotation_leaves_connections_behind() {
    let it = strict(EchoConfig::loopback()).await;
    let address = it.local_addr(Port::Http).unwrap();
    let at = free_addr();
    let with = |service: String| http_gateway(at.port()) + &service + &http_route("it", "[]", RULE);
    let site = Site::serve(&[("all.yaml", &with(asking("v1", &service("it", &[address]))))]).await;
    let mut client = Dial::http1(at).connect("a.example").await.unwrap();
    let first = seen(&mut client).await;
    assert_eq!(first.proxy_protocol, between("v1", client.local_addr(), at));
    site.write("all.yaml", &with(asking("v2", &service("it", &[address])))).await;
    let second = seen(&mut client).await;
    assert_eq!(second.proxy_protocol, between("v2", client.local_addr(), at));
    assert!(second.connection > first.connection);
    // Without a header the backend serves nobody, whatever connections are left.
    site.write("all.yaml", &with(service("it", &[address]))).await;
    assert_eq!(client.get("http://a.example/").await.unwrap().status, 502);
}

#[tokio::test]
async fn an_annotation_that_cannot_be_read_sends_nothing_to_anybody() {
    let it = strict(EchoConfig::loopback()).await;
    let at = free_addr();
    let files = http_gateway(at.port())
        + &asking("v3", &service("it", &[it.local_addr(Port::Http).unwrap()]))
        + &http_route("it", "[]", RULE);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(!site.report().is_clean());
    assert_eq!(Dial::http1(at).get("http://a.example/").await.unwrap().status, 500);
    assert_eq!(it.counts().connections, 0);
}

#[tokio::test]
async fn a_client_over_tls_is_introduced_by_its_own_address() {
    let it = strict(EchoConfig::loopback()).await;
    let authority = Authority::new("ca");
    let at = free_addr();
    let files = gateway(&https("https", at.port(), "", &["cert"]))
        + &secret("cert", &authority.server(&["a.example"]))
        + &asking("v2", &service("it", &[it.local_addr(Port::Http).unwrap()]))
        + &http_route("it", "[]", RULE);
    let _site = Site::serve(&[("all.yaml", &files)]).await;
    for alpn in ["http/1.1", "h2"] {
        let dial = Dial::tls(at, &ClientTls::trusting(&authority).alpn(&[alpn]));
        let mut client = dial.connect("a.example").await.unwrap();
        let report: EchoReport = client.get("https://a.example/").await.unwrap().json();
        assert_eq!(report.proxy_protocol, between("v2", client.local_addr(), at));
    }
}
