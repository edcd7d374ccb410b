//! Listeners that come and go, and connections that stay.

use super::udp::{ask as ask_udp, client as udp_client};
use super::{ask, loopback, pod, route, teller, udp_service};
use crate::support::{Site, gateway, service};
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_testkit::{Authority, ClientTls, Dial, RawConnection, free_addrs, free_udp_addr, server_tls};
use std::net::SocketAddr;
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[tokio::test]
async fn listeners_come_and_go_while_connections_stay() {
    let authority = Authority::new("root");
    let mirror = EchoServer::bind(EchoConfig::default().with_tcp(loopback()).with_udp(loopback())).await.unwrap();
    let tls = server_tls(&authority.server(&["db.example.com"]));
    let sealed = teller("sealed", |config| config.with_tls(loopback(), tls).with_tcp(loopback())).await;
    let [first, second, third] = free_addrs();
    let fourth = free_udp_addr();
    let backends = service("mirror", &[mirror.local_addr(Port::Tcp).unwrap()])
        + &service("sealed", &[sealed.local_addr(Port::Tls).unwrap()])
        + &service("plain", &[sealed.local_addr(Port::Tcp).unwrap()])
        + &udp_service("dns", &[mirror.local_addr(Port::Udp).unwrap()])
        + &route("TCPRoute", "first", "first", "", "{name: mirror, port: 80}")
        + &route("TCPRoute", "second", "second", "", "{name: plain, port: 80}")
        + &route("TLSRoute", "third", "third", "db.example.com", "{name: sealed, port: 80}")
        + &route("UDPRoute", "fourth", "fourth", "", "{name: dns, port: 53}");
    let one = format!("    - {{name: first, protocol: TCP, port: {}}}\n", first.port());
    let others = format!(
        "    - {{name: second, protocol: TCP, port: {}}}\n    - {{name: third, protocol: TLS, port: {}, tls: {{mode: \
         Passthrough}}}}\n    - {{name: fourth, protocol: UDP, port: {}}}\n",
        second.port(),
        third.port(),
        fourth.port()
    );
    let site = Site::serve(&[("backends.yaml", &backends), ("gateway.yaml", &gateway(&one))]).await;
    let mut early = RawConnection::open(&Dial::http1(first), "").await.unwrap();
    early.send("one").await.unwrap();
    assert_eq!(early.read_exact(3).await.unwrap(), b"one");

    // Three come.
    site.write_until("gateway.yaml", &gateway(&(one.clone() + &others)), |report| report.bound.len() == 4).await;
    assert_eq!(pod(second).await.as_deref(), Some("sealed"));
    let client = ClientTls::trusting(&authority);
    assert_eq!(ask(&Dial::tls(third, &client), "db.example.com").await.unwrap().unwrap()["pod"], "sealed");
    let flow = udp_client(fourth).await;
    assert_eq!(ask_udp(&flow, "datagram").await, "datagram");
    early.send("two").await.unwrap();
    assert_eq!(early.read_exact(3).await.unwrap(), b"two");

    // The first goes, its connection stays; nobody else is let in.
    site.write_until("gateway.yaml", &gateway(&others), |report| report.bound.len() == 3).await;
    assert!(RawConnection::open(&Dial::http1(first), "").await.is_err());
    early.send("three").await.unwrap();
    assert_eq!(early.read_exact(5).await.unwrap(), b"three");
    assert_eq!(ask_udp(&flow, "still").await, "still");
    early.finish().await.unwrap();
    early.to_end().await.unwrap();

    // It comes back on the same port.
    site.write_until("gateway.yaml", &gateway(&(one + &others)), |report| report.bound.len() == 4).await;
    let mut late = RawConnection::open(&Dial::http1(first), "").await.unwrap();
    late.send("four").await.unwrap();
    assert_eq!(late.read_exact(4).await.unwrap(), b"four");
    drop(late);
    drop(site);
}

/// Says something on a connection, again and again, until told to stop. Gives back how often it was answered.
fn talk(address: SocketAddr) -> (watch::Sender<bool>, JoinHandle<usize>) {
    let (stop, stopped) = watch::channel(false);
    let talking = tokio::spawn(async move {
        let mut connection = RawConnection::open(&Dial::http1(address), "").await.unwrap();
        let mut answered = 0;
        while !*stopped.borrow() {
            connection.send("hello").await.unwrap();
            assert_eq!(connection.read_exact(5).await.unwrap(), b"hello");
            answered += 1;
        }
        answered
    });
    (stop, talking)
}

#[tokio::test]
async fn listeners_of_sets_come_and_go_while_others_carry() {
    let authority = Authority::new("root");
    let mirror = EchoServer::bind(EchoConfig::default().with_tcp(loopback())).await.unwrap();
    let tls = server_tls(&authority.server(&["db.example.com"]));
    let pods = teller("db", |config| config.with_tcp(loopback()).with_udp(loopback()).with_tls(loopback(), tls)).await;
    let [own, tcp, passed] = free_addrs();
    let udp = free_udp_addr();
    let set = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: {{name: extra, namespace: \
         default}}\nspec:\n  parentRef: {{name: gw}}\n  listeners:\n    - {{name: db, protocol: TCP, port: {}}}\n    - \
         {{name: dns, protocol: UDP, port: {}}}\n    - {{name: sealed, protocol: TLS, port: {}, hostname: db.example.com, \
         tls: {{mode: Passthrough}}}}\n---\n",
        tcp.port(),
        udp.port(),
        passed.port()
    );
    let to_set = |route: String| route.replace("{name: gw,", "{kind: ListenerSet, name: extra,");
    let routes = service("mirror", &[mirror.local_addr(Port::Tcp).unwrap()])
        + &service("db", &[pods.local_addr(Port::Tcp).unwrap()])
        + &service("sealed", &[pods.local_addr(Port::Tls).unwrap()])
        + &udp_service("dns", &[pods.local_addr(Port::Udp).unwrap()])
        + &route("TCPRoute", "own", "own", "", "{name: mirror, port: 80}")
        + &to_set(route("TCPRoute", "db", "db", "", "{name: db, port: 80}"))
        + &to_set(route("UDPRoute", "dns", "dns", "", "{name: dns, port: 53}"))
        + &to_set(route("TLSRoute", "sealed", "sealed", "db.example.com", "{name: sealed, port: 80}"));
    let gateway = gateway(&format!("    - {{name: own, protocol: TCP, port: {}}}\n", own.port()))
        .replace("  listeners:", "  allowedListeners: {namespaces: {from: Same}}\n  listeners:");
    let site = Site::serve(&[("gateway.yaml", &*gateway), ("routes.yaml", &*routes)]).await;
    let (stop, talking) = talk(own);
    let client = ClientTls::trusting(&authority);
    for _ in 0..3 {
        site.write_until("set.yaml", &set, |report| report.is_clean() && report.bound.len() == 4).await;
        assert_eq!(pod(tcp).await.as_deref(), Some("db"));
        assert!(ask_udp(&udp_client(udp).await, "?").await.contains("\"db\""));
        assert_eq!(ask(&Dial::tls(passed, &client), "db.example.com").await.unwrap().unwrap()["pod"], "db");
        site.remove("set.yaml").await;
        site.until(|report| report.bound.len() == 1).await;
        for address in [tcp, passed] {
            assert!(RawConnection::open(&Dial::http1(address), "").await.is_err());
        }
    }
    stop.send_replace(true);
    assert!(talking.await.unwrap() > 0);
    assert_eq!(mirror.counts().connections, 1);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_port_that_turns_from_tcp_to_tls_serves_no_clear_text() {
    let authority = Authority::new("root");
    let tls = server_tls(&authority.server(&["db.example.com"]));
    let server = teller("db", |config| config.with_tls(loopback(), tls).with_tcp(loopback())).await;
    let [address] = free_addrs();
    let backends = service("plain", &[server.local_addr(Port::Tcp).unwrap()])
        + &service("sealed", &[server.local_addr(Port::Tls).unwrap()]);
    let before = gateway(&format!("    - {{name: a, protocol: TCP, port: {}}}\n", address.port()))
        + &route("TCPRoute", "db", "a", "", "{name: plain, port: 80}");
    let after =
        gateway(&format!("    - {{name: a, protocol: TLS, port: {}, tls: {{mode: Passthrough}}}}\n", address.port()))
            + &route("TLSRoute", "db", "a", "db.example.com", "{name: sealed, port: 80}");
    let site = Site::serve(&[("backends.yaml", &backends), ("gateway.yaml", &before)]).await;
    assert_eq!(pod(address).await.as_deref(), Some("db"));
    site.write("gateway.yaml", &after).await;
    assert_eq!(pod(address).await, None);
    let client = ClientTls::trusting(&authority);
    assert_eq!(ask(&Dial::tls(address, &client), "db.example.com").await.unwrap().unwrap()["pod"], "db");
    assert_eq!(site.stop().await, 0);
}
