//! The control plane is away.

use super::{Cluster, Control, ask, echo, options, publish, served, soon, status, to, who};
use lychgate_feed::server::Feed;
use lychgate_testkit::free_addr;

#[tokio::test]
async fn traffic_goes_on_and_the_next_control_plane_sends_what_is_new() {
    let (_blue, blue) = echo("blue").await;
    let (_green, green) = echo("green").await;
    let at = free_addr();
    let mut control = Control::start().await;
    let cluster = Cluster::start(options(&control)).await.unwrap();
    let admin = cluster.admin().unwrap();
    served(&control, &to(at.port(), "blue", blue)).await;
    let sent = status(admin).await["controlPlane"]["updateBytes"].as_u64().unwrap();
    control.stop().await;
    assert_eq!(who(at).await, "blue");
    assert_eq!(ask(admin, "/readyz").await.0, 200, "it serves");
    // Another process, which publishes before anybody asks.
    control.feed = Feed::new();
    let version = publish(&control, &to(at.port(), "blue", green));
    control.serve().await;
    control.acknowledged("one", |ack| ack.version == version).await;
    assert_eq!(who(at).await, "green");
    let again = status(admin).await["controlPlane"]["updateBytes"].as_u64().unwrap() - sent;
    assert!(again * 4 < sent, "{again} bytes for an endpoint, {sent} for all");
    assert_eq!(soon(cluster.stop()).await, 0);
}

#[tokio::test]
async fn a_start_serves_what_was_served() {
    let (_blue, blue) = echo("blue").await;
    let (_green, green) = echo("green").await;
    let at = free_addr();
    let mut control = Control::start().await;
    let cluster = Cluster::start(options(&control)).await.unwrap();
    served(&control, &to(at.port(), "blue", blue)).await;
    control.stop().await;
    assert_eq!(soon(cluster.stop()).await, 0);
    let cluster = Cluster::start(options(&control)).await.unwrap();
    soon(cluster.ready()).await;
    assert_eq!(who(at).await, "blue");
    assert_eq!(status(cluster.admin().unwrap()).await["config"]["origin"], "cache");
    control.serve().await;
    served(&control, &to(at.port(), "green", green)).await;
    assert_eq!(who(at).await, "green");
    assert_eq!(soon(cluster.stop()).await, 0);
}
