//! The PROXY protocol.

use lychgate_echo::{EchoConfig, EchoServer, Port, RawMode};
use lychgate_testkit::{Authority, ClientTls, Dial, Ending, RawConnection, server_tls};

use crate::{addr, any};

const V1: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x12\x67\x01\xbb";

#[tokio::test]
async fn who_introduces_whom_is_told_on_every_port() {
    let ca = Authority::new("ca");
    let tls = || server_tls(&ca.server(&["a.example"]));
    let config = EchoConfig::loopback()
        .with_https(any(), tls())
        .with_tcp(any())
        .with_tls(any(), tls())
        .with_raw(RawMode::Conformance)
        .with_proxy_protocol();
    let server = EchoServer::bind(config).await.unwrap();
    let (trusting, bare) = (ClientTls::trusting(&ca), ClientTls::trusting(&ca).alpn(&[]));
    for (header, version) in [(V1.as_bytes(), "v1"), (V2, "v2")] {
        let (http, https) = (Dial::http1(addr(&server, Port::Http)), Dial::tls(addr(&server, Port::Https), &trusting));
        for (dial, url) in [(http, "http://a.example/"), (https, "https://a.example/")] {
            let told: serde_json::Value = dial.first(header).get(url).await.unwrap().json();
            assert_eq!(told["proxyProtocol"]["version"], version);
            assert_eq!(told["proxyProtocol"]["source"], "192.0.2.7:4711");
            assert_eq!(told["proxyProtocol"]["destination"], "198.51.100.1:443");
        }
        let (tcp, tls) = (Dial::http1(addr(&server, Port::Tcp)), Dial::tls(addr(&server, Port::Tls), &bare));
        for dial in [tcp, tls] {
            let mut raw = RawConnection::open(&dial.first(header), "a.example").await.unwrap();
            raw.send("TEST\n").await.unwrap();
            raw.finish().await.unwrap();
            let said = String::from_utf8(raw.to_end().await.unwrap().0).unwrap();
            assert!(said.contains("\"source\":\"192.0.2.7:4711\""), "{said}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_nobody_introduces_is_closed() {
    let server = EchoServer::bind(EchoConfig::loopback().with_proxy_protocol()).await.unwrap();
    let dial = Dial::http1(addr(&server, Port::Http));
    for first in ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", "PROXY TCP5\r\n"] {
        let mut raw = RawConnection::open(&dial.clone().first(first), "").await.unwrap();
        raw.finish().await.unwrap();
        assert!(matches!(raw.to_end().await.unwrap(), (none, Ending::Closed | Ending::Reset) if none.is_empty()));
    }
    assert_eq!(server.counts().requests, 0);
}
