//! Rules that let only so much leave.

use crate::support::*;
use lychgate_audit::{Audit, AuditSettings, LogSettings, SigningKey};
use lychgate_ir::egress::{
    EgressAction, EgressLimitScope, EgressLimits, EgressMode, EgressProtocol, EgressRule, EgressSubject, HttpRule,
    Percent, Workload,
};
use lychgate_testkit::{Authority, ClientTls};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn world(limits: EgressLimits) -> World {
    let world = World::allowing(vec![limited(limits, allow(&["*.test"]))]).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    world.dns.say("b.test", Ipv4Addr::LOCALHOST);
    world
}

/// Opens a tunnel as soon as there is room again: that what was open is closed is noticed a moment later.
async fn tunnel_soon(world: &World, target: &str) -> TcpStream {
    soon(async {
        loop {
            let (answer, stream) = world.tunnel(target).await;
            if answer.starts_with("HTTP/1.1 200") {
                return stream;
            }
            assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Says so many bytes, and counts what comes back.
async fn echo(stream: &mut TcpStream, bytes: usize) -> usize {
    let (mut read, mut write) = stream.split();
    let said = vec![0; bytes];
    let mut heard = Vec::new();
    let hear = async { while heard.len() < bytes && read.read_buf(&mut heard).await.is_ok_and(|read| read > 0) {} };
    // An error is that it was cut.
    let _ = soon(async { tokio::join!(write.write_all(&said), hear) }).await;
    heard.len()
}

fn limit_met(limit: &str, mode: &str) -> String {
    format!(r#"lychgate_egress_limits_total{{gateway="egress/out",limit="{limit}",mode="{mode}"}}"#)
}

#[tokio::test]
async fn only_so_many_connections_are_open_at_a_time() {
    let origin = Origin::start(&["a.test"]).await;
    let world = world(EgressLimits { connections: Some(1), ..NO_LIMITS }).await;
    let target = format!("a.test:{}", origin.tcp());
    let (answer, mut first) = world.tunnel(&target).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(echo(&mut first, 10).await, 10);
    let (answer, _) = world.tunnel(&target).await;
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: 1\r\n"), "{answer}");
    let request = world.curl(&["-i", &format!("http://b.test:{}/", origin.http())]).await;
    assert_eq!(request.status, 429, "{request:?}");
    let said = "(egress_limit): no more than 1 connections at a time may leave";
    assert!(request.body.contains(said), "{request:?}");
    let socks =
        curl(&["-x", &format!("socks5h://{}", world.proxy), &format!("http://a.test:{}/", origin.http())]).await;
    assert!(socks.error.contains("(2)"), "not allowed by ruleset: {socks:?}");
    world.counted(&limit_met("connections", "enforce"), 3).await;
    assert_eq!(echo(&mut first, 10).await, 10, "what is open stays so");
    drop(first);
    drop(tunnel_soon(&world, &target).await);
}

#[tokio::test]
async fn a_tunnel_that_is_refused_by_what_it_shows_ends_with_an_alert() {
    let origin = Origin::start(&["a.test"]).await;
    // Foreseen is the rule that fits most closely, and it is not about TLS.
    let plain = speaking(vec![EgressProtocol::Http(HttpRule::default())], allow(&["a.test"]));
    let sealed = speaking(vec![EgressProtocol::Tls], allow(&["*.test"]));
    let none = EgressLimits { connections: Some(0), ..NO_LIMITS };
    let world = World::allowing(vec![plain, limited(none, sealed)]).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let (answer, stream) = world.tunnel(&format!("a.test:{}", origin.https())).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let late = get_over_tls(stream, &origin.tls(), "a.test").await.unwrap_err();
    assert!(late.to_lowercase().replace(' ', "").contains("accessdenied"), "{late}");
    world.counted(&limit_met("connections", "enforce"), 1).await;
}

#[tokio::test]
async fn a_connection_of_requests_is_one_until_it_is_closed() {
    let origin = Origin::start(&[]).await;
    let world = world(EgressLimits { connections: Some(1), ..NO_LIMITS }).await;
    let url = format!("http://a.test:{}/", origin.http());
    let held = format!("{url}?hold=it");
    let asked = async {
        let first = world.curl(&[&held]).await;
        assert_eq!(first.status, 200, "{first:?}");
    };
    let refused = async {
        origin.server.nth_request(1).await;
        let second = world.curl(&[&url]).await;
        assert_eq!(second.status, 429, "{second:?}");
        origin.server.release("it");
    };
    soon(async { tokio::join!(asked, refused) }).await;
    // One connection carries both.
    let both = soon(async {
        loop {
            let both = world.curl(&[&url, &url]).await;
            if both.status != 429 {
                return both;
            }
        }
    })
    .await;
    assert_eq!(both.status, 200, "{both:?}");
    // A connection that waits makes room for another one of the same client.
    let moving = soon(async {
        loop {
            let moving = world.curl(&[&url, &format!("http://b.test:{}/", origin.http()), &url]).await;
            if !moving.body.contains("egress_limit") {
                return moving;
            }
        }
    });
    assert_eq!(moving.await.status, 200);
    let begun = world.engine.metrics();
    assert!(begun.contains(&limit_met("connections", "enforce")), "{begun}");
}

#[tokio::test]
async fn only_so_many_requests_leave_in_a_second() {
    let origin = Origin::start(&[]).await;
    let mut rule = limited(EgressLimits { requests_per_second: Some(2), ..NO_LIMITS }, allow(&["*.test"]));
    rule.reason = Some("ask the data team for more".into());
    let world = World::allowing(vec![rule]).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let begun = Instant::now();
    let url = format!("http://a.test:{}/", origin.http());
    // One connection, and no request waits for anybody.
    let urls = vec![url.as_str(); 60];
    let answers = world.curl(&[&["-i"][..], &urls].concat()).await.body;
    let may = 2 * (2 + begun.elapsed().as_secs());
    let passed = answers.matches("HTTP/1.1 200").count();
    let refused = answers.matches("HTTP/1.1 429").count();
    assert!(
        passed >= 2 && passed as u64 <= may && refused > 0 && refused == 60 - passed,
        "{passed} of {may}, {refused} refused"
    );
    assert!(answers.contains("retry-after: 1"), "{answers}");
    assert!(answers.contains("no more than 2 requests a second may leave: ask the data team for more"), "{answers}");
    // A tunnel is one as well, and so is a request inside one that can be read.
    let tunnels = soon(async {
        loop {
            let (answer, _) = world.tunnel(&format!("a.test:{}", origin.tcp())).await;
            if answer.starts_with("HTTP/1.1 429") {
                return;
            }
        }
    });
    tunnels.await;
    world
        .counted(
            r#"lychgate_egress_decisions_total{because="rule",gateway="egress/out",verdict="deny"}"#,
            refused as u64 + 1,
        )
        .await;
}

#[tokio::test]
async fn a_request_inside_a_tunnel_is_counted_once() {
    let origin = Origin::start(&[]).await;
    // Nothing of it comes back while this runs.
    let world = world(EgressLimits { bytes_per_day: Some(1 << 30), requests_per_second: Some(1), ..NO_LIMITS }).await;
    let mut passed = 0;
    let begun = Instant::now();
    for _ in 0..5 {
        let answer = world.curl(&["-p", &format!("http://a.test:{}/", origin.http())]).await;
        passed += u64::from(answer.status == 200);
    }
    assert!(passed >= 1, "the tunnel and the request in it are one");
    assert!(passed <= 2 + begun.elapsed().as_secs(), "{passed}");
}

#[tokio::test]
async fn bytes_that_are_too_fast_wait_and_none_is_lost() {
    let origin = Origin::start(&[]).await;
    let world = world(EgressLimits { bytes_per_second: Some(128 << 10), ..NO_LIMITS }).await;
    let begun = Instant::now();
    let body = world.curl(&[&format!("http://a.test:{}/?size={}", origin.http(), 256 << 10)]).await;
    assert_eq!((body.status, body.body.len()), (200, 256 << 10));
    // A second's worth comes at once, the last piece is not waited for, and the rest takes its time.
    assert!(begun.elapsed().as_millis() >= 800, "{:?}", begun.elapsed());
    let begun = Instant::now();
    let (_, mut tunnel) = world.tunnel(&format!("b.test:{}", origin.tcp())).await;
    assert_eq!(echo(&mut tunnel, 128 << 10).await, 128 << 10, "both ways together");
    assert!(begun.elapsed().as_millis() >= 800, "{:?}", begun.elapsed());
    drop(tunnel);
    world.counted(&limit_met("bytes_per_second", "enforce"), 2).await;
}

#[tokio::test]
async fn many_connections_are_no_faster_than_one() {
    let origin = Origin::start(&[]).await;
    let world = world(EgressLimits { bytes_per_second: Some(256 << 10), ..NO_LIMITS }).await;
    let mut tunnels = Vec::new();
    for _ in 0..32 {
        let (_, mut tunnel) = world.tunnel(&format!("a.test:{}", origin.tcp())).await;
        assert_eq!(echo(&mut tunnel, 1).await, 1);
        tunnels.push(tunnel);
    }
    let begun = Instant::now();
    let mut echoes = tokio::task::JoinSet::new();
    for mut tunnel in tunnels {
        echoes.spawn(async move { echo(&mut tunnel, 8 << 10).await });
    }
    assert!(soon(echoes.join_all()).await.iter().all(|heard| *heard == 8 << 10));
    // Half a million, of which a second's worth comes at once.
    assert!(begun.elapsed().as_millis() >= 800, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_waits_hears_of_other_policies() {
    let slow = |name: &str, host: &str, most| {
        let rule = limited(EgressLimits { bytes_per_second: most, ..NO_LIMITS }, allow(&[host]));
        vec![for_everyone(vec![EgressRule { name: Some(name.into()), ..rule }])]
    };
    let origin = tokio::net::TcpListener::bind((LOCAL, 0)).await.unwrap();
    let world = World::with(slow("one", "a.test", Some(1)), |_| {}, Setup::default()).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let target = format!("a.test:{}", origin.local_addr().unwrap().port());
    // A ClientHello is sent when it is whole. Its first piece comes at once, and the next would in minutes.
    let mut tls = (*ClientTls::trusting(&Authority::new("nobody")).config()).clone();
    tls.alpn_protocols = vec![vec![b'x'; 250]; 4];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
    let begin = async || {
        let (answer, stream) = world.tunnel(&target).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let client = tokio::spawn(connector.connect("a.test".try_into().unwrap(), stream));
        let (mut server, _) = soon(origin.accept()).await.unwrap();
        soon(server.read_exact(&mut [0; 512])).await.unwrap();
        (client, server)
    };
    let (_client, mut server) = begin().await;
    world.apply(slow("one", "a.test", None));
    soon(server.read_exact(&mut [0; 488])).await.unwrap();
    // Nothing is owed by another rule.
    world.apply(slow("other", "a.test", Some(1)));
    let (client, mut server) = begin().await;
    world.apply(slow("other", "b.test", Some(1)));
    assert!(soon(client).await.unwrap().is_err(), "it is cut");
    let mut rest = Vec::new();
    // Closed or reset.
    let _ = soon(server.read_to_end(&mut rest)).await;
    assert!(rest.is_empty(), "{} bytes left after they were denied", rest.len());
}

#[tokio::test]
async fn a_destination_that_is_called_by_address_is_one_by_whatever_name() {
    let origin = Origin::start(&["a.test", "b.test"]).await;
    let one = EgressLimits { per: EgressLimitScope::Destination, connections: Some(1), ..NO_LIMITS };
    let world = World::allowing(vec![limited(one, allow_addresses(&["127.0.0.0/8"]))]).await;
    let target = format!("127.0.0.1:{}", origin.https());
    let (answer, stream) = world.tunnel(&target).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let connector = tokio_rustls::TlsConnector::from(origin.tls().config());
    let open = soon(connector.connect("a.test".try_into().unwrap(), stream)).await.unwrap();
    let (answer, _) = world.tunnel(&target).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    drop(open);
    let stream = tunnel_soon(&world, &target).await;
    assert!(get_over_tls(stream, &origin.tls(), "b.test").await.is_ok());
}

#[tokio::test]
async fn a_day_has_only_so_many_bytes() {
    let origin = Origin::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let rule = |most| {
        let per_day = EgressLimits { per: EgressLimitScope::Destination, bytes_per_day: Some(most), ..NO_LIMITS };
        vec![for_everyone(vec![limited(per_day, allow(&["*.test"]))])]
    };
    let world =
        World::with(rule(100_000), |_| {}, Setup { audit: Some(audit(directory.path())), ..Setup::default() }).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    world.dns.say("b.test", Ipv4Addr::LOCALHOST);
    let (_, mut tunnel) = world.tunnel(&format!("a.test:{}", origin.tcp())).await;
    assert_eq!(echo(&mut tunnel, 20_000).await, 20_000);
    let heard = echo(&mut tunnel, 1_000_000).await;
    assert!(heard < 80_000, "{heard}: what comes back counts as well");
    let (answer, _) = world.tunnel(&format!("a.test:{}", origin.tcp())).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    let after: u64 = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&after), "{answer}");
    // Each destination has a day of its own; a response that is too long is broken off.
    let url = format!("http://b.test:{}/?size=500000", origin.http());
    let cut = world.curl(&[&url]).await;
    assert!(cut.body.len() < 100_000 && cut.error.contains("(18)"), "{} {}", cut.body.len(), cut.error);
    assert_eq!(world.curl(&[&url]).await.status, 429);
    // Another number gives nobody a new day.
    world.apply(rule(90_000));
    assert_eq!(world.curl(&[&url]).await.status, 429);
    world.apply(rule(1_000_000));
    assert_eq!(world.curl(&[&url]).await.status, 200);
    let text = "egress_limit: it was ended: no more than 100000 bytes a day may leave to each destination";
    told(directory.path(), |log| log.matches(text).count() == 2).await;
    let text = "egress_limit: no more than 100000 bytes a day may leave to each destination \
                (EgressPolicy/shop/policy-0#0(bounded)@1)";
    told(directory.path(), |log| log.matches(text).count() >= 2).await;
}

#[tokio::test]
async fn limits_in_shadow_tell_and_refuse_nothing() {
    let origin = Origin::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let limits = EgressLimits {
        mode: EgressMode::Shadow(Percent::ALL),
        connections: Some(1),
        bytes_per_second: Some(1024),
        bytes_per_day: Some(10_000),
        ..NO_LIMITS
    };
    let policies = vec![for_everyone(vec![limited(limits, allow(&["*.test"]))])];
    let world = World::with(policies, |_| {}, Setup { audit: Some(audit(directory.path())), ..Setup::default() }).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let target = format!("a.test:{}", origin.tcp());
    let (_, mut first) = world.tunnel(&target).await;
    assert_eq!(echo(&mut first, 500_000).await, 500_000);
    let (answer, mut second) = world.tunnel(&target).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(echo(&mut second, 10).await, 10);
    drop((first, second));
    world.counted(&limit_met("connections", "shadow"), 1).await;
    world.counted(&limit_met("bytes_per_day", "shadow"), 2).await;
    let metrics = world.engine.metrics();
    assert!(metrics.contains(&limit_met("bytes_per_second", "shadow")), "{metrics}");
    let would = r#"lychgate_egress_decisions_total{because="rule",gateway="egress/out",verdict="would_deny"}"#;
    world.counted(would, 2).await;
    let text = "would be refused: no more than 10000 bytes a day may leave";
    told(directory.path(), |log| log.lines().filter(|line| line.contains(text)).count() == 2).await;
    let is_told = |line: &str| line.contains(r#""verdict":"Allow""#) && line.contains(r#""shadow":"Deny""#);
    told(directory.path(), |log| log.lines().filter(|line| is_told(line)).count() == 2).await;
}

#[tokio::test]
async fn each_request_of_a_connection_tells_what_limits_in_shadow_would_have_done_to_it() {
    let origin = Origin::start(&[]).await;
    let shadow = EgressLimits { mode: EgressMode::Shadow(Percent::ALL), ..NO_LIMITS };
    let decided = |verdict: &str| {
        format!(r#"lychgate_egress_decisions_total{{because="rule",gateway="egress/out",verdict="{verdict}"}}"#)
    };
    let url = format!("http://a.test:{}/", origin.http());
    let day = world(EgressLimits { bytes_per_day: Some(20_000), ..shadow }).await;
    // The first is within the day, the second goes beyond it, and no other begins.
    let answers = day.curl(&[&url, &format!("{url}?size=50000"), &url]).await;
    assert_eq!(answers.status, 200, "{answers:?}");
    day.counted(&decided("allow"), 1).await;
    day.counted(&decided("would_deny"), 2).await;
    let open = world(EgressLimits { connections: Some(0), ..shadow }).await;
    let before = origin.server.counts().connections;
    assert_eq!(open.curl(&[&url, &url, &url]).await.status, 200);
    open.counted(&decided("would_deny"), 3).await;
    assert_eq!(origin.server.counts().connections - before, 1, "in shadow it is carried as without limits");
}

#[tokio::test]
async fn each_source_has_its_own() {
    let origin = Origin::start(&[]).await;
    let per_source = EgressLimits { per: EgressLimitScope::Source, connections: Some(1), ..NO_LIMITS };
    let rules = vec![limited(per_source, allow(&["*.test"]))];
    let world = World::with(
        vec![policy(EgressSubject::Namespace("shop".into()), rules)],
        |snapshot| {
            let till = Workload {
                namespace: Some("shop".into()),
                service_account: Some("till".into()),
                ..Workload::default()
            };
            snapshot.workloads.insert("127.0.0.2".parse().unwrap(), Arc::new(till));
            // Another pod of the same.
            snapshot.workloads.insert("127.0.0.3".parse().unwrap(), cart());
        },
        Setup::default(),
    )
    .await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let (_, mut open) = world.tunnel(&format!("a.test:{}", origin.tcp())).await;
    assert_eq!(echo(&mut open, 10).await, 10);
    let url = format!("http://a.test:{}/", origin.http());
    assert_eq!(world.curl(&["--interface", "127.0.0.2", &url]).await.status, 200);
    assert_eq!(world.curl(&["--interface", "127.0.0.3", &url]).await.status, 429);
    assert_eq!(world.curl(&[&url]).await.status, 429);
}

#[tokio::test]
async fn a_new_snapshot_forgets_nothing_that_runs() {
    let origin = Origin::start(&[]).await;
    let rules = |most: u32| limited(EgressLimits { connections: Some(most), ..NO_LIMITS }, allow(&["*.test"]));
    let world = world(EgressLimits { connections: Some(1), ..NO_LIMITS }).await;
    let target = format!("a.test:{}", origin.tcp());
    let (_, mut first) = world.tunnel(&target).await;
    assert_eq!(echo(&mut first, 10).await, 10);
    let mut denied = allow(&["never.test"]);
    denied.action = EgressAction::Deny;
    // Somewhere else in its policy, by its name.
    world.apply(vec![for_everyone(vec![denied.clone(), rules(1)])]);
    assert!(world.tunnel(&target).await.0.starts_with("HTTP/1.1 429"));
    world.apply(vec![for_everyone(vec![rules(2)])]);
    let (answer, mut second) = world.tunnel(&target).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(echo(&mut second, 10).await, 10);
    assert!(world.tunnel(&target).await.0.starts_with("HTTP/1.1 429"));
    drop(first);
    let mut third = tunnel_soon(&world, &target).await;
    assert_eq!(echo(&mut third, 10).await, 10);
    assert_eq!(echo(&mut second, 10).await, 10);
    // Without limits, nothing is counted any more.
    world.apply(vec![for_everyone(vec![allow(&["*.test"])])]);
    assert!(world.tunnel(&target).await.0.starts_with("HTTP/1.1 200"));
}

fn audit(directory: &Path) -> Audit {
    let log = LogSettings {
        dir: directory.to_owned(),
        key: SigningKey::from_pem(SigningKey::generate().unwrap().expose()).unwrap(),
        max_bytes: 1 << 20,
        max_age: Duration::from_secs(3600),
    };
    Audit::start(log, AuditSettings::default()).unwrap()
}

/// Waits until the log says something.
async fn told(directory: &Path, says: impl Fn(&str) -> bool) {
    let text = || {
        let files = std::fs::read_dir(directory).unwrap().filter_map(|entry| std::fs::read(entry.unwrap().path()).ok());
        files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect::<String>()
    };
    let heard = async {
        while !says(&text()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, heard).await.is_err() {
        panic!("the log says:\n{}", text());
    }
}
