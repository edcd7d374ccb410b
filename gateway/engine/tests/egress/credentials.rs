//! What the gate knows, and workloads need not.

use crate::support::*;
use lychgate_ir::egress::{EgressCredential, EgressHandling, EgressPolicy, EgressTls};
use lychgate_ir::{Refusal, RefusalReason, SecretId};
use std::net::Ipv4Addr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const TOKEN: &str = "t0p-s3cret-token";

fn bearing(secret: Result<SecretId, Refusal>, tls: EgressTls) -> Vec<EgressPolicy> {
    let credential = EgressCredential { header: http::header::AUTHORIZATION, prefix: "Bearer ".into(), secret };
    let handling = EgressHandling { tls, credential: Some(credential), ..EgressHandling::default() };
    vec![for_everyone(vec![handled(handling, allow(&["api.test"])), allow(&["plain.test"])])]
}

#[tokio::test]
async fn the_origin_sees_the_secret_and_nothing_of_what_the_workload_says_there() {
    let origin = Origin::start(&["api.test"]).await;
    let policies = bearing(Ok(secret_id("token")), EgressTls::Pass);
    let world = World::with(policies, |snapshot| drop(secret(snapshot, "token", TOKEN)), Setup::default()).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("plain.test", Ipv4Addr::LOCALHOST);
    let ask = |host: &str| format!("http://{host}:{}/", origin.http());
    let own = ["-H", "Authorization: Bearer mine", "-H", "authorization: Basic mine-too"];
    for extra in [vec![], vec!["-p"]] {
        let seen = world.curl(&[&own[..], &extra, &[&ask("api.test")]].concat()).await;
        assert!(seen.body.contains(&format!("Bearer {TOKEN}")) && !seen.body.contains("mine"), "{seen:?}");
    }
    // Another rule, another host: what the workload says, and no secret.
    let seen = world.curl(&[&own[..2], &[&ask("plain.test")]].concat()).await;
    assert!(seen.body.contains("Bearer mine") && !seen.body.contains(TOKEN), "{seen:?}");
    // Inside TLS that the gate begins, too.
    world.apply(bearing(Ok(secret_id("token")), EgressTls::Originate(Ok(believing(&origin.authority)))));
    let seen = world.curl(&[&format!("http://api.test:{}/", origin.https())]).await;
    assert!(seen.body.contains(TOKEN) && seen.body.contains("TLSv1.3"), "{seen:?}");
}

#[tokio::test]
async fn what_returns_a_request_is_refused_where_a_secret_is_added() {
    let origin = Origin::start(&[]).await;
    let policies = bearing(Ok(secret_id("token")), EgressTls::Pass);
    let world = World::with(policies, |snapshot| drop(secret(snapshot, "token", TOKEN)), Setup::default()).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("plain.test", Ipv4Addr::LOCALHOST);
    for extra in [vec![], vec!["-p"]] {
        let ask = |host: &str| format!("http://{host}:{}/", origin.http());
        let seen = world.curl(&[&extra[..], &["-X", "TRACE", &ask("api.test")]].concat()).await;
        assert_eq!(seen.status, 403, "{seen:?}");
        assert!(seen.body.contains("TRACE") && !seen.body.contains(TOKEN), "{seen:?}");
        assert_eq!(origin.server.counts().requests, 0);
    }
    let seen = world.curl(&["-X", "TRACE", &format!("http://plain.test:{}/", origin.http())]).await;
    assert_eq!(seen.status, 200, "{seen:?}");
}

#[tokio::test]
async fn a_secret_that_changes_counts_from_the_next_request_on() {
    let origin = Origin::start(&[]).await;
    let policies = bearing(Ok(secret_id("token")), EgressTls::Pass);
    let world = World::with(policies, |snapshot| drop(secret(snapshot, "token", TOKEN)), Setup::default()).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    let ask = format!("GET http://api.test:{0}/ HTTP/1.1\r\nHost: api.test:{0}\r\n\r\n", origin.http());
    stream.write_all(ask.as_bytes()).await.unwrap();
    let (_, body) = response(&mut stream).await;
    assert!(body.contains(TOKEN), "{body}");
    world.change(|snapshot| drop(secret(snapshot, "token", "the-next-one")));
    stream.write_all(ask.as_bytes()).await.unwrap();
    let (_, body) = response(&mut stream).await;
    assert!(body.contains("Bearer the-next-one") && !body.contains(TOKEN), "{body}");
}

#[tokio::test]
async fn without_its_secret_a_rule_lets_nothing_leave() {
    let origin = Origin::start(&[]).await;
    let refusal = Refusal::internal(RefusalReason::InvalidPolicy, "Secret/egress/secrets does not exist".to_owned());
    let world = World::allowing(vec![]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let url = format!("http://api.test:{}/", origin.http());
    let gone = || bearing(Ok(secret_id("token")), EgressTls::Pass);
    // Broken, gone, and no value of a header.
    let cases =
        [(bearing(Err(refusal), EgressTls::Pass), None), (gone(), None), (gone(), Some("t0p-s3cret\ntwo lines"))];
    for (policies, text) in cases {
        world.apply(policies);
        if let Some(text) = text {
            world.change(|snapshot| drop(secret(snapshot, "token", text)));
        }
        let seen = world.curl(&[&url]).await;
        assert_eq!(seen.status, 500, "{seen:?}");
        assert!(seen.body.contains("(refused_by_config)"), "{seen:?}");
        assert!(!seen.body.contains("t0p") && !seen.body.contains("egress/secrets"), "{seen:?}");
    }
    assert_eq!(origin.server.counts().requests, 0);
}

#[tokio::test]
async fn a_secret_is_in_no_log() {
    let origin = Origin::start(&[]).await;
    let home = tempfile::tempdir().unwrap();
    let (access, audit_dir) = (home.path().join("access.log"), home.path().join("audit"));
    let setup = Setup { audit: Some(audit_into(&audit_dir)), access_log: Some(access.clone()), ..Setup::default() };
    let policies = bearing(Ok(secret_id("token")), EgressTls::Pass);
    let world = World::with(policies, |snapshot| drop(secret(snapshot, "token", TOKEN)), setup).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let seen = world
        .curl(&["-H", "Authorization: Bearer mine", &format!("http://api.test:{}/?key=mine", origin.http())])
        .await;
    assert!(seen.body.contains(TOKEN), "{seen:?}");
    let closed = lychgate_testkit::free_addr().port();
    let failed = world.curl(&[&format!("http://api.test:{closed}/")]).await;
    assert_eq!(failed.status, 502, "{failed:?}");
    let both_are_there = |text: &str| text.matches("\"api.test").count() >= 2;
    let written = [written(&access, both_are_there).await, written(&audit_dir, both_are_there).await].concat();
    let metrics = world.engine.metrics();
    for text in [&written, &metrics, &failed.body] {
        assert!(!text.contains(TOKEN) && !text.contains("mine"), "{text}");
    }
}
