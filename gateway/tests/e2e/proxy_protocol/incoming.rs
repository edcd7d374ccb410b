//! Headers from proxies in front.

use super::{V1, believing, until_counted, v2};
use crate::support::{Site, echo, http_route, service};
use crate::tls::{https, secret};
use lychgate_echo::{EchoConfig, EchoReport, EchoServer, Port};
use lychgate_gateway::{AccessFormat, AccessLogOptions, AccessTarget};
use lychgate_testkit::{Authority, ClientTls, Dial, Ending, RawConnection, free_addr, server_tls};
use proxy_header::ProxyHeader;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";
const LOOPBACK: &str = "127.0.0.1, 2001:db8::/32";

fn listener(port: u16) -> String {
    format!("    - {{name: http, protocol: HTTP, port: {port}}}\n")
}

/// An HTTP listener that believes these proxies, and its backend.
async fn serve(proxies: &str) -> (Site, SocketAddr, EchoServer) {
    let (it, address) = echo("it").await;
    let at = free_addr();
    let files = believing(proxies, &listener(at.port())) + &service("it", &[address]) + &http_route("it", "[]", RULE);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    (site, at, it)
}

/// What the backend is told of the client.
async fn told(dial: Dial, url: &str) -> (String, String) {
    let reply = dial.get(url).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let report: EchoReport = reply.json();
    (report.header("x-forwarded-for").join("|"), report.header("forwarded").join("|"))
}

#[tokio::test]
async fn backends_learn_of_the_client_and_not_of_the_proxy() {
    let (_site, at, _it) = serve(LOOPBACK).await;
    for dial in [Dial::http1(at), Dial::h2c(at)] {
        let (chain, forwarded) = told(dial.clone().first(V1), "http://a.example/").await;
        assert_eq!(chain, "192.0.2.7");
        assert_eq!(forwarded, "for=192.0.2.7;host=a.example;proto=http");
        let (chain, forwarded) = told(dial.first(v2()), "http://a.example/").await;
        assert_eq!(chain, "2001:db8::7");
        assert_eq!(forwarded, "for=\"[2001:db8::7]\";host=a.example;proto=http");
    }
    // Every request of the connection is the client's.
    let mut connection = Dial::http1(at).first(V1).connect("a.example").await.unwrap();
    for _ in 0..3 {
        let report: EchoReport = connection.get("http://a.example/").await.unwrap().json();
        assert_eq!(report.header("x-forwarded-for"), ["192.0.2.7"]);
    }
}

#[tokio::test]
async fn a_header_comes_before_tls() {
    let (_it, address) = echo("it").await;
    let authority = Authority::new("ca");
    let at = free_addr();
    let files = believing(LOOPBACK, &https("https", at.port(), "", &["cert"]))
        + &secret("cert", &authority.server(&["a.example"]))
        + &service("it", &[address])
        + &http_route("it", "[]", RULE);
    let _site = Site::serve(&[("all.yaml", &files)]).await;
    for alpn in ["http/1.1", "h2"] {
        let client = ClientTls::trusting(&authority).alpn(&[alpn]);
        let (chain, _) = told(Dial::tls(at, &client).first(V1), "https://a.example/").await;
        assert_eq!(chain, "192.0.2.7");
        let (chain, _) = told(Dial::tls(at, &client).first(v2()), "https://a.example/").await;
        assert_eq!(chain, "2001:db8::7");
    }
}

#[tokio::test]
async fn a_header_comes_before_streams_and_is_no_part_of_them() {
    let authority = Authority::new("ca");
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let config =
        EchoConfig::default().with_tcp(loopback).with_tls(loopback, server_tls(&authority.server(&["db.example"])));
    let it = EchoServer::bind(config).await.unwrap();
    let (tcp, tls) = (free_addr(), free_addr());
    let listeners = format!(
        "    - {{name: tcp, protocol: TCP, port: {}}}\n    - {{name: tls, protocol: TLS, port: {}, tls: {{mode: \
         Passthrough}}}}\n",
        tcp.port(),
        tls.port()
    );
    let route = |kind: &str, section: &str, hostnames: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {section}, namespace: \
             default}}\nspec:\n  parentRefs: [{{name: gw, sectionName: {section}}}]\n{hostnames}  rules: [{{backendRefs: \
             [{{name: {section}, port: 80}}]}}]\n---\n"
        )
    };
    let files = believing(LOOPBACK, &listeners)
        + &service("tcp", &[it.local_addr(Port::Tcp).unwrap()])
        + &service("tls", &[it.local_addr(Port::Tls).unwrap()])
        + &route("TCPRoute", "tcp", "")
        + &route("TLSRoute", "tls", "  hostnames: [db.example]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for header in [V1.as_bytes().to_vec(), v2()] {
        for dial in [Dial::http1(tcp), Dial::tls(tls, &ClientTls::trusting(&authority))] {
            let mut connection = RawConnection::open(&dial.first(header.clone()), "db.example").await.unwrap();
            connection.send("PROXY is what I say\r\n").await.unwrap();
            connection.finish().await.unwrap();
            assert_eq!(connection.to_end().await.unwrap().0, b"PROXY is what I say\r\n");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_introduce_its_client_is_not_served() {
    let (site, at, it) = serve(LOOPBACK).await;
    let request = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
    let mut refused = 0;
    for first in [
        String::new(),
        "PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n".to_owned(),
        "PROXY TCP4 192.0.2.7 ::1 4711 443\r\n".to_owned(),
        format!("PROXY UNKNOWN {}\r\n", "x".repeat(200)),
        "\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c".to_owned(),
        // Shorter than its addresses.
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0".to_owned(),
    ] {
        let mut connection = RawConnection::open(&Dial::http1(at).first(first.clone()), "").await.unwrap();
        // It may be closed before all is written.
        let _ = connection.send(request).await;
        let (said, _) = connection.to_end().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&said), "", "{first:?}");
        refused += 1;
        until_counted(&site, &format!("lychgate_refused_total{{reason=\"proxy_protocol\"}} {refused}")).await;
    }
    // A look at whether the port is open is nothing to worry about.
    let mut connection = RawConnection::open(&Dial::http1(at), "").await.unwrap();
    connection.finish().await.unwrap();
    assert_eq!(connection.to_end().await.unwrap(), (vec![], Ending::Closed));
    until_counted(&site, &format!("lychgate_refused_total{{reason=\"proxy_protocol\"}} {refused}")).await;
    assert_eq!(it.counts().requests, 0);
}

#[tokio::test]
async fn a_header_that_does_not_come_is_not_waited_for_for_long() {
    let (_it, address) = echo("it").await;
    let at = free_addr();
    let files = believing(LOOPBACK, &listener(at.port())) + &service("it", &[address]) + &http_route("it", "[]", RULE);
    let brief = |options: &mut lychgate_gateway::standalone::Options| {
        options.limits.handshake = Duration::from_millis(100);
    };
    let site = Site::try_serve_with(&[("all.yaml", &files)], brief).await.unwrap();
    for first in [&b""[..], &V1.as_bytes()[..20], &v2()[..14]] {
        let mut connection = RawConnection::open(&Dial::http1(at).first(first), "").await.unwrap();
        assert_eq!(connection.to_end().await.unwrap().0, b"");
    }
    until_counted(&site, "lychgate_refused_total{reason=\"proxy_protocol\"} 3").await;
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let (_site, at, it) = serve("192.0.2.0/24, 2001:db8::/32").await;
    assert_eq!(told(Dial::http1(at), "http://a.example/").await.0, "127.0.0.1");
    for header in [V1.as_bytes().to_vec(), v2()] {
        let mut connection = RawConnection::open(&Dial::http1(at).first(header), "").await.unwrap();
        let _ = connection.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
        let (said, _) = connection.to_end().await.unwrap();
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400 "), "{said}");
    }
    assert_eq!(it.counts().requests, 1);
}

#[tokio::test]
async fn a_proxy_that_speaks_for_itself_is_the_client() {
    let (_site, at, _it) = serve(LOOPBACK).await;
    let mut local = Vec::new();
    ProxyHeader::with_local().encode_v2(&mut local).unwrap();
    for header in [local, b"PROXY UNKNOWN\r\n".to_vec(), b"PROXY UNKNOWN 192.0.2.7 192.0.2.8 1 2\r\n".to_vec()] {
        assert_eq!(told(Dial::http1(at).first(header), "http://a.example/").await.0, "127.0.0.1");
    }
}

#[tokio::test]
async fn what_is_believed_changes_with_the_annotation() {
    let (it, address) = echo("it").await;
    let at = free_addr();
    let rest = service("it", &[address]) + &http_route("it", "[]", RULE);
    let with = |proxies: &str| believing(proxies, &listener(at.port())) + &rest;
    let site = Site::serve(&[("all.yaml", &with("192.0.2.1"))]).await;
    assert_eq!(told(Dial::http1(at), "http://a.example/").await.0, "127.0.0.1");
    site.write("all.yaml", &with("127.0.0.1")).await;
    assert_eq!(told(Dial::http1(at).first(V1), "http://a.example/").await.0, "192.0.2.7");
    // What cannot be read believes nobody and serves nobody.
    let broken = site.write_until("all.yaml", &with("127.0.0.1, proxies"), |report| report.kept.is_empty()).await;
    assert!(!broken.is_clean());
    assert!(Dial::http1(at).get("http://a.example/").await.is_err());
    assert_eq!(it.counts().requests, 2);
}

#[tokio::test]
async fn the_access_log_tells_the_client() {
    let (_it, address) = echo("it").await;
    let at = free_addr();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("access.log");
    let files = believing(LOOPBACK, &listener(at.port())) + &service("it", &[address]) + &http_route("it", "[]", RULE);
    let logged = |options: &mut lychgate_gateway::standalone::Options| {
        let target = AccessTarget::File(path.clone());
        options.access_log = Some(AccessLogOptions::new(target, AccessFormat::Json));
    };
    let site = Site::try_serve_with(&[("all.yaml", &files)], logged).await.unwrap();
    told(Dial::http1(at).first(V1), "http://a.example/").await;
    site.stop().await;
    let log = std::fs::read_to_string(&path).unwrap();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(line["client"], "192.0.2.7:4711", "{line}");
}

#[tokio::test]
async fn each_client_has_its_own_share_of_connections() {
    let (_it, address) = echo("it").await;
    let at = free_addr();
    let files = believing(LOOPBACK, &listener(at.port())) + &service("it", &[address]) + &http_route("it", "[]", RULE);
    let one_each = |options: &mut lychgate_gateway::standalone::Options| options.limits.connections_of_source = 1;
    let site = Site::try_serve_with(&[("all.yaml", &files)], one_each).await.unwrap();
    let first = |client: u8| format!("PROXY TCP4 192.0.2.{client} 198.51.100.1 4711 443\r\n");
    let mut one = Dial::http1(at).first(first(1)).connect("a.example").await.unwrap();
    assert_eq!(one.get("http://a.example/").await.unwrap().status, 200);
    // The proxy is the same, the client is another.
    let mut two = Dial::http1(at).first(first(2)).connect("a.example").await.unwrap();
    assert_eq!(two.get("http://a.example/").await.unwrap().status, 200);
    assert!(Dial::http1(at).first(first(1)).get("http://a.example/").await.is_err());
    until_counted(&site, "lychgate_refused_total{reason=\"too_many_connections_of_source\"} 1").await;
    drop((one, two));
    site.stop().await;
}

/// curl introduces itself, by its own address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_is_served() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let (_site, at, it) = serve(LOOPBACK).await;
    let curl = |more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "20", "--write-out", " %{http_code}", "--header", "Host: a.example"]);
        let url = format!("http://{at}/");
        let output = curl.args(more).arg(url).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (with, without) = tokio::task::block_in_place(|| (curl(&["--haproxy-protocol"]), curl(&[])));
    assert!(with.ends_with(" 200"), "{with}");
    assert_eq!(without, " 000");
    assert_eq!(it.counts().requests, 1);
}
