//! Whom names are asked of.

use crate::support::{dns, upstream};
use lychgate_dns::{Failure, Upstream};
use lychgate_ir::egress::{DnsName, DnsProtocol};
use lychgate_testkit::dns::NameServer;
use lychgate_testkit::{Authority, free_udp_addr};
use rustls::RootCertStore;
use std::time::Duration;

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

#[tokio::test]
async fn answers_are_kept_within_the_bounds_of_the_gateway() {
    let server = NameServer::start().await;
    server.addresses("api.example", &["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
    server.ttl(86_400);
    let upstream = Upstream::new(&dns(vec![upstream(DnsProtocol::Udp, server.addr(), None)])).unwrap();
    let found = upstream.addresses(&name("api.example")).await.unwrap();
    assert_eq!(found.addresses.len(), 2);
    assert!(found.ttl <= Duration::from_secs(3600), "{:?}", found.ttl);
    let asked = server.asked().len();
    upstream.addresses(&name("api.example")).await.unwrap();
    assert_eq!(server.asked().len(), asked, "the second answer is the first one");
    assert!(matches!(upstream.addresses(&name("no.example")).await, Err(Failure::NoSuchName)));
}

#[tokio::test]
async fn one_that_does_not_answer_is_followed_by_the_next() {
    let server = NameServer::start().await;
    server.addresses("api.example", &["192.0.2.1".parse().unwrap()]);
    let nobody = upstream(DnsProtocol::Udp, free_udp_addr(), None);
    let both = dns(vec![nobody.clone(), upstream(DnsProtocol::Udp, server.addr(), None)]);
    assert!(Upstream::new(&both).unwrap().addresses(&name("api.example")).await.is_ok());
    let alone = Upstream::new(&dns(vec![nobody])).unwrap();
    assert!(matches!(alone.addresses(&name("api.example")).await, Err(Failure::Unanswered(_))));
}

#[tokio::test]
async fn one_that_speaks_tls_must_be_who_it_is_said_to_be() {
    let authority = Authority::new("test");
    let mut server = NameServer::start().await;
    server.addresses("api.example", &["192.0.2.1".parse().unwrap()]);
    let at = server.over_tls(&authority.server(&["dns.example"])).await;
    let roots = || {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        roots
    };
    let of = |name| Upstream::with_roots(&dns(vec![upstream(DnsProtocol::Tls, at, Some(name))]), roots).unwrap();
    assert!(of("dns.example").addresses(&name("api.example")).await.is_ok());
    let other = of("other.example").addresses(&name("api.example")).await;
    assert!(matches!(other, Err(Failure::Unanswered(_))), "{other:?}");
    assert!(Upstream::new(&dns(vec![upstream(DnsProtocol::Https, at, None)])).is_err(), "it has no name");
}

#[tokio::test]
async fn questions_go_over_https_to_whom_it_is_said_to_be() {
    let authority = Authority::new("test");
    let mut server = NameServer::start().await;
    server.addresses("api.example", &["192.0.2.1".parse().unwrap()]);
    let at = server.over_https(&authority.server(&["dns.example"])).await;
    let roots = || {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        roots
    };
    let of = |name| Upstream::with_roots(&dns(vec![upstream(DnsProtocol::Https, at, Some(name))]), roots).unwrap();
    let found = of("dns.example").addresses(&name("api.example")).await.unwrap();
    assert_eq!(found.addresses, ["192.0.2.1".parse::<std::net::IpAddr>().unwrap()]);
    assert!(matches!(of("dns.example").addresses(&name("no.example")).await, Err(Failure::NoSuchName)));
    let asked = server.asked().len();
    let other = of("other.example").addresses(&name("api.example")).await;
    assert!(matches!(other, Err(Failure::Unanswered(_))), "{other:?}");
    assert_eq!(server.asked().len(), asked, "it was asked nothing");
}

#[tokio::test]
async fn names_of_this_host_are_asked_of_nobody() {
    let server = NameServer::start().await;
    server.addresses("pay.localhost", &["192.0.2.1".parse().unwrap()]);
    let upstream = Upstream::new(&dns(vec![upstream(DnsProtocol::Udp, server.addr(), None)])).unwrap();
    let found = upstream.addresses(&name("pay.localhost")).await.unwrap();
    assert!(found.addresses.iter().all(|address| address.is_loopback()));
    assert!(server.asked().is_empty());
}
