//! Proxies beyond the gate: another gate of the same kind, which asks for a login.

use crate::support::*;
use lychgate_ir::egress::{
    EgressHandling, EgressLogin, EgressPolicy, UpstreamProxy, UpstreamProxyLogin, UpstreamProxyProtocol,
};
use lychgate_ir::{Refusal, RefusalReason, Snapshot};
use std::net::Ipv4Addr;
use tokio::io::AsyncReadExt;

/// Through a proxy at this port.
fn via(
    protocol: UpstreamProxyProtocol,
    port: u16,
    login: Option<Result<UpstreamProxyLogin, Refusal>>,
) -> Vec<EgressPolicy> {
    let proxy = UpstreamProxy { protocol, host: "127.0.0.1".into(), port, login };
    let handling = EgressHandling { via: Some(proxy), ..EgressHandling::default() };
    vec![for_everyone(vec![handled(handling, allow(&["api.test"]))])]
}

fn login(user: &str, password: &str) -> Option<Result<UpstreamProxyLogin, Refusal>> {
    Some(Ok(UpstreamProxyLogin { user: secret_id(user), password: secret_id(password) }))
}

/// A gate that lets `till` reach `api.test`, and nobody else anything.
async fn beyond() -> World {
    let known = |snapshot: &mut Snapshot| {
        snapshot.workloads.clear();
        let password = secret(snapshot, "password", "s3cret");
        let till = EgressLogin { password, namespace: "shop".into(), service_account: "till".into() };
        edit_gateway(snapshot, |gateway| drop(gateway.logins.insert("till".into(), till)));
    };
    let world = World::with(vec![for_everyone(vec![allow(&["api.test"])])], known, Setup::default()).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world
}

fn knowing(snapshot: &mut Snapshot) {
    for (key, text) in [("user", "till"), ("password", "s3cret"), ("wrong", "s3cret-no-more")] {
        secret(snapshot, key, text);
    }
}

#[tokio::test]
async fn what_leaves_goes_on_through_a_proxy_that_knows_us() {
    let origin = Origin::start(&["api.test"]).await;
    let beyond = beyond().await;
    let world = World::with(vec![], knowing, Setup::default()).await;
    let plain = format!("http://api.test:{}/", origin.http());
    let sealed = format!("https://api.test:{}/", origin.https());
    for protocol in [UpstreamProxyProtocol::Http, UpstreamProxyProtocol::Socks5] {
        world.apply(via(protocol, beyond.proxy.port(), login("user", "password")));
        for arguments in [vec![&*plain], vec!["-p", &plain], vec!["--cacert", &origin.ca, &sealed]] {
            let seen = world.curl(&arguments).await;
            assert_eq!(seen.status, 200, "{protocol:?} {arguments:?}: {seen:?}");
            assert!(!seen.body.contains("Proxy-Authorization"), "{seen:?}");
        }
    }
    // The proxy resolves names, and nobody asks twice.
    assert!(world.dns.asked().is_empty(), "{:?}", world.dns.asked());
    assert!(beyond.dns.asked().contains(&"api.test".to_owned()));
    beyond.counted(r#"lychgate_egress_connections_total{destination="api.test"}"#, 6).await;
}

#[tokio::test]
async fn a_proxy_that_does_not_let_us_pass_is_told_apart_from_one_that_is_down() {
    let origin = Origin::start(&["api.test"]).await;
    let beyond = beyond().await;
    let world = World::with(vec![], knowing, Setup::default()).await;
    let (here, down) = (beyond.proxy.port(), lychgate_testkit::free_addr().port());
    let refusal = Refusal::internal(RefusalReason::InvalidPolicy, "Secret/egress/login does not exist".to_owned());
    let passes_not = (502, "(upstream_error): the proxy beyond the gate does not let it pass");
    let is_down = (502, "(upstream_error): the proxy beyond the gate cannot be reached");
    let broken = (500, "(refused_by_config)");
    for (port, login, (status, why)) in [
        (here, login("user", "wrong"), passes_not),
        (here, None, passes_not),
        (down, login("user", "password"), is_down),
        (here, login("user", "gone"), broken),
        (here, Some(Err(refusal)), broken),
    ] {
        for protocol in [UpstreamProxyProtocol::Http, UpstreamProxyProtocol::Socks5] {
            world.apply(via(protocol, port, login.clone()));
            let seen = world.curl(&[&format!("http://api.test:{}/", origin.http())]).await;
            assert_eq!(seen.status, status, "{protocol:?} {login:?}: {seen:?}");
            assert!(seen.body.contains(why), "{protocol:?} {login:?}: {seen:?}");
            let (answer, mut stream) = world.tunnel(&format!("api.test:{}", origin.https())).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{protocol:?} {login:?}: {answer}");
            let length = answer.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            soon(stream.read_exact(&mut body)).await.unwrap();
            let body = String::from_utf8(body).unwrap();
            assert!(body.contains(why) && !body.contains("s3cret"), "{protocol:?} {login:?}: {body}");
        }
    }
    assert_eq!(origin.server.counts().requests, 0);
}

#[tokio::test]
async fn what_no_rule_allows_reaches_no_proxy_beyond() {
    let beyond = beyond().await;
    let world = World::with(vec![], knowing, Setup::default()).await;
    world.apply(via(UpstreamProxyProtocol::Http, beyond.proxy.port(), login("user", "password")));
    let (answer, _) = world.tunnel("evil.test:443").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(beyond.dns.asked().is_empty());
}
