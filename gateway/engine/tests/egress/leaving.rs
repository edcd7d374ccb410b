//! The address that something leaves from.

use crate::support::*;
use lychgate_ir::egress::{EgressHandling, EgressPolicy};
use std::net::{IpAddr, Ipv4Addr};

fn leaving_from(addresses: &[&str]) -> Vec<EgressPolicy> {
    let leave_from: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let handling = EgressHandling { leave_from, ..EgressHandling::default() };
    vec![for_everyone(vec![handled(handling, allow(&["api.test"])), allow(&["usual.test"])])]
}

#[tokio::test]
async fn the_origin_sees_the_address_of_the_rule() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("usual.test", Ipv4Addr::LOCALHOST);
    // All of 127.0.0.0/8 is this machine.
    world.apply(leaving_from(&["::1", "127.0.0.9"]));
    let plain = |host: &str| format!("http://{host}:{}/", origin.http());
    for arguments in [
        vec![plain("api.test")],
        vec!["-p".to_owned(), plain("api.test")],
        vec!["--cacert".to_owned(), origin.ca.clone(), format!("https://api.test:{}/", origin.https())],
    ] {
        let seen = world.curl(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert!(seen.body.contains(r#""client": "127.0.0.9:"#), "{arguments:?}: {seen:?}");
    }
    let usual = world.curl(&[&plain("usual.test")]).await;
    assert!(usual.body.contains(r#""client": "127.0.0.1:"#), "{usual:?}");
    // One connection of a client, two rules: neither takes the connection of the other.
    let both = world.curl(&[&plain("api.test"), &plain("usual.test"), &plain("api.test")]).await;
    let seen: Vec<&str> = both.body.lines().filter(|line| line.contains(r#""client""#)).collect();
    let is_from = |line: &str, address: &str| line.contains(&format!("\"{address}:"));
    assert_eq!(seen.len(), 3, "{both:?}");
    for (line, address) in seen.iter().zip(["127.0.0.9", "127.0.0.1", "127.0.0.9"]) {
        assert!(is_from(line, address), "{both:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_ours_lets_nothing_leave() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    for addresses in [&["192.0.2.9"][..], &["::1"]] {
        world.apply(leaving_from(addresses));
        let seen = world.curl(&[&format!("http://api.test:{}/", origin.http())]).await;
        assert_eq!(seen.status, 503, "{addresses:?}: {seen:?}");
        assert!(seen.body.contains("cannot leave from the address that it should"), "{addresses:?}: {seen:?}");
        let (answer, _) = world.tunnel(&format!("api.test:{}", origin.https())).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{addresses:?}: {answer}");
    }
    assert_eq!(origin.server.counts().requests, 0);
}
