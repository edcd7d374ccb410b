//! Listeners come and go. Connections of those that stay notice nothing; those of others end in order.

use super::witness::{Witness, tag_at, tagged, until_tag};
use crate::support::{Site, echo, gateway, http_route, service};
use lychgate_testkit::{Authority, ClientTls, Dial, Ending, RawConnection, WebSocket, free_addr, free_addrs};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// One listener a port, named by its place.
fn listeners(ports: &[SocketAddr]) -> String {
    let one = |(place, address): (usize, &SocketAddr)| {
        format!("    - {{name: l{place}, protocol: HTTP, port: {}}}\n", address.port())
    };
    gateway(&ports.iter().enumerate().map(one).collect::<String>())
}

/// Waits until nobody listens there.
async fn until_refused(address: SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn connections_of_a_kept_listener_survive_others_that_come_and_go() {
    let (server, backend) = echo("blue").await;
    let [kept, other, third] = free_addrs();
    let routes = service("blue", &[backend]) + &http_route("r", "[]", "    - backendRefs: [{name: blue, port: 80}]\n");
    let site = Site::serve(&[("g.yaml", &listeners(&[kept])), ("r.yaml", &routes)]).await;
    let mut h1 = Dial::http1(kept).connect("a.example").await.unwrap();
    let mut h2 = Dial::h2c(kept).connect("a.example").await.unwrap();
    let mut socket = WebSocket::open(&Dial::http1(kept), "ws://a.example/").await.unwrap();
    // A request that is in flight all the time.
    let mut held = Dial::http1(kept).connect("a.example").await.unwrap();
    let in_flight = tokio::spawn(async move { held.get("http://a.example/held?hold=gate").await });
    server.wait_held("gate", 1).await;
    let sets: [&[SocketAddr]; 5] = [&[kept, other], &[kept, other, third], &[kept, third], &[kept], &[kept, other]];
    for (round, ports) in sets.iter().enumerate() {
        site.write_until("g.yaml", &listeners(ports), |report| report.bound.len() == ports.len()).await;
        assert_eq!(h1.get("http://a.example/h1").await.unwrap().status, 200);
        assert_eq!(h2.get("http://a.example/h2").await.unwrap().status, 200);
        assert_eq!(socket.ask(&format!("round {round}")).await.unwrap(), format!("round {round}"));
        for port in *ports {
            assert_eq!(Dial::http1(*port).get("http://a.example/new").await.unwrap().status, 200);
        }
    }
    server.release("gate");
    assert_eq!(in_flight.await.unwrap().unwrap().status, 200);
    socket.close().await.unwrap();
}

#[tokio::test]
async fn a_removed_listener_finishes_what_it_has_begun() {
    let (server, backend) = echo("blue").await;
    let [kept, gone] = free_addrs();
    let routes = service("blue", &[backend]) + &http_route("r", "[]", "    - backendRefs: [{name: blue, port: 80}]\n");
    let site = Site::serve(&[("g.yaml", &listeners(&[kept, gone])), ("r.yaml", &routes)]).await;

    let mut idle = RawConnection::open(&Dial::http1(gone), "a.example").await.unwrap();
    idle.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    assert_eq!(idle.response().await.unwrap().status, 200);
    let mut silent = RawConnection::open(&Dial::http1(gone), "a.example").await.unwrap();
    let mut h1 = RawConnection::open(&Dial::http1(gone), "a.example").await.unwrap();
    h1.send("GET /?hold=gate HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    let mut h2 = Dial::h2c(gone).connect("a.example").await.unwrap();
    let mut another = h2.multiplexed().unwrap();
    let on_h2 = tokio::spawn(async move { h2.get("http://a.example/?hold=gate").await });
    server.wait_held("gate", 2).await;

    site.write_until("g.yaml", &listeners(&[kept]), |report| report.bound.len() == 1).await;
    until_refused(gone).await;
    assert_eq!(idle.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
    assert_eq!(silent.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
    server.release("gate");
    assert_eq!(h1.response().await.unwrap().status, 200);
    assert_eq!(h1.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
    assert_eq!(on_h2.await.unwrap().unwrap().status, 200);
    // GOAWAY: no more streams.
    assert!(another.get("http://a.example/").await.is_err());
    assert_eq!(Dial::http1(kept).get("http://a.example/").await.unwrap().status, 200);
}

#[tokio::test]
async fn what_does_not_end_on_a_removed_listener_is_cut_at_the_deadline() {
    let (_server, backend) = echo("blue").await;
    let [kept, gone] = free_addrs();
    let config = service("blue", &[backend]) + &http_route("r", "[]", "    - backendRefs: [{name: blue, port: 80}]\n");
    let files = [("g.yaml", &*listeners(&[kept, gone])), ("r.yaml", &*config)];
    let site = Site::try_serve_with(&files, |options| options.drain = Duration::from_millis(200)).await.unwrap();
    let mut socket = WebSocket::open(&Dial::http1(gone), "ws://a.example/").await.unwrap();
    let mut stays = WebSocket::open(&Dial::http1(kept), "ws://a.example/").await.unwrap();
    site.write_until("g.yaml", &listeners(&[kept]), |report| report.bound.len() == 1).await;
    // Neither a close nor an error comes before the connection ends.
    while let Ok(Some(_)) = socket.next().await {}
    assert_eq!(stays.ask("still here").await.unwrap(), "still here");
}

#[tokio::test]
async fn a_port_that_moves_is_served_where_it_went() {
    let [kept, old, new] = free_addrs();
    let site = Site::serve(&[("g.yaml", &listeners(&[kept, old])), ("r.yaml", &tagged("r", "a.example", "v1"))]).await;
    let witness = Witness::of(kept, "a.example", &["v1"]);
    assert_eq!(tag_at(old, "a.example").await, "v1");
    let moved = listeners(&[kept, new]);
    let has_new = |report: &lychgate_gateway::standalone::Report| report.bound.iter().any(|it| it.port == new.port());
    assert!(site.write_until("g.yaml", &moved, has_new).await.is_clean());
    until_tag(new, "a.example", "v1").await;
    until_refused(old).await;
    witness.end().await;
}

/// A plain connection of before must not reach what asks for TLS now.
#[tokio::test]
async fn a_port_that_changes_its_protocol_takes_no_connection_over() {
    let (address, authority) = (free_addr(), Authority::new("root"));
    let https = gateway(&format!(
        "    - {{name: l0, protocol: HTTPS, port: {}, tls: {{certificateRefs: [{{name: pair}}]}}}}\n",
        address.port()
    ));
    let rest = tagged("r", "a.example", "v1") + &authority.server(&["a.example"]).secret("default", "pair");
    let site = Site::serve(&[("g.yaml", &listeners(&[address])), ("r.yaml", &rest)]).await;
    let mut plain = RawConnection::open(&Dial::http1(address), "a.example").await.unwrap();
    plain.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    assert_eq!(plain.response().await.unwrap().status, 302);
    let before = site.report().objects.clone();
    site.write_until("g.yaml", &https, |report| report.objects != before).await;
    // Either the connection has ended by now, or the answer is that it is the wrong one.
    if plain.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.is_ok() {
        let (answer, _) = plain.to_end().await.unwrap();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 421"), "{}", String::from_utf8_lossy(&answer));
    }
    let reply = Dial::tls(address, &ClientTls::trusting(&authority)).get("https://a.example/").await.unwrap();
    assert_eq!(super::witness::tag(&reply), "v1");
}
