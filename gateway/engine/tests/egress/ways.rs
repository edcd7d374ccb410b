//! Addresses of one name that are allowed by different rules: what holds is the rule of the one that is taken.

use crate::support::*;
use lychgate_ir::egress::{EgressCredential, EgressHandling, EgressLimits, EgressPolicy, EgressTls};
use lychgate_ir::{Refusal, RefusalReason};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TOKEN: &str = "t0p-s3cret-token";

/// Nothing listens there, and it is asked first.
const GONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// `gone` for the address where nothing listens, `there` and a credential for that of the origin.
fn differing(gone: EgressTls, there: EgressTls) -> Vec<EgressPolicy> {
    let credential = EgressCredential {
        header: http::header::AUTHORIZATION,
        prefix: "Bearer ".into(),
        secret: Ok(secret_id("token")),
    };
    let within = |net: &str, tls, credential| {
        let handling = EgressHandling { tls, credential, ..EgressHandling::default() };
        handled(handling, allow_within(&["api.test"], &[net]))
    };
    vec![for_everyone(vec![within("127.0.0.2/32", gone, None), within("127.0.0.1/32", there, Some(credential))])]
}

async fn world() -> World {
    let world = World::with(vec![], |snapshot| drop(secret(snapshot, "token", TOKEN)), Setup::default()).await;
    world.dns.say_all("api.test", &[GONE, Ipv4Addr::LOCALHOST]);
    world
}

#[tokio::test]
async fn a_request_leaves_over_tls_as_the_rule_of_its_address_says() {
    let origin = Origin::start(&["api.test"]).await;
    let world = world().await;
    let originate = || EgressTls::Originate(Ok(believing(&origin.authority)));
    let (plain, sealed) = (origin.http(), origin.https());
    for (gone, there, port, tls) in [
        (EgressTls::Pass, originate(), sealed, true),
        (originate(), EgressTls::Pass, plain, false),
        (originate(), originate(), sealed, true),
    ] {
        world.apply(differing(gone, there));
        let url = format!("http://api.test:{port}/");
        // A new connection, one that waits, and one in a tunnel.
        for arguments in [vec![&*url, &*url], vec!["-p", &*url]] {
            let seen = world.curl(&arguments).await;
            assert_eq!(seen.status, 200, "{arguments:?}: {seen:?}");
            assert_eq!(seen.body.contains("TLSv1.3"), tls, "{arguments:?}: {seen:?}");
            assert_eq!(
                seen.body.matches(TOKEN).count(),
                arguments.iter().filter(|one| **one == url).count(),
                "{seen:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_the_rule_of_an_address_cannot_have_is_not_sent_as_another_would() {
    let origin = Origin::start(&["api.test"]).await;
    let world = world().await;
    let broken = Refusal::internal(RefusalReason::InvalidPolicy, "ConfigMap/egress/roots does not exist".to_owned());
    world.apply(differing(EgressTls::Pass, EgressTls::Originate(Err(broken))));
    let seen = world.curl(&[&format!("http://api.test:{}/", origin.http())]).await;
    assert_eq!(seen.status, 500, "{seen:?}");
    // Nor does a connection in the clear that waits become one that is protected.
    world.apply(differing(EgressTls::Pass, EgressTls::Pass));
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    let ask = format!("GET http://api.test:{0}/ HTTP/1.1\r\nHost: api.test:{0}\r\n\r\n", origin.http());
    stream.write_all(ask.as_bytes()).await.unwrap();
    let (head, body) = response(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}{body}");
    world.apply(differing(EgressTls::Pass, EgressTls::Originate(Ok(believing(&origin.authority)))));
    stream.write_all(ask.as_bytes()).await.unwrap();
    let (head, body) = response(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 502") && body.contains("(upstream_tls)"), "{head}{body}");
    assert_eq!(origin.server.counts().requests, 1);
}

#[tokio::test]
async fn a_log_that_is_required_hears_of_the_way_that_is_taken_before_it_ends() {
    let origin = Origin::start(&[]).await;
    let home = tempfile::tempdir().unwrap();
    let edit = |snapshot: &mut _| drop(secret(snapshot, "token", TOKEN));
    let setup = Setup { audit: Some(audit_required(home.path())), ..Setup::default() };
    let world = World::with(differing(EgressTls::Pass, EgressTls::Pass), edit, setup).await;
    world.dns.say_all("api.test", &[GONE, Ipv4Addr::LOCALHOST]);
    let begun = |log: &str, address: &str, rule: &str| {
        let begun = log.lines().filter(|line| line.contains(r#""phase":"begun""#));
        let here = begun.filter(|line| line.contains(&format!(r#""host":"api.test","address":"{address}""#)));
        here.filter(|line| line.contains(rule)).count()
    };
    let announced = |first: usize, taken: usize| {
        move |log: &str| {
            let told = (begun(log, "127.0.0.2", "#0@1"), begun(log, "127.0.0.1", "#1@1"));
            told == (first, taken)
        }
    };
    assert_eq!(world.curl(&[&format!("http://api.test:{}/", origin.http())]).await.status, 200);
    written(home.path(), announced(1, 1)).await;
    let (answer, mut tunnel) = world.tunnel(&format!("api.test:{}", origin.tcp())).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // No method of HTTP begins like this.
    tunnel.write_all(b"\0").await.unwrap();
    assert_eq!(soon(tunnel.read_u8()).await.unwrap(), 0);
    // The tunnel is open, so that none of this is its end.
    written(home.path(), announced(2, 2)).await;
}

#[tokio::test]
async fn what_a_limit_refuses_is_told_though_another_address_does_not_answer() {
    let origin = Origin::start(&[]).await;
    let none = EgressLimits { connections: Some(0), ..NO_LIMITS };
    let handling = EgressHandling { limits: Some(none), ..EgressHandling::default() };
    let full = handled(handling, allow_within(&["api.test"], &["127.0.0.1/32"]));
    let world = World::allowing(vec![full, allow_within(&["api.test"], &["127.0.0.2/32"])]).await;
    // The limit comes first, and then nobody listens.
    world.dns.say_all("api.test", &[Ipv4Addr::LOCALHOST, GONE]);
    let (answer, _) = world.tunnel(&format!("api.test:{}", origin.tcp())).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
}
