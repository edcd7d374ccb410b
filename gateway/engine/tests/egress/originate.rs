//! What comes in the clear leaves over TLS, to whom the rule believes.

use crate::support::*;
use lychgate_ir::egress::{EgressHandling, EgressTls, OriginTls, SpkiPin};
use lychgate_ir::{
    Certificate, CertificateId, ClientIdentity, ObjectName, Redacted, Refusal, RefusalReason, Roots, TlsVersion,
};
use lychgate_testkit::{Authority, server_tls_asking_clients};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use x509_parser::prelude::{FromDer, X509Certificate};

fn pin(certificate: &[u8]) -> SpkiPin {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, parsed.public_key().raw);
    SpkiPin(hash.as_ref().try_into().unwrap())
}

#[tokio::test]
async fn plain_requests_leave_over_tls_whichever_way_they_come() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![originating(believing(&origin.authority), allow(&["api.test"]))]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let plain = format!("http://api.test:{}/a", origin.https());
    for arguments in [vec![&*plain], vec!["-p", &plain]] {
        let seen = world.curl(&arguments).await;
        assert_eq!(seen.status, 200, "{arguments:?}: {seen:?}");
        assert!(seen.body.contains(r#""serverName": "api.test""#), "{arguments:?}: {seen:?}");
    }
    let socks = format!("socks5h://{}", world.proxy);
    let seen = curl(&["-x", &socks, &plain]).await;
    assert!(seen.body.contains(r#""serverName": "api.test""#), "{seen:?}");
    // Who asks a proxy for https in absolute-form wants just this.
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    let ask = format!("GET https://api.test:{}/a HTTP/1.1\r\nHost: api.test\r\n\r\n", origin.https());
    stream.write_all(ask.as_bytes()).await.unwrap();
    let (head, body) = response(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200") && body.contains("TLSv1.3"), "{head}{body}");
    // Without such a rule it is not done for anybody.
    world.apply(vec![for_everyone(vec![allow(&["api.test"])])]);
    stream.write_all(ask.as_bytes()).await.unwrap();
    let (head, body) = response(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 400") && body.contains("ask with CONNECT"), "{head}{body}");
}

#[tokio::test]
async fn who_is_called_by_address_is_verified_by_the_name_that_was_asked_for() {
    let origin = Origin::start(&["api.test"]).await;
    let rule = originating(believing(&origin.authority), allow(&["api.test", "other.test"]));
    let world = World::allowing(vec![rule]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("other.test", Ipv4Addr::LOCALHOST);
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    // One connection of the client: what was verified for the one name is not good for the other.
    for (host, expected) in [("api.test", "HTTP/1.1 200"), ("other.test", "HTTP/1.1 502"), ("api.test", "HTTP/1.1 200")]
    {
        let ask = format!("GET http://127.0.0.1:{}/ HTTP/1.1\r\nHost: {host}\r\n\r\n", origin.https());
        stream.write_all(ask.as_bytes()).await.unwrap();
        let (head, body) = response(&mut stream).await;
        assert!(head.starts_with(expected), "{host}: {head}{body}");
    }
}

#[tokio::test]
async fn bytes_of_a_tunnel_leave_over_tls_and_tls_inside_of_it_does_not() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![originating(believing(&origin.authority), allow(&["api.test"]))]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let (answer, mut stream) = world.tunnel(&format!("api.test:{}", origin.sealed())).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stream.write_all(b"\x00ping").await.unwrap();
    let mut echoed = [0; 5];
    soon(stream.read_exact(&mut echoed)).await.unwrap();
    assert_eq!(&echoed, b"\x00ping");
    let (_, stream) = world.tunnel(&format!("api.test:{}", origin.https())).await;
    let twice = get_over_tls(stream, &origin.tls(), "api.test").await;
    assert!(twice.is_err(), "{twice:?}");
}

#[tokio::test]
async fn an_origin_that_is_not_believed_is_refused_and_the_client_hears_why() {
    let authority = Authority::new("origins");
    let leaf = authority.server(&["api.test"]);
    let (own_key, ca_key) = (pin(leaf.der()), pin(authority.der()));
    let origin = Origin::with(authority, lychgate_testkit::server_tls(&leaf)).await;
    let believed = believing(&origin.authority);
    let other = Authority::new("others");
    let old = rustls_only_1_2(&origin.authority).await;
    let rule = |tls: OriginTls| vec![for_everyone(vec![originating(tls, allow(&["*.test"]))])];
    let world = World::allowing(vec![]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("other.test", Ipv4Addr::LOCALHOST);
    let good = format!("http://api.test:{}/", origin.https());
    let misnamed = format!("http://other.test:{}/", origin.https());
    let dated = format!("http://api.test:{}/", old.https());
    let pinned = |pins: &[SpkiPin]| OriginTls { pins: pins.to_vec(), ..believed.clone() };
    let new = OriginTls { min_version: TlsVersion::V1_3, ..believed.clone() };
    let foreign = pin(other.der());
    for (tls, url, expected) in [
        (believed.clone(), &good, None),
        (believing(&other), &good, Some("by nobody who is believed")),
        (believed.clone(), &misnamed, Some("is for another name")),
        (believed.clone(), &dated, None),
        (new.clone(), &dated, Some("speaks no version of TLS that is wanted")),
        (new, &good, None),
        (pinned(&[own_key]), &good, None),
        (pinned(&[foreign, ca_key]), &good, None),
        (pinned(&[foreign]), &good, Some("has none of the keys that are pinned")),
    ] {
        world.apply(rule(tls.clone()));
        let seen = world.curl(&[url]).await;
        match expected {
            None => assert_eq!(seen.status, 200, "{tls:?} {url}: {seen:?}"),
            Some(why) => {
                assert_eq!(seen.status, 502, "{tls:?} {url}: {seen:?}");
                assert!(seen.body.contains("(upstream_tls)") && seen.body.contains(why), "{tls:?} {url}: {seen:?}");
            }
        }
    }
    // What is broken in a rule denies what it would have allowed.
    let broken = Refusal::internal(RefusalReason::InvalidPolicy, "ConfigMap/egress/roots does not exist".to_owned());
    let broken = EgressHandling { tls: EgressTls::Originate(Err(broken)), ..EgressHandling::default() };
    world.apply(vec![for_everyone(vec![handled(broken, allow(&["*.test"]))])]);
    let seen = world.curl(&[&good]).await;
    assert_eq!(seen.status, 500, "{seen:?}");
    assert!(seen.body.contains("(refused_by_config)") && !seen.body.contains("roots"), "{seen:?}");
}

/// The anchors of the host are read once in a process: it is another one for which an authority of ours is the host's.
#[tokio::test]
async fn a_pinned_key_of_an_anchor_of_the_host_counts() {
    const OURS: &str = "LYCHGATE_TEST_OF_ANCHORS";
    const NAME: &str = "originate::a_pinned_key_of_an_anchor_of_the_host_counts";
    let Some(anchors) = std::env::var_os(OURS) else {
        let anchors = tempfile::NamedTempFile::new().unwrap();
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", NAME]).env(OURS, anchors.path());
        again.env("SSL_CERT_FILE", anchors.path()).env_remove("SSL_CERT_DIR");
        let done = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
        return;
    };
    let origin = Origin::start(&["api.test"]).await;
    std::fs::write(anchors, origin.authority.pem()).unwrap();
    let believed = OriginTls { roots: Roots::System, ..believing(&origin.authority) };
    let world = World::allowing(vec![]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let (own, foreign) = (pin(origin.authority.der()), pin(Authority::new("others").der()));
    for (pins, status) in [(vec![], 200), (vec![foreign, own], 200), (vec![foreign], 502)] {
        let tls = OriginTls { pins, ..believed.clone() };
        world.apply(vec![for_everyone(vec![originating(tls.clone(), allow(&["api.test"]))])]);
        let seen = world.curl(&[&format!("http://api.test:{}/", origin.https())]).await;
        assert_eq!(seen.status, status, "{tls:?}: {seen:?}");
    }
}

async fn rustls_only_1_2(authority: &Authority) -> Origin {
    let leaf = authority.server(&["api.test"]);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(leaf.chain(), leaf.key())
        .unwrap();
    Origin::with(Authority::new("unused"), tls).await
}

#[tokio::test]
async fn an_origin_that_asks_sees_the_certificate_of_the_rule() {
    let (authority, clients) = (Authority::new("origins"), Authority::new("clients"));
    let tls = server_tls_asking_clients(&authority.server(&["api.test"]), &clients, true);
    let origin = Origin::with(authority, tls).await;
    let leaf = clients.client("the-gate");
    let certificate = Certificate {
        id: CertificateId(ObjectName::new("egress", "client")),
        chain_pem: leaf.chain_pem().into(),
        key_pem: Redacted::new(leaf.key_pem()),
    };
    let with = |identity: ClientIdentity| {
        let tls = OriginTls { identity, ..believing(&origin.authority) };
        vec![for_everyone(vec![originating(tls, allow(&["api.test"]))])]
    };
    let world = World::allowing(vec![]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let url = format!("http://api.test:{}/", origin.https());
    let presented = with(ClientIdentity::Certificate(certificate.id.clone()));
    // Nobody: the origin breaks off. One that is gone: nothing is begun.
    for (policies, status) in [(with(ClientIdentity::None), 502), (presented.clone(), 500)] {
        world.apply(policies);
        let seen = world.curl(&[&url]).await;
        assert_eq!(seen.status, status, "{seen:?}");
    }
    world.change(|snapshot| {
        snapshot.certificates.insert(certificate.id.clone(), Arc::new(certificate.clone()));
    });
    let seen = world.curl(&[&url]).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    let shown = leaf.chain_pem().lines().nth(1).unwrap().to_owned();
    assert!(seen.body.contains(&shown), "{seen:?}");
}
