//! Connections and flows that are not read: counted at their listener, rule and backend, and logged.

use super::{Logged, until_all_counted, until_counted};
use crate::streams::udp::{ask as ask_datagrams, client as datagrams};
use crate::streams::{ask, loopback, route, teller, udp_service};
use crate::support::{gateway, service};
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_testkit::{
    Authority, ClientTls, Dial, Ending, RawConnection, free_addr, free_addrs, free_udp_addr, server_tls,
};
use serde_json::Value;

#[tokio::test]
async fn connections_of_tcp_routes() {
    let server = EchoServer::bind(EchoConfig::default().with_tcp(loopback())).await.unwrap();
    let [address, empty, bare, down, dead, dead_too] = free_addrs();
    let listener = |name: &str, port: u16| format!("    - {{name: {name}, protocol: TCP, port: {port}}}\n");
    let listeners = listener("tcp", address.port())
        + &listener("empty", empty.port())
        + &listener("bare", bare.port())
        + &listener("down", down.port());
    let files = gateway(&listeners)
        + &service("db", &[server.local_addr(Port::Tcp).unwrap()])
        + &service("down", &[dead, dead_too])
        + &route("TCPRoute", "down", "down", "", "{name: down, port: 80}")
        + &service("none", &[])
        + &route("TCPRoute", "db", "tcp", "", "{name: db, port: 80}")
        + &route("TCPRoute", "none", "empty", "", "{name: none, port: 80}");
    let gate = Logged::serve(&files).await;
    let mut client = RawConnection::open(&Dial::http1(address), "").await.unwrap();
    client.send("hello").await.unwrap();
    assert_eq!(client.read_exact(5).await.unwrap(), b"hello");
    until_all_counted(
        &gate.site,
        r#"
        lychgate_streams_open{gateway="default/gw",listener="tcp"} 1
        lychgate_rule_streams_open{route="TCPRoute/default/db",rule="0"} 1
        lychgate_backend_connections_open{backend="Service/default/db:80"} 1
        lychgate_stream_bytes_total{direction="up",gateway="default/gw",listener="tcp"} 5
        lychgate_rule_stream_bytes_total{direction="down",route="TCPRoute/default/db",rule="0"} 5
        lychgate_backend_sent_bytes_total{backend="Service/default/db:80"} 5
        lychgate_backend_received_bytes_total{backend="Service/default/db:80"} 5
        lychgate_backend_connections_total{backend="Service/default/db:80",kind="new"} 1
        "#,
    )
    .await;
    client.finish().await.unwrap();
    assert_eq!(client.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
    until_counted(&gate.site, r#"lychgate_backend_connections_open{backend="Service/default/db:80"} 0"#).await;
    let line = &gate.lines(1)[0];
    let expected = [
        ("protocol", Value::from("TCP")),
        ("scheme", "tcp".into()),
        ("status", Value::Null),
        ("reason", Value::Null),
        ("listener", "Gateway/default/gw/tcp".into()),
        ("rule", "TCPRoute/default/db#0@1".into()),
        ("backend", "Service/default/db:80".into()),
        ("endpoint", server.local_addr(Port::Tcp).unwrap().to_string().into()),
        ("received", 5.into()),
        ("sent", 5.into()),
        ("method", Value::Null),
    ];
    for (name, value) in expected {
        assert_eq!(line[name], value, "{name} of {line:#}");
    }
    assert!(line["connect_ms"].is_number() && line["total_ms"].is_number(), "{line:#}");
    for (port, count) in [(empty, 2), (bare, 3), (down, 4)] {
        let mut client = RawConnection::open(&Dial::http1(port), "").await.unwrap();
        client.to_end().await.unwrap();
        gate.lines(count);
    }
    let logged = gate.lines(4);
    assert_eq!(
        (&logged[1]["reason"], &logged[1]["rule"]),
        (&"no_endpoint".into(), &"TCPRoute/default/none#0@1".into())
    );
    assert_eq!((&logged[2]["reason"], &logged[2]["listener"]), (&"no_route".into(), &"Gateway/default/gw/bare".into()));
    assert_eq!((&logged[3]["reason"], &logged[3]["attempts"]), (&"upstream_error".into(), &2.into()));
    until_all_counted(
        &gate.site,
        r#"
        lychgate_backend_connect_failures_total{backend="Service/default/down:80",kind="connect"} 2
        lychgate_backend_retries_total{backend="Service/default/down:80"} 1
        lychgate_streams_refused_total{gateway="default/gw",listener="empty"} 1
        lychgate_rule_streams_refused_total{route="TCPRoute/default/none",rule="0"} 1
        lychgate_backend_connect_failures_total{backend="Service/default/none:80",kind="no_endpoint"} 1
        lychgate_streams_refused_total{gateway="default/gw",listener="bare"} 1
        lychgate_refused_total{reason="no_endpoint"} 1
        lychgate_refused_total{reason="no_route"} 1
        "#,
    )
    .await;
    assert_eq!(gate.site.stop().await, 0);
}

#[tokio::test]
async fn connections_of_tls_routes() {
    let authority = Authority::new("root");
    let db =
        teller("db", |config| config.with_tls(loopback(), server_tls(&authority.server(&["db.example.com"])))).await;
    let address = free_addr();
    let listener = format!(
        "    - {{name: tls, protocol: TLS, port: {}, hostname: \"*.example.com\", tls: {{mode: Passthrough}}}}\n",
        address.port()
    );
    let files = gateway(&listener)
        + &service("db", &[db.local_addr(Port::Tls).unwrap()])
        + &route("TLSRoute", "db", "tls", "db.example.com", "{name: db, port: 80}");
    let gate = Logged::serve(&files).await;
    let dial = Dial::tls(address, &ClientTls::trusting(&authority));
    assert!(ask(&dial, "db.example.com").await.unwrap().is_some());
    let line = &gate.lines(1)[0];
    assert_eq!((&line["protocol"], &line["host"]), (&"TLS".into(), &"db.example.com".into()), "{line:#}");
    assert_eq!((&line["rule"], &line["reason"]), (&"TLSRoute/default/db#0@1".into(), &Value::Null), "{line:#}");
    assert!(line["received"].as_u64().unwrap() > 0 && line["sent"].as_u64().unwrap() > 0, "{line:#}");
    assert!(line["tls_ms"].is_number(), "{line:#}");
    assert!(ask(&dial, "other.example.com").await.is_err());
    assert_eq!(gate.lines(2)[1]["reason"], "no_route");
    assert!(ask(&dial, "db.example.net").await.is_err());
    assert_eq!(gate.lines(3)[2]["reason"], "server_name");
    // Whatever this is, it is no TLS.
    let mut client = RawConnection::open(&Dial::http1(address), "").await.unwrap();
    client.send("GET / HTTP/1.1\r\nhost: db.example.com\r\n\r\n").await.unwrap();
    // An alert, and the end.
    let _ = client.to_end().await;
    assert_eq!(gate.lines(4)[3]["reason"], "tls_handshake");
    until_all_counted(
        &gate.site,
        r#"
        lychgate_rule_streams_total{route="TLSRoute/default/db",rule="0"} 1
        lychgate_streams_refused_total{gateway="default/gw",listener="tls"} 1
        lychgate_refused_total{reason="server_name"} 1
        lychgate_refused_total{reason="tls_handshake"} 1
        "#,
    )
    .await;
    assert_eq!(gate.site.stop().await, 0);
}

#[tokio::test]
async fn flows_of_udp_routes() {
    let dns = teller("dns", |config| config.with_udp(loopback())).await;
    let address = free_udp_addr();
    let listeners = format!("    - {{name: udp, protocol: UDP, port: {}}}\n", address.port());
    let files = gateway(&listeners)
        + &udp_service("dns", &[dns.local_addr(Port::Udp).unwrap()])
        + &route("UDPRoute", "dns", "udp", "", "{name: dns, port: 53}");
    let gate = Logged::serve(&files).await;
    let client = datagrams(address).await;
    ask_datagrams(&client, "who are you").await;
    until_all_counted(
        &gate.site,
        r#"
        lychgate_streams_open{gateway="default/gw",listener="udp"} 1
        lychgate_rule_streams_open{route="UDPRoute/default/dns",rule="0"} 1
        lychgate_backend_connections_open{backend="Service/default/dns:53/udp"} 1
        lychgate_backend_connections_total{backend="Service/default/dns:53/udp",kind="new"} 1
        "#,
    )
    .await;
    let log = gate.file();
    // A flow ends with its silence, here with the gateway's.
    gate.site.stop().await;
    let line = &super::lines(&log, 1)[0];
    assert_eq!((&line["protocol"], &line["rule"]), (&"UDP".into(), &"UDPRoute/default/dns#0@1".into()), "{line:#}");
    assert!(line["received"].as_u64().unwrap() >= 11 && line["sent"].as_u64().unwrap() > 0, "{line:#}");
}
