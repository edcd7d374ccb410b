//! Rules that let only so much leave, by routes: requests of many clients share connections there.

use super::decisions;
use crate::support::*;
use lychgate_ir::egress::{
    EgressExceptions, EgressLimitScope, EgressLimits, EgressMode, EgressRule, Percent, Workload,
};
use lychgate_ir::filter::{Fraction, Mirror};
use lychgate_ir::{Backend, Filter, Protocol, Rule, Snapshot, Target, UpstreamProtocol};
use lychgate_testkit::{Dial, RawConnection, WebSocket};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Two hosts at one origin, by one rule.
async fn world(origin: &Origin, limits: EgressLimits, setup: Setup) -> World {
    of_backends(&[outside("a.test", origin.http()), outside("b.test", origin.http())], limits, setup).await
}

async fn of_backends(backends: &[Backend], limits: EgressLimits, setup: Setup) -> World {
    let edit = |snapshot: &mut Snapshot| {
        for backend in backends {
            lead_http(snapshot, &backend.id.name.name, backend, plainly);
        }
    };
    let policies = vec![for_everyone(vec![limited(limits, allow(&["a.test", "b.test", "more.test"]))])];
    let world = World::with(policies, edit, Setup { protocol: Protocol::Http, ..setup }).await;
    for backend in backends {
        world.dns.say(&backend.id.name.name, Ipv4Addr::LOCALHOST);
    }
    world
}

fn met(limit: &str, mode: &str) -> String {
    format!(r#"lychgate_egress_limits_total{{gateway="egress/out",limit="{limit}",mode="{mode}"}}"#)
}

/// Clients of both versions.
fn clients(world: &World) -> [Dial; 2] {
    [Dial::http1(world.proxy), Dial::h2c(world.proxy)]
}

/// Asks until there is room: a moment may pass until an answer that was read is over.
async fn soon_let_out(client: &Dial, url: &str) {
    let asking = async {
        loop {
            let answer = client.get(url).await.unwrap();
            if answer.status.as_u16() == 200 {
                return;
            }
            assert_eq!(answer.status.as_u16(), 429, "{}", answer.text());
        }
    };
    soon(asking).await;
}

#[tokio::test]
async fn only_so_many_requests_leave_in_a_second() {
    let origin = Origin::start(&[]).await;
    let limits = EgressLimits { requests_per_second: Some(2), ..NO_LIMITS };
    let world = world(&origin, limits, Setup::default()).await;
    world.change(|snapshot| {
        let policy = snapshot.egress_policies.values_mut().next().unwrap();
        Arc::make_mut(policy).rules[0].reason = Some("ask the data team for more".into());
    });
    let begun = Instant::now();
    let (mut passed, mut refused) = (0, 0);
    for client in clients(&world) {
        for _ in 0..30 {
            let answer = client.get("http://a.test/").await.unwrap();
            match answer.status.as_u16() {
                200 => passed += 1,
                429 => {
                    assert_eq!(answer.header("retry-after"), Some("1"));
                    let said = "(egress_limit): no more than 2 requests a second may leave: ask the data team for more";
                    assert!(answer.text().contains(said), "{}", answer.text());
                    refused += 1;
                }
                other => panic!("{other}: {}", answer.text()),
            }
        }
    }
    let may = 2 * (2 + begun.elapsed().as_secs());
    assert!(passed >= 2 && passed <= may && refused > 0, "{passed} of {may}, {refused} refused");
    assert_eq!(origin.server.requests().len() as u64, passed);
    world.counted(&decisions("rule", "deny"), refused).await;
    world.counted(&met("requests_per_second", "enforce"), refused).await;
}

#[tokio::test]
async fn only_so_many_connections_are_open_and_those_that_wait_make_room() {
    let origin = Origin::start(&[]).await;
    let limits = EgressLimits { connections: Some(1), ..NO_LIMITS };
    let world = Arc::new(world(&origin, limits, Setup::default()).await);
    let asking = world.clone();
    let held = tokio::spawn(async move { asking.ask("a.test", "/?hold=it", &[]).await });
    origin.server.wait_held("it", 1).await;
    for client in clients(&world) {
        for url in ["http://a.test/", "http://b.test/"] {
            let answer = client.get(url).await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("1")), "{url}");
            let said = "(egress_limit): no more than 1 connections at a time may leave";
            assert!(answer.text().contains(said), "{}", answer.text());
        }
    }
    world.counted(&met("connections", "enforce"), 4).await;
    origin.server.release("it");
    assert_eq!(held.await.unwrap().status, 200);
    // What waits for its next request is in nobody's way, be it to another host or of rules that have changed.
    let [http1, http2] = clients(&world);
    for round in 0..5 {
        soon_let_out(&http1, "http://b.test/").await;
        soon_let_out(&http2, "http://a.test/").await;
        if round % 2 == 0 {
            world.change(|snapshot| {
                let policy = snapshot.egress_policies.values_mut().next().unwrap();
                Arc::make_mut(policy).generation += 1;
                Arc::make_mut(policy).rules.push(allow(&["never.test"]));
            });
        }
    }
    // All of them were closed but the last one.
    let counts = soon(origin.server.wait_for(|counts| counts.connections - counts.closed <= 1)).await;
    assert!(counts.connections > 5, "{counts:?}");
}

#[tokio::test]
async fn who_is_refused_keeps_the_connection_unless_more_of_the_request_is_to_come() {
    let origin = Origin::start(&[]).await;
    let none = [
        EgressLimits { connections: Some(0), ..NO_LIMITS },
        EgressLimits { requests_per_second: Some(0), ..NO_LIMITS },
        EgressLimits { bytes_per_day: Some(0), ..NO_LIMITS },
    ];
    for limits in none {
        let world = world(&origin, limits, Setup::default()).await;
        let mut client = RawConnection::open(&Dial::http1(world.proxy), "a.test").await.unwrap();
        for host in ["a.test", "b.test", "a.test"] {
            client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await.unwrap();
            let answer = client.response().await.unwrap();
            assert_eq!((answer.status, answer.header("connection")), (429, Some("keep-alive")), "{limits:?}");
        }
        // Whoever waits for a body that is not read would take its rest for the next request.
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n").await.unwrap();
        let answer = client.response().await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (429, Some("close")), "{limits:?}");
        let (rest, _) = client.to_end().await.unwrap();
        assert!(rest.is_empty());
    }
}

/// What happens in between has no place to be: one thread, and no name has to be asked for (`localhost`).
#[tokio::test]
async fn a_copy_whose_connection_makes_room_for_that_of_another_is_sent_all_the_same() {
    let (origin, copies) = (Origin::start(&[]).await, Origin::start(&[]).await);
    // Of a connection of HTTP/2 nobody hears at once that it is closed.
    let again = Backend { protocol: UpstreamProtocol::Http2, ..outside("again.localhost", copies.http()) };
    let fresh = outside("fresh.localhost", copies.http());
    let mirrored_to = |copies: &[&Backend]| {
        let mirror =
            |copy: &&Backend| Filter::Mirror(Mirror { target: Target::Backend(copy.id.clone()), share: Fraction::ALL });
        let filters: Vec<Filter> = copies.iter().map(mirror).collect();
        move |rule: &mut Rule| rule.filters = filters
    };
    let edit = |snapshot: &mut Snapshot| {
        for copy in [&again, &fresh] {
            snapshot.backends.insert(copy.id.clone(), Arc::new(copy.clone()));
        }
        let host = |host: &str| outside(host, origin.http());
        lead_http(snapshot, "one.localhost", &host("one.localhost"), mirrored_to(&[&again]));
        lead_http(snapshot, "kept.localhost", &host("kept.localhost"), plainly);
        lead_http(snapshot, "both.localhost", &host("both.localhost"), mirrored_to(&[&fresh, &again]));
    };
    let two = EgressLimits { connections: Some(2), ..NO_LIMITS };
    let bounded = limited(two, allow(&["again.localhost", "fresh.localhost", "kept.localhost"]));
    // A copy says the Host of what it is a copy of.
    let exceptions = EgressExceptions { other_host: true, ..EgressExceptions::default() };
    let rules = vec![EgressRule { exceptions, ..bounded }, allow(&["one.localhost", "both.localhost"])];
    let world = World::routed(Protocol::Http, vec![for_everyone(rules)], edit).await;
    let over = async |host: &str| {
        let open = format!(r#"lychgate_egress_connections_open{{destination="{host}"}}"#);
        world.counted(&open, 0).await;
    };
    // Two connections wait. The first makes room for a copy, when the next copy is to have it.
    assert_eq!(world.ask("one.localhost", "/", &[]).await.status, 200);
    soon(copies.server.wait_for(|counts| counts.answered == 1)).await;
    over("again.localhost").await;
    assert_eq!(world.ask("kept.localhost", "/", &[]).await.status, 200);
    over("kept.localhost").await;
    assert_eq!(world.ask("both.localhost", "/", &[]).await.status, 200);
    soon(copies.server.wait_for(|counts| counts.answered == 3)).await;
}

#[tokio::test]
async fn a_request_whose_connection_makes_room_for_that_of_another_is_sent_all_the_same() {
    let origin = Origin::start(&[]).await;
    let again = Backend { protocol: UpstreamProtocol::Http2, ..outside("again.localhost", origin.http()) };
    let [fresh, kept] = ["fresh.localhost", "kept.localhost"].map(|host| outside(host, origin.http()));
    let edit = |snapshot: &mut Snapshot| {
        for backend in [&again, &fresh, &kept] {
            lead_http(snapshot, &backend.id.name.name, backend, plainly);
        }
    };
    let two = EgressLimits { connections: Some(2), ..NO_LIMITS };
    let bounded = limited(two, allow(&["again.localhost", "fresh.localhost", "kept.localhost"]));
    let world = World::routed(Protocol::Http, vec![for_everyone(vec![bounded])], edit).await;
    let (mut one, mut other) =
        (TcpStream::connect(world.proxy).await.unwrap(), TcpStream::connect(world.proxy).await.unwrap());
    let request = |host: &str| format!("HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    // Two connections wait.
    for (client, host) in [(&mut one, "again.localhost"), (&mut other, "kept.localhost")] {
        client.write_all(request(host).as_bytes()).await.unwrap();
        assert!(soon(head(client)).await.starts_with("HTTP/1.1 200"));
        let open = format!(r#"lychgate_egress_connections_open{{destination="{host}"}}"#);
        world.counted(&open, 0).await;
    }
    // Both come at once: the first takes the place of the connection that the second is to have.
    for (client, host) in [(&one, "fresh.localhost"), (&other, "again.localhost")] {
        let request = request(host);
        assert_eq!(client.try_write(request.as_bytes()).unwrap(), request.len());
    }
    for client in [&mut one, &mut other] {
        let answer = soon(head(client)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn requests_of_one_connection_of_http2_are_one_connection() {
    let origin = Origin::start(&[]).await;
    let backend = Backend { protocol: UpstreamProtocol::Http2, ..outside("a.test", origin.http()) };
    let world = of_backends(&[backend], EgressLimits { connections: Some(1), ..NO_LIMITS }, Setup::default()).await;
    let mut client = Dial::h2c(world.proxy).connect("a.test").await.unwrap();
    assert_eq!(client.get("http://a.test/").await.unwrap().status.as_u16(), 200);
    let many = (0..4).map(|_| {
        let mut client = client.multiplexed().unwrap();
        tokio::spawn(async move { client.get("http://a.test/?hold=all").await.unwrap().status.as_u16() })
    });
    let many: Vec<_> = many.collect();
    origin.server.wait_held("all", 4).await;
    origin.server.release("all");
    for one in many {
        assert_eq!(one.await.unwrap(), 200);
    }
    assert_eq!(origin.server.counts().connections, 1);
}

#[tokio::test]
async fn each_source_has_its_own() {
    let origin = Origin::start(&[]).await;
    let limits = EgressLimits { per: EgressLimitScope::Source, connections: Some(1), ..NO_LIMITS };
    let world = Arc::new(world(&origin, limits, Setup::default()).await);
    world.change(|snapshot| {
        let till =
            Workload { namespace: Some("shop".into()), service_account: Some("till".into()), ..Workload::default() };
        snapshot.workloads.insert("127.0.0.2".parse().unwrap(), Arc::new(till));
    });
    let asking = world.clone();
    let held = tokio::spawn(async move { asking.ask("a.test", "/?hold=it", &[]).await });
    origin.server.wait_held("it", 1).await;
    assert_eq!(world.ask("a.test", "/", &[]).await.status, 429);
    assert_eq!(world.ask("a.test", "/", &["--interface", "127.0.0.2"]).await.status, 200);
    origin.server.release("it");
    assert_eq!(held.await.unwrap().status, 200);
    soon_let_out(&Dial::http1(world.proxy), "http://a.test/").await;
    // Whatever waits for one is not another's.
    assert_eq!(origin.server.counts().connections, 2);
}

#[tokio::test]
async fn bytes_that_are_too_fast_wait_and_none_is_lost() {
    let origin = Origin::start(&[]).await;
    let limits = EgressLimits { bytes_per_second: Some(128 << 10), ..NO_LIMITS };
    let world = world(&origin, limits, Setup::default()).await;
    for client in clients(&world) {
        let begun = Instant::now();
        let answer = client.get(&format!("http://a.test/?size={}", 256 << 10)).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 256 << 10));
        // A second's worth comes at once, the last piece is not waited for, and the rest takes its time.
        assert!(begun.elapsed().as_millis() >= 800, "{:?}", begun.elapsed());
    }
    world.counted(&met("bytes_per_second", "enforce"), 2).await;
}

#[tokio::test]
async fn a_day_has_only_so_many_bytes() {
    let origin = Origin::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let setup = || Setup { audit: Some(audit_into(directory.path())), ..Setup::default() };
    let limits = EgressLimits { per: EgressLimitScope::Destination, bytes_per_day: Some(100_000), ..NO_LIMITS };
    let world = world(&origin, limits, setup()).await;
    for (host, client) in ["a.test", "b.test"].into_iter().zip(clients(&world)) {
        let url = format!("http://{host}/");
        assert_eq!(client.get(&url).await.unwrap().status.as_u16(), 200);
        // It is broken off, and no part of it is taken for all.
        assert!(client.get(&format!("{url}?size=500000")).await.is_err(), "{host}");
        let refused = client.get(&url).await.unwrap();
        assert_eq!(refused.status.as_u16(), 429, "{}", refused.text());
        let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=86_400).contains(&after), "{after}");
    }
    let ended = "egress_limit: it was ended: no more than 100000 bytes a day may leave to each destination";
    let refused = "egress_limit: no more than 100000 bytes a day may leave to each destination \
                   (EgressPolicy/shop/policy-0#0(bounded)@1)";
    let times = |log: &str, text: &str| log.matches(text).count();
    written(directory.path(), |log| times(log, ended) == 2 && times(log, refused) == 2).await;
}

#[tokio::test]
async fn an_answer_without_a_length_is_not_taken_for_whole() {
    let listener = tokio::net::TcpListener::bind((LOCAL, 0)).await.unwrap();
    let backend = outside("a.test", listener.local_addr().unwrap().port());
    let world =
        of_backends(&[backend], EgressLimits { bytes_per_day: Some(100_000), ..NO_LIMITS }, Setup::default()).await;
    let origin = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.unwrap();
        // Until nobody reads.
        while stream.write_all(&[b'x'; 10_000]).await.is_ok() {}
    });
    assert!(Dial::http1(world.proxy).get("http://a.test/").await.is_err());
    soon(origin).await.unwrap();
}

#[tokio::test]
async fn what_a_request_became_is_ended_with_the_day() {
    let origin = Origin::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup { audit: Some(audit_into(directory.path())), ..Setup::default() };
    let world = world(&origin, EgressLimits { bytes_per_day: Some(50_000), ..NO_LIMITS }, setup).await;
    let mut socket = WebSocket::open(&Dial::http1(world.proxy), "ws://a.test/socket").await.unwrap();
    let asked = async {
        let text = "x".repeat(10_000);
        while socket.ask(&text).await.is_ok_and(|answer| answer == text) {}
    };
    soon(asked).await;
    assert!(origin.server.counts().messages < 5);
    written(directory.path(), |log| log.contains("egress_limit: it was ended: no more than 50000 bytes a day")).await;
}

#[tokio::test]
async fn nothing_is_written_into_a_connection_that_a_limit_ends() {
    let listener = tokio::net::TcpListener::bind((LOCAL, 0)).await.unwrap();
    let backend = outside("a.test", listener.local_addr().unwrap().port());
    let world =
        of_backends(&[backend], EgressLimits { bytes_per_day: Some(50_000), ..NO_LIMITS }, Setup::default()).await;
    let origin = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let switched = b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(switched).await.unwrap();
        // Until nobody reads.
        while stream.write_all(&[b'x'; 10_000]).await.is_ok() {}
    });
    let mut client = TcpStream::connect(world.proxy).await.unwrap();
    let ask = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(ask).await.unwrap();
    let answer = head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    let mut rest = Vec::new();
    // Closed or reset.
    let _ = soon(client.read_to_end(&mut rest)).await;
    let other: Vec<u8> = rest.into_iter().filter(|byte| *byte != b'x').collect();
    assert!(other.is_empty(), "{}", String::from_utf8_lossy(&other));
    soon(origin).await.unwrap();
}

#[tokio::test]
async fn limits_in_shadow_tell_and_refuse_nothing() {
    let origin = Origin::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let setup = Setup { audit: Some(audit_into(directory.path())), ..Setup::default() };
    let limits = EgressLimits {
        mode: EgressMode::Shadow(Percent::ALL),
        connections: Some(1),
        requests_per_second: Some(1_000_000),
        bytes_per_second: Some(1024),
        bytes_per_day: Some(20_000),
        ..NO_LIMITS
    };
    let world = Arc::new(world(&origin, limits, setup).await);
    let asking = world.clone();
    let held = tokio::spawn(async move { asking.ask("a.test", "/?hold=it", &[]).await });
    origin.server.wait_held("it", 1).await;
    // It would not have got a connection, and neither would the next one that shares it.
    for _ in 0..2 {
        assert_eq!(world.ask("b.test", "/", &[]).await.status, 200);
    }
    world.counted(&decisions("rule", "would_deny"), 2).await;
    world.counted(&met("connections", "shadow"), 1).await;
    origin.server.release("it");
    assert_eq!(held.await.unwrap().status, 200);
    world.counted(&decisions("rule", "allow"), 1).await;
    // By the connection of the first: within the day when it begins, and not when it ends.
    let body = world.ask("a.test", "/?size=50000", &[]).await;
    assert_eq!((body.status, body.body.len()), (200, 50_000));
    world.counted(&decisions("rule", "would_deny"), 3).await;
    assert_eq!(world.ask("a.test", "/", &[]).await.status, 200);
    world.counted(&decisions("rule", "would_deny"), 4).await;
    assert_eq!(origin.server.counts().connections, 2);
    let metrics = world.engine.metrics();
    assert!(metrics.contains(&met("bytes_per_second", "shadow")), "{metrics}");
    let text = "would be refused: no more than 20000 bytes a day may leave";
    written(directory.path(), |log| log.matches(text).count() == 2).await;
}

#[tokio::test]
async fn limits_in_shadow_close_no_connection() {
    let origin = Origin::start(&[]).await;
    let limits = EgressLimits { mode: EgressMode::Shadow(Percent::ALL), connections: Some(1), ..NO_LIMITS };
    let world = world(&origin, limits, Setup::default()).await;
    for host in ["a.test", "b.test", "a.test", "b.test", "a.test", "b.test"] {
        assert_eq!(world.ask(host, "/", &[]).await.status, 200);
    }
    let counts = origin.server.counts();
    assert_eq!((counts.connections, counts.closed), (2, 0), "each host has one, and keeps it");
}
