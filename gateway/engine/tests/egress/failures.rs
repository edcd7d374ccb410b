//! Where somebody else fails.

use crate::support::*;
use std::net::Ipv4Addr;
use std::sync::Arc;

#[tokio::test]
async fn an_origin_that_is_down_and_a_name_that_leads_nowhere_are_told_apart() {
    let world = World::allowing(vec![allow(&["**.test"])]).await;
    world.dns.say("down.test", Ipv4Addr::LOCALHOST);
    let closed = lychgate_testkit::free_addr().port();
    let down = world.curl(&[&format!("http://down.test:{closed}/")]).await;
    assert_eq!(down.status, 502, "{down:?}");
    assert!(down.body.contains("(upstream_error): the destination refused the connection"), "{down:?}");
    let (answer, _) = world.tunnel(&format!("down.test:{closed}")).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let nobody = world.curl(&["http://nobody.test/"]).await;
    assert_eq!(nobody.status, 502, "{nobody:?}");
    assert!(nobody.body.contains("nobody.test cannot be resolved: the name does not exist"), "{nobody:?}");
}

#[tokio::test]
async fn a_resolver_that_is_down_lets_nothing_out() {
    let world = World::allowing(vec![allow(&["**.test"])]).await;
    world.dns.fall_silent();
    let late = world.curl(&["http://api.test/"]).await;
    assert_eq!(late.status, 504, "{late:?}");
    assert!(late.body.contains("(egress_unresolved)"), "{late:?}");
}

#[tokio::test]
async fn a_listener_whose_filters_nobody_asks_lets_nothing_out() {
    let origin = Origin::start(&[]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let url = format!("http://api.test:{}/", origin.http());
    assert_eq!(world.curl(&[&url]).await.status, 200);
    let filter =
        r#"{"ExternalAuth":{"target":{"Backend":"Service/a/b:80"},"protocol":{"Grpc":{"sees":"All"}},"body":0}}"#;
    world.change(|snapshot| {
        for listener in snapshot.listeners.values_mut() {
            Arc::make_mut(listener).filters.push(serde_json::from_str(filter).unwrap());
        }
    });
    let asked = world.curl(&[&url]).await;
    assert_eq!(asked.status, 500, "{asked:?}");
    assert!(asked.body.contains("(refused_by_config)"), "{asked:?}");
    assert!(world.tunnel(&format!("api.test:{}", origin.tcp())).await.0.starts_with("HTTP/1.1 500"));
}
