//! How what a route leads out is carried, and for whom.

use crate::support::*;
use lychgate_ir::egress::{
    EgressCredential, EgressHandling, EgressLimits, EgressSubject, EgressTls, OriginTls, SpkiPin,
};
use lychgate_ir::{
    Certificate, CertificateId, ClientIdentity, ClientValidation, ListenerTls, ObjectName, Protocol, Redacted, Roots,
    RouteKind, Secret, SecretId, Snapshot, TlsVersion, ValidationMode,
};
use lychgate_testkit::{Authority, ClientTls, Dial};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_rule_says_how_it_is_carried_and_what_it_cannot_say_here_refuses() {
    let origin = Origin::start(&["api.test"]).await;
    let id = SecretId { object: ObjectName::new("shop", "token"), key: "key".into() };
    let edit = |snapshot: &mut Snapshot| {
        snapshot
            .secrets
            .insert(id.clone(), Arc::new(Secret { id: id.clone(), text: Redacted::new("s3cret".to_owned()) }));
        lead_http(snapshot, "api.test", &outside("api.test", origin.https()), plainly);
        let own = over_tls(&origin, outside("own.test", origin.https()));
        lead_http(snapshot, "own.test", &own, plainly);
    };
    let tls = OriginTls {
        min_version: TlsVersion::V1_3,
        roots: Roots::Pem(vec![origin.authority.pem().into()]),
        pins: vec![],
        identity: ClientIdentity::None,
    };
    let credential =
        EgressCredential { header: http::header::AUTHORIZATION, prefix: "Bearer ".into(), secret: Ok(id.clone()) };
    let handling = EgressHandling {
        tls: EgressTls::Originate(Ok(tls)),
        credential: Some(credential),
        leave_from: vec!["127.0.0.7/32".parse().unwrap()],
        ..EgressHandling::default()
    };
    let rule = handled(handling.clone(), allow(&["api.test", "own.test"]));
    let world = World::routed(Protocol::Http, vec![for_everyone(vec![rule])], edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("own.test", Ipv4Addr::LOCALHOST);
    let seen = world.ask("api.test", "/", &["-H", "Authorization: mine"]).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert!(seen.body.contains("Bearer s3cret") && !seen.body.contains("mine"), "{seen:?}");
    assert!(seen.body.contains("127.0.0.7"), "{seen:?}");
    // Its answer would be the request, with what was added.
    let returned = world.ask("api.test", "/", &["-X", "TRACE"]).await;
    assert_eq!(returned.status, 403, "{returned:?}");
    // Rule and backend both say how TLS is spoken.
    let both = world.ask("own.test", "/", &[]).await;
    assert_eq!(both.status, 500, "{both:?}");
    assert!(both.body.contains("not configured for this"), "{both:?}");
    // A key that is not the origin's.
    let EgressTls::Originate(Ok(tls)) = &handling.tls else { panic!("no TLS") };
    let pinned = OriginTls { pins: vec![SpkiPin([7; 32])], ..tls.clone() };
    let pinned = EgressHandling { tls: EgressTls::Originate(Ok(pinned)), ..EgressHandling::default() };
    world.apply(vec![for_everyone(vec![handled(pinned, allow(&["api.test"]))])]);
    assert_eq!(world.ask("api.test", "/", &[]).await.status, 502);
    assert_eq!(origin.server.requests().len(), 1);
}

#[tokio::test]
async fn a_rule_that_looks_into_tls_leaves_that_of_a_backend_to_the_backend() {
    let origin = Origin::start(&["own.test"]).await;
    let edit = |snapshot: &mut Snapshot| {
        lead_http(snapshot, "own.test", &over_tls(&origin, outside("own.test", origin.https())), plainly);
    };
    let inspecting = |tls| EgressHandling { tls: EgressTls::Inspect(Ok(tls)), ..EgressHandling::default() };
    let rule = |tls| vec![for_everyone(vec![handled(inspecting(tls), allow(&["own.test"]))])];
    let usual = OriginTls { roots: Roots::System, ..believing(&origin.authority) };
    let world = World::routed(Protocol::Http, rule(usual.clone()), edit).await;
    world.dns.say("own.test", Ipv4Addr::LOCALHOST);
    let seen = world.ask("own.test", "/", &[]).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert!(seen.body.contains("TLSv1.3"), "{seen:?}");
    // What else it says of the destination's TLS would not hold.
    for more in [
        OriginTls { pins: vec![SpkiPin([7; 32])], ..usual.clone() },
        OriginTls { min_version: TlsVersion::V1_3, ..usual.clone() },
        believing(&origin.authority),
    ] {
        world.apply(rule(more));
        assert_eq!(world.ask("own.test", "/", &[]).await.status, 500);
    }
    assert_eq!(origin.server.requests().len(), 1);
}

/// A rule by which one connection may be open at a time.
fn one_at_a_time() -> EgressHandling {
    let limits = EgressLimits { connections: Some(1), ..NO_LIMITS };
    EgressHandling { limits: Some(limits), ..EgressHandling::default() }
}

#[tokio::test]
async fn limits_hold_for_connections_of_streams() {
    let origin = Origin::start(&[]).await;
    let bounded = || vec![for_everyone(vec![handled(one_at_a_time(), allow(&["db.test"]))])];
    let edit = |snapshot: &mut Snapshot| {
        lead_streams(snapshot, RouteKind::Tcp, "", &outside("db.test", origin.tcp()));
    };
    let world = World::routed(Protocol::Tcp, bounded(), edit).await;
    world.dns.say("db.test", Ipv4Addr::LOCALHOST);
    let (mut first, mut echoed) = (TcpStream::connect(world.proxy).await.unwrap(), [0; 5]);
    first.write_all(b"\x00ping").await.unwrap();
    soon(first.read_exact(&mut echoed)).await.unwrap();
    let mut second = TcpStream::connect(world.proxy).await.unwrap();
    let mut rest = Vec::new();
    // Closed or reset.
    let _ = soon(second.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    world.counted(r#"lychgate_egress_limits_total{gateway="egress/out",limit="connections",mode="enforce"}"#, 1).await;
    first.write_all(b"\x00pong").await.unwrap();
    soon(first.read_exact(&mut echoed)).await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_of_the_listener_says_who_asks() {
    let origin = Origin::start(&[]).await;
    let clients = Authority::new("clients");
    let gates = Authority::new("gates");
    let leaf = gates.server(&["api.test"]);
    let certificate = Certificate {
        id: CertificateId(ObjectName::new("egress", "gate")),
        chain_pem: leaf.chain_pem().into(),
        key_pem: Redacted::new(leaf.key_pem()),
    };
    let mode = ValidationMode::AllowInsecureFallback;
    let tls = ListenerTls {
        certificates: vec![certificate.id.clone()],
        min_version: TlsVersion::V1_2,
        client_validation: Some(Ok(ClientValidation { roots_pem: vec![clients.pem().into()], mode })),
    };
    let edit = |snapshot: &mut Snapshot| {
        snapshot.workloads.clear();
        snapshot.certificates.insert(certificate.id.clone(), Arc::new(certificate.clone()));
        lead_http(snapshot, "api.test", &outside("api.test", origin.http()), plainly);
    };
    let identity = EgressSubject::Identity("spiffe://cluster.local/ns/shop/sa/till".into());
    let setup = Setup { protocol: Protocol::Https, tls: Some(tls), ..Setup::default() };
    let world = World::with(vec![policy(identity, vec![allow(&["api.test"])])], edit, setup).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let till = clients.leaf().uri("spiffe://cluster.local/ns/shop/sa/till").issue();
    let other = clients.leaf().uri("spiffe://cluster.local/ns/shop/sa/other").issue();
    let forged = Authority::new("others").leaf().uri("spiffe://cluster.local/ns/shop/sa/till").issue();
    let known = |leaf| ClientTls::with_identity(&gates, leaf);
    for (who, tls, expected) in [
        ("till", known(&till), 200),
        ("other", known(&other), 403),
        ("forged", known(&forged), 403),
        ("nobody", ClientTls::trusting(&gates), 403),
    ] {
        let answer = Dial::tls(world.proxy, &tls).get("https://api.test/").await.unwrap();
        assert_eq!(answer.status.as_u16(), expected, "{who}");
    }
    assert_eq!(origin.server.requests().len(), 1);
}
