//! A control plane that is newer, and one that is older.

use crate::control::{Control, group};
use crate::support::{Plane, endpoints, snapshot};
use lychgate_feed::resource::{Kind, Name, Need, Resource, ResourceSet};
use lychgate_ir::{BackendTls, Refusal, Route, Rule, Snapshot};
use serde_json::{Value, json};
use std::sync::Arc;

/// The snapshot with three rules in the route `a`.
fn three_rules() -> Snapshot {
    let mut snapshot = Snapshot::clone(&snapshot(&["a", "b"]));
    let id = "HTTPRoute/shop/a".parse().unwrap();
    let route = snapshot.routes.get_mut(&id).unwrap();
    let rules = (0..3).map(|index| {
        let mut rule = Rule::clone(&route.rules[0]);
        rule.id.index = index;
        Arc::new(rule)
    });
    *route = Arc::new(Route { rules: rules.collect(), ..Route::clone(route) });
    snapshot
}

/// The set with one resource as a newer control plane would write it.
fn newer(snapshot: &Snapshot, kind: Kind, name: &str, edit: impl FnOnce(&mut Value), needs: Vec<Need>) -> ResourceSet {
    let mut value = match &kind {
        Kind::Route => serde_json::to_value(&snapshot.routes[&name.parse().unwrap()]).unwrap(),
        Kind::Backend => serde_json::to_value(&snapshot.backends[&name.parse().unwrap()]).unwrap(),
        Kind::Listener => serde_json::to_value(&snapshot.listeners[&name.parse().unwrap()]).unwrap(),
        other => panic!("{other:?}"),
    };
    edit(&mut value);
    let resource = Resource::new(serde_json::to_vec(&value).unwrap(), needs);
    ResourceSet::of(snapshot, &endpoints(&[("a", 1)])).with(Name::new(kind, name), resource)
}

fn refusals(route: &Route) -> Vec<Option<&Refusal>> {
    route.rules.iter().map(|rule| rule.forward.as_ref().err()).collect()
}

#[tokio::test]
async fn a_filter_of_the_future_closes_its_rule_alone() {
    let control = Control::start().await;
    let published = three_rules();
    let future = |route: &mut Value| route["rules"][1]["filters"] = json!([{"Teleport": {"to": "mars"}}]);
    let version =
        control.feed.publish_set(&group(), newer(&published, Kind::Route, "HTTPRoute/shop/a", future, vec![]));
    let plane = Plane::start(control.options("one")).await;
    let config = plane.config(|_| true).await;
    let route = &config.snapshot.routes[&"HTTPRoute/shop/a".parse().unwrap()];
    let was = &published.routes[&route.id];
    assert_eq!((&route.rules[0], &route.rules[2]), (&was.rules[0], &was.rules[2]), "the others are served");
    assert_eq!(route.rules[1].matches, was.rules[1].matches, "nobody else gets its requests");
    let refusal = route.rules[1].forward.as_ref().unwrap_err();
    assert_eq!(refusal.status, 500);
    let ack = control.acknowledged("one", |_| true).await;
    assert_eq!(ack.version, version);
    let [rejected] = ack.rejected.as_slice() else { panic!("{ack:?}") };
    assert_eq!(rejected.rule.as_ref(), Some(&route.rules[1].id));
    assert!(rejected.why.contains("Teleport"), "{}", rejected.why);
    // It is taken back: nothing of it stays.
    control.feed.publish(&group(), &Arc::new(published.clone()), &endpoints(&[("a", 1)]));
    let config = plane.config(|config| config.rejected.is_empty()).await;
    assert_eq!(*config.snapshot, published);
    control.acknowledged("one", |ack| ack.rejected.is_empty()).await;
}

#[tokio::test]
async fn a_match_of_the_future_closes_its_route() {
    let control = Control::start().await;
    let published = three_rules();
    let future = |route: &mut Value| route["rules"][1]["matches"][0]["path"] = json!({"Glob": "/a/*/b"});
    control.feed.publish_set(&group(), newer(&published, Kind::Route, "HTTPRoute/shop/a", future, vec![]));
    let plane = Plane::start(control.options("one")).await;
    let config = plane.config(|_| true).await;
    let route = &config.snapshot.routes[&"HTTPRoute/shop/a".parse().unwrap()];
    assert!(refusals(route).iter().all(Option::is_some), "{route:?}");
    assert_eq!(control.acknowledged("one", |_| true).await.rejected.len(), 3);
    let other = "HTTPRoute/shop/b".parse().unwrap();
    assert_eq!(config.snapshot.routes[&other], published.routes[&other]);
}

#[tokio::test]
async fn what_must_be_understood_is_not_passed_over() {
    let control = Control::start().await;
    let published = three_rules();
    let unknown = |rule| vec![Need { feature: "sieve".into(), rule }];
    let edit = |route: &mut Value| route["rules"][0]["sieve"] = json!(true);
    let plane = Plane::start(control.options("one")).await;
    let id = "HTTPRoute/shop/a".parse().unwrap();
    for (needs, refused) in [(vec![], 0), (unknown(Some(0)), 1), (unknown(None), 3)] {
        let set = newer(&published, Kind::Route, "HTTPRoute/shop/a", edit, needs);
        let version = control.feed.publish_set(&group(), set);
        control.acknowledged("one", |ack| ack.version == version).await;
        let config = plane.config(|_| true).await;
        let closed = refusals(&config.snapshot.routes[&id]).into_iter().flatten().count();
        assert_eq!((closed, config.rejected.len()), (refused, refused));
    }
}

#[tokio::test]
async fn a_backend_of_the_future_is_not_reached_in_another_way() {
    let control = Control::start().await;
    let published = three_rules();
    let future = |backend: &mut Value| backend["tls"] = json!({"PostQuantumOnly": {}});
    control.feed.publish_set(&group(), newer(&published, Kind::Backend, "Service/shop/a:80", future, vec![]));
    let plane = Plane::start(control.options("one")).await;
    let config = plane.config(|_| true).await;
    let backend = &config.snapshot.backends[&"Service/shop/a:80".parse().unwrap()];
    assert!(matches!(backend.tls, BackendTls::Broken(_)), "{backend:?}");
    let ack = control.acknowledged("one", |_| true).await;
    assert!(ack.rejected[0].what.contains("Service/shop/a:80"), "{ack:?}");
}

#[tokio::test]
async fn a_listener_of_the_future_serves_nothing_and_keeps_its_place() {
    let control = Control::start().await;
    let published = three_rules();
    let (name, id) = ("Gateway/shop/front/http", "Gateway/shop/front/http".parse().unwrap());
    let future = |listener: &mut Value| listener["tls"] = json!({"wanted": "by all means"});
    control.feed.publish_set(&group(), newer(&published, Kind::Listener, name, future, vec![]));
    let plane = Plane::start(control.options("one")).await;
    let config = plane.config(|_| true).await;
    assert_eq!(config.snapshot.listeners[&id].port, 80);
    assert!(config.snapshot.routes.values().all(|route| route.attachments.is_empty()), "no route is served on it");
    // It is understood again: the routes are back, though none of them was sent again.
    control.feed.publish(&group(), &Arc::new(published.clone()), &endpoints(&[("a", 1)]));
    let config = plane.config(|config| config.rejected.is_empty()).await;
    assert_eq!(*config.snapshot, published);
}

#[tokio::test]
async fn kinds_and_fields_of_the_future_are_passed_over_where_they_may_be() {
    let control = Control::start().await;
    let published = three_rules();
    let edit = |route: &mut Value| {
        route["colour"] = json!("blue");
        route["rules"][0]["shape"] = json!({"round": true});
    };
    let set = newer(&published, Kind::Route, "HTTPRoute/shop/a", edit, vec![]);
    let portal = Name::new(Kind::Other("Portal".into()), "shop/x");
    let set = set.with(portal.clone(), Resource::new("{}", vec![]));
    let version = control.feed.publish_set(&group(), set.clone());
    let plane = Plane::start(control.options("one")).await;
    let config = plane.config(|_| true).await;
    assert_eq!(*config.snapshot, published);
    assert_eq!(control.acknowledged("one", |ack| ack.version == version).await.rejected, []);
    let need = Need { feature: "portals".into(), rule: None };
    let version = control.feed.publish_set(&group(), set.with(portal, Resource::new("{}", vec![need])));
    assert_eq!(control.acknowledged("one", |ack| ack.version == version).await.rejected.len(), 1);
}

#[tokio::test]
async fn an_older_control_plane_says_less() {
    let control = Control::start().await;
    let published = three_rules();
    // Fields that came after the first version, and those that may be null.
    let edit = |route: &mut Value| {
        route.as_object_mut().unwrap().remove("created");
        let forward = &mut route["rules"][0]["forward"]["Ok"];
        forward.as_object_mut().unwrap().remove("persistence");
        forward.as_object_mut().unwrap().remove("retry");
        forward["timeouts"] = json!({});
    };
    control.feed.publish_set(&group(), newer(&published, Kind::Route, "HTTPRoute/shop/a", edit, vec![]));
    let plane = Plane::start(control.options("one")).await;
    let config = plane.config(|_| true).await;
    assert!(config.rejected.is_empty(), "{:?}", config.rejected);
}
