//! What is published is served, and what became of it is told.

use super::{
    Cluster, Control, ask, echo, eventually, group, http_gateway, http_route, options, publish, served, service, soon,
    status, to, translated, who,
};
use lychgate_feed::resource::{Kind, Name, Resource, ResourceSet};
use lychgate_testkit::{Dial, free_addr, free_addrs};
use serde_json::json;
use std::net::TcpListener;

#[tokio::test]
async fn what_is_published_is_served_at_once() {
    let (_blue, blue) = echo("blue").await;
    let (_green, green) = echo("green").await;
    let [at, next] = free_addrs();
    let control = Control::start().await;
    let cluster = Cluster::start(options(&control)).await.unwrap();
    let admin = cluster.admin().unwrap();
    assert_eq!((ask(admin, "/livez").await.0, ask(admin, "/readyz").await.0), (200, 503), "there is no config yet");
    served(&control, &to(at.port(), "blue", blue)).await;
    assert_eq!(ask(admin, "/readyz").await.0, 200);
    assert_eq!(who(at).await, "blue");
    // A route, the endpoints alone, a listener.
    served(&control, &to(at.port(), "green", green)).await;
    assert_eq!(who(at).await, "green");
    served(&control, &to(at.port(), "green", blue)).await;
    assert_eq!(who(at).await, "blue");
    served(&control, &to(next.port(), "green", green)).await;
    assert_eq!(who(next).await, "green");
    assert!(Dial::http1(at).get("http://a.example/").await.is_err(), "the old port is closed");
    let status = status(admin).await;
    assert_eq!(status["controlPlane"]["connected"], true);
    assert_eq!(status["config"]["origin"], "feed");
    let served = json!([{"kind": "HTTPRoute", "metadata": {"namespace": "default", "name": "all", "generation": 0}}]);
    assert_eq!(status["objects"], served, "`lychgate blame` asks for generations");
    assert_eq!(soon(cluster.stop()).await, 0);
}

#[tokio::test]
async fn endpoints_come_without_the_rest() {
    let (_blue, blue) = echo("blue").await;
    let (_green, green) = echo("green").await;
    let at = free_addr();
    let control = Control::start().await;
    let cluster = Cluster::start(options(&control)).await.unwrap();
    let (snapshot, endpoints) = translated(&to(at.port(), "blue", blue));
    let version = control.feed.publish(&group(), &snapshot, &endpoints);
    control.acknowledged("one", |ack| ack.version == version).await;
    let mut held = Dial::http1(at).connect("a.example").await.unwrap();
    assert_eq!(held.get("http://a.example/").await.unwrap().header("x-echo-pod"), Some("blue"));
    let moved = translated(&to(at.port(), "blue", green)).1;
    let version = control.feed.publish(&group(), &snapshot, &moved);
    control.acknowledged("one", |ack| ack.version == version).await;
    assert_eq!(held.get("http://a.example/").await.unwrap().header("x-echo-pod"), Some("green"));
    let metrics = ask(cluster.admin().unwrap(), "/metrics").await.1;
    assert!(metrics.contains("lychgate_feed_connected 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_rule_of_the_future_refuses_alone_and_is_told() {
    let (_blue, blue) = echo("blue").await;
    let at = free_addr();
    let control = Control::start().await;
    let _cluster = Cluster::start(options(&control)).await.unwrap();
    let rules = "    - matches: [{path: {value: /new}}]\n      backendRefs: [{name: blue, port: 80}]\n    - backendRefs: \
                 [{name: blue, port: 80}]\n";
    let yaml = http_gateway(at.port()) + &service("blue", &[blue]) + &http_route("all", "[]", rules);
    let (snapshot, endpoints) = translated(&yaml);
    let mut route = serde_json::to_value(snapshot.routes.values().next().unwrap()).unwrap();
    route["rules"][0]["filters"] = json!([{"Teleport": {"to": "mars"}}]);
    let id = snapshot.routes.keys().next().unwrap();
    let set = ResourceSet::of(&snapshot, &endpoints)
        .with(Name::new(Kind::Route, id), Resource::new(serde_json::to_vec(&route).unwrap(), vec![]));
    let version = control.feed.publish_set(&group(), set);
    let ack = control.acknowledged("one", |ack| ack.version == version).await;
    let rejected: Vec<String> =
        ack.rejected.iter().filter_map(|it| it.rule.as_ref()).map(ToString::to_string).collect();
    assert_eq!(rejected, [format!("{id}#0@0")]);
    let dial = Dial::http1(at);
    assert_eq!(dial.get("http://a.example/new/x").await.unwrap().status, 500);
    assert_eq!(dial.get("http://a.example/old").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_port_that_cannot_be_had_is_told_and_taken_when_it_can() {
    let (_blue, blue) = echo("blue").await;
    let at = free_addr();
    let taken = TcpListener::bind(at).unwrap();
    let control = Control::start().await;
    let cluster = Cluster::start(options(&control)).await.unwrap();
    let version = publish(&control, &to(at.port(), "blue", blue));
    let ack = control.acknowledged("one", |ack| ack.version == version).await;
    let [unbound] = ack.unbound.as_slice() else { panic!("{ack:?}") };
    assert_eq!((unbound.socket.address, unbound.socket.port), (Some(at.ip()), at.port()));
    drop(taken);
    control.acknowledged("one", |ack| ack.unbound.is_empty()).await;
    assert_eq!(who(at).await, "blue");
    let admin = cluster.admin().unwrap();
    eventually("it is said", async || status(admin).await["notListening"] == json!([])).await;
}
