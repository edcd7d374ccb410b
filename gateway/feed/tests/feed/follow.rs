//! What is published arrives, and what became of it is told.

use crate::control::{Control, group};
use crate::support::{Plane, endpoints, snapshot};
use lychgate_feed::server::Feed;
use std::sync::Arc;

#[tokio::test]
async fn what_is_published_arrives_as_it_was() {
    let control = Control::start().await;
    let (wanted, at) = (snapshot(&["a", "b"]), endpoints(&[("a", 1), ("b", 2)]));
    let version = control.feed.publish(&group(), &wanted, &at);
    let plane = Plane::start(control.options("one")).await;
    let config = plane.config(|_| true).await;
    assert_eq!((&config.snapshot, &config.endpoints), (&wanted, &at), "keys included");
    assert!(config.rejected.is_empty());
    let ack = control.acknowledged("one", |_| true).await;
    assert_eq!(ack.version, version);
    assert!(control.feed.clients().serves(&group(), version));
}

#[tokio::test]
async fn endpoints_change_without_the_snapshot() {
    let control = Control::start().await;
    let wanted = snapshot(&["a"]);
    control.feed.publish(&group(), &wanted, &endpoints(&[("a", 1)]));
    let plane = Plane::start(control.options("one")).await;
    let before = plane.config(|_| true).await;
    let version = control.feed.publish(&group(), &wanted, &endpoints(&[("a", 2)]));
    let after = plane.config(|config| config.endpoints == endpoints(&[("a", 2)])).await;
    assert!(Arc::ptr_eq(&before.snapshot, &after.snapshot), "nothing is compiled again");
    control.acknowledged("one", |ack| ack.version == version).await;
}

#[tokio::test]
async fn another_control_plane_sends_only_what_is_new() {
    let mut control = Control::start().await;
    let old = snapshot(&["a", "b"]);
    control.feed.publish(&group(), &old, &endpoints(&[("a", 1)]));
    let plane = Plane::start(control.options("one")).await;
    let before = plane.config(|_| true).await;
    let bytes = plane.client.link().borrow().bytes;
    control.stop().await;
    // The next process has never heard of this client, and counts from one.
    control.feed = Feed::new();
    let new = snapshot(&["a", "b", "c"]);
    control.feed.publish(&group(), &new, &endpoints(&[("a", 1)]));
    control.serve().await;
    let after = plane.config(|config| config.snapshot.routes.len() == 3).await;
    assert_eq!(after.snapshot, new);
    for (id, route) in &before.snapshot.routes {
        assert!(Arc::ptr_eq(route, &after.snapshot.routes[id]), "{id} was sent again");
    }
    let sent = plane.client.link().borrow().bytes - bytes;
    assert!(sent * 2 < bytes, "{sent} bytes for one of three routes, {bytes} for the first two");
    plane.stop().await;
}

#[tokio::test]
async fn a_group_that_comes_again_goes_on_where_it_was() {
    let control = Control::start().await;
    control.feed.publish(&group(), &snapshot(&["a", "b"]), &endpoints(&[("a", 1)]));
    let plane = Plane::start(control.options("one")).await;
    let before = plane.config(|_| true).await;
    control.acknowledged("one", |_| true).await;
    let bytes = plane.client.link().borrow().bytes;
    control.feed.retire(&group());
    // On the same stream, which is asked what it has.
    let version = control.feed.publish(&group(), &snapshot(&["a", "b"]), &endpoints(&[("a", 2)]));
    control.acknowledged("one", |ack| ack.version == version).await;
    let after = plane.config(|_| true).await;
    assert!(Arc::ptr_eq(&before.snapshot, &after.snapshot), "it was not told to serve nothing");
    assert_eq!(after.endpoints, endpoints(&[("a", 2)]));
    let link = plane.client.link().borrow().clone();
    assert!(link.streams == 1 && (link.bytes - bytes) * 4 < bytes, "{link:?}");
}
