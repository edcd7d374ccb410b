//! Names that have to agree with where they lead.

use crate::support::*;
use lychgate_ir::egress::{EgressAction, EgressExceptions, EgressMode, EgressProtocol, EgressRule, Percent};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A fatal alert: access_denied.
const ACCESS_DENIED: &str = "access denied";

fn is_denied(result: &Result<String, String>) -> bool {
    result.as_ref().is_err_and(|error| {
        error.to_lowercase().replace(['_', '-'], " ").contains(ACCESS_DENIED) || error.contains("AccessDenied")
    })
}

#[tokio::test]
async fn another_server_name_than_the_one_that_was_asked_for_is_refused() {
    let origin = Origin::start(&["api.test", "evil.test"]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let target = format!("api.test:{}", origin.https());
    let (answer, stream) = world.tunnel(&target).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let fronted = get_over_tls(stream, &origin.tls(), "evil.test").await;
    assert!(is_denied(&fronted), "{fronted:?}");
    let (_, stream) = world.tunnel(&target).await;
    let hidden = get_over_tls(stream, &origin.tls().without_sni(), "api.test").await;
    assert!(is_denied(&hidden), "{hidden:?}");
    let (_, stream) = world.tunnel(&target).await;
    assert!(get_over_tls(stream, &origin.tls(), "api.test").await.is_ok());
    // Each can be waived by itself.
    let waived = EgressExceptions { missing_sni: true, ..EgressExceptions::default() };
    let rule = lychgate_ir::egress::EgressRule { exceptions: waived, ..allow(&["api.test"]) };
    world.apply(vec![for_everyone(vec![rule])]);
    let (_, stream) = world.tunnel(&target).await;
    let hidden = get_over_tls(stream, &origin.tls().without_sni(), "api.test").await;
    assert!(hidden.is_ok(), "{hidden:?}");
}

#[tokio::test]
async fn who_waits_before_naming_another_server_is_refused_all_the_same() {
    let origin = Origin::start(&["api.test", "evil.test"]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let target = format!("api.test:{}", origin.https());
    let (_, stream) = world.tunnel(&target).await;
    // Longer than the gate waits for the client to begin: waiting is what is tested.
    tokio::time::sleep(Duration::from_millis(900)).await;
    let fronted = get_over_tls(stream, &origin.tls(), "evil.test").await;
    assert!(is_denied(&fronted), "{fronted:?}");
    // A rule for TLS alone lets who is late begin.
    world.apply(vec![for_everyone(vec![speaking(vec![EgressProtocol::Tls], allow(&["api.test"]))])]);
    let (_, stream) = world.tunnel(&target).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    let late = get_over_tls(stream, &origin.tls(), "api.test").await;
    assert!(late.is_ok(), "{late:?}");
}

#[tokio::test]
async fn another_host_inside_a_tunnel_is_refused() {
    let origin = Origin::start(&[]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let (_, mut stream) = world.tunnel(&format!("api.test:{}", origin.http())).await;
    let ask = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
    stream.write_all(&ask("api.test")).await.unwrap();
    let first = head(&mut stream).await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let length = first.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    stream.write_all(&ask("evil.test")).await.unwrap();
    let second = head(&mut stream).await;
    assert!(second.starts_with("HTTP/1.1 403"), "{second}");
}

#[tokio::test]
async fn a_public_name_that_leads_to_what_is_not_public_is_refused() {
    let origin = Origin::start(&[]).await;
    // By name alone: loopback is not meant, and metadata never.
    let world = World::allowing(vec![allow_within(&["api.test", "meta.test"], &[])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("meta.test", Ipv4Addr::new(169, 254, 169, 254));
    let local = world.curl(&[&format!("http://api.test:{}/", origin.http())]).await;
    assert_eq!(local.status, 403, "{local:?}");
    assert!(local.body.contains("the address is not public (loopback)"), "{local:?}");
    let meta = world.curl(&["http://meta.test/latest/meta-data/"]).await;
    assert_eq!(meta.status, 403, "{meta:?}");
    assert!(meta.body.contains("cloud metadata"), "{meta:?}");
    let (answer, _) = world.tunnel("meta.test:80").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // By address, a name may still come inside; nothing is dialled before, and none of these names leads there.
    let (answer, mut stream) = world.tunnel("169.254.169.254:80").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stream.write_all(b"GET /latest/meta-data/ HTTP/1.1\r\nHost: meta.test\r\n\r\n").await.unwrap();
    let inside = head(&mut stream).await;
    assert!(inside.starts_with("HTTP/1.1 403"), "{inside}");
}

#[tokio::test]
async fn an_answer_that_changes_leads_nowhere_new() {
    let origin = Origin::start(&[]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let url = format!("http://api.test:{}/", origin.http());
    assert_eq!(world.curl(&[&url]).await.status, 200);
    world.dns.say("api.test", Ipv4Addr::new(169, 254, 169, 254));
    let rebound = world.curl(&[&url]).await;
    assert_eq!(rebound.status, 403, "{rebound:?}");
}

#[tokio::test]
async fn an_address_is_reached_by_who_names_it_and_by_a_name_that_leads_there() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let target = format!("127.0.0.1:{}", origin.https());
    // The name comes with TLS, and DNS leads from it to the address.
    let (answer, stream) = world.tunnel(&target).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(get_over_tls(stream, &origin.tls(), "api.test").await.is_ok());
    world.dns.say("api.test", Ipv4Addr::new(127, 0, 0, 2));
    let (_, stream) = world.tunnel(&target).await;
    let elsewhere = get_over_tls(stream, &origin.tls(), "api.test").await;
    assert!(is_denied(&elsewhere), "{elsewhere:?}");
    world.apply(vec![for_everyone(vec![allow_addresses(&["127.0.0.1/32"])])]);
    let plain = world.curl(&[&format!("http://127.0.0.1:{}/", origin.http())]).await;
    assert_eq!(plain.status, 200, "{plain:?}");
}

#[tokio::test]
async fn a_host_that_cannot_be_read_goes_no_further() {
    let origin = Origin::start(&[]).await;
    let denied = EgressRule { action: EgressAction::Deny, ..allow_within(&["evil.test"], &[]) };
    let world = World::allowing(vec![allow_addresses(&["127.0.0.0/8"]), denied]).await;
    let port = origin.http();
    // In absolute-form and inside a tunnel, by an address, where a rule by address allows it.
    for (before, uri) in [format!("http://127.0.0.1:{port}/"), "/".to_owned()].into_iter().enumerate() {
        let ask = async |host: &str| {
            let mut stream = match uri.as_str() {
                "/" => world.tunnel(&format!("127.0.0.1:{port}")).await.1,
                _ => TcpStream::connect(world.proxy).await.unwrap(),
            };
            stream.write_all(format!("GET {uri} HTTP/1.1\r\n{host}\r\n").as_bytes()).await.unwrap();
            head(&mut stream).await
        };
        for host in ["evil.test:", "evil.test:000080", "x@evil.test", "evil.test:0", "evil test", "", "evil.test\u{e4}"]
        {
            let answer = ask(&format!("Host: {host}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{uri} {host:?}: {answer}");
        }
        for host in ["evil.test", "EVIL.test.:80"] {
            let answer = ask(&format!("Host: {host}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{uri} {host:?}: {answer}");
        }
        let answer = ask("Host: Good.test.:81\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{uri}: {answer}");
        let seen = origin.server.requests();
        // Nothing else has come there, and it is named as it was decided about.
        let hosts: Vec<&str> = seen[before..].iter().map(|request| request.report.host.as_str()).collect();
        assert_eq!((seen.len(), hosts), (before + 1, vec!["good.test:81"]), "{uri}");
    }
}

#[tokio::test]
async fn without_a_host_it_is_that_of_the_url() {
    let origin = Origin::start(&[]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    let ask = format!("GET http://API.test:{}/ HTTP/1.0\r\n\r\n", origin.http());
    stream.write_all(ask.as_bytes()).await.unwrap();
    let (answer, body) = response(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(body.contains(&format!(r#""host": "api.test:{}""#, origin.http())), "{body}");
}

#[tokio::test]
async fn a_name_that_no_rule_wants_is_not_asked_for() {
    let origin = Origin::start(&["told.evil.test", "api.test"]).await;
    let addresses = || allow_addresses(&["127.0.0.1/32"]);
    let world = World::allowing(vec![addresses()]).await;
    for name in ["told.evil.test", "api.test"] {
        world.dns.say(name, Ipv4Addr::LOCALHOST);
    }
    let claim = async |name: &str| {
        let (_, stream) = world.tunnel(&format!("127.0.0.1:{}", origin.https())).await;
        let sealed = get_over_tls(stream, &origin.tls(), name).await;
        assert!(sealed.is_ok(), "{sealed:?}");
        let (_, mut stream) = world.tunnel(&format!("127.0.0.1:{}", origin.http())).await;
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n").as_bytes()).await.unwrap();
        let plain = head(&mut stream).await;
        assert!(plain.starts_with("HTTP/1.1 200"), "{plain}");
    };
    claim("told.evil.test").await;
    assert!(world.dns.asked().is_empty(), "{:?}", world.dns.asked());
    // A rule that is about hosts wants to know where its own lead, and no others.
    world.apply(vec![for_everyone(vec![addresses(), allow(&["api.test"])])]);
    claim("told.evil.test").await;
    claim("api.test").await;
    let asked = world.dns.asked();
    assert!(!asked.is_empty() && asked.iter().all(|name| name == "api.test"), "{asked:?}");
    // Where all may leave, all may be asked for: logs tell who leads there.
    world.change(|snapshot| edit_gateway(snapshot, |gateway| gateway.default = EgressMode::Shadow(Percent::ALL)));
    world.apply(vec![]);
    claim("told.evil.test").await;
    assert!(world.dns.asked().iter().any(|name| name == "told.evil.test"));
}
