//! What is on disk when no control plane is there.

use crate::control::{Control, group, soon};
use crate::support::{Plane, endpoints, snapshot};
use lychgate_feed::client::{Client, Options, Origin};
use std::os::unix::fs::PermissionsExt;

async fn kept(control: &mut Control) -> Options {
    let options = Options { cache: Some(control.home.path().join("cache")), ..control.options("one") };
    control.feed.publish(&group(), &snapshot(&["a", "b"]), &endpoints(&[("a", 1)]));
    let plane = Plane::start(options.clone()).await;
    plane.config(|_| true).await;
    control.acknowledged("one", |_| true).await;
    plane.stop().await;
    control.stop().await;
    options
}

#[tokio::test]
async fn a_start_without_a_control_plane_has_the_config_of_before() {
    let mut control = Control::start().await;
    let options = kept(&mut control).await;
    let client = Client::start(options).await;
    let config = client.configs().borrow().clone().expect("it is there when the start returns");
    assert_eq!(config.origin, Origin::Cache);
    assert_eq!(config.snapshot, snapshot(&["a", "b"]), "keys included");
    assert_eq!(config.endpoints, endpoints(&[("a", 1)]));
}

#[tokio::test]
async fn what_is_on_disk_is_not_sent_again() {
    let mut control = Control::start().await;
    let options = kept(&mut control).await;
    control.serve().await;
    let plane = Plane::start(options).await;
    control.acknowledged("one", |_| true).await;
    assert_eq!(plane.client.link().borrow().bytes, 0);
}

#[tokio::test]
async fn nobody_else_may_read_it() {
    let mut control = Control::start().await;
    let folder = kept(&mut control).await.cache.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("config"))), (0o700, 0o600));
}

/// It lies in memory, on the account of the pod.
#[tokio::test]
async fn many_routes_take_little() {
    let mut control = Control::start().await;
    let options = Options { cache: Some(control.home.path().join("cache")), ..control.options("one") };
    let names: Vec<String> = (0..1000).map(|number| format!("route-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    control.feed.publish(&group(), &snapshot(&names), &endpoints(&[]));
    let plane = Plane::start(options.clone()).await;
    control.acknowledged("one", |_| true).await;
    plane.stop().await;
    control.stop().await;
    let size = std::fs::metadata(options.cache.clone().unwrap().join("config")).unwrap().len();
    assert!(size < 150_000, "{size} bytes");
    let client = Client::start(options).await;
    assert_eq!(client.configs().borrow().clone().unwrap().snapshot, snapshot(&names));
}

#[tokio::test]
async fn a_torn_file_counts_for_nothing() {
    let mut control = Control::start().await;
    let options = kept(&mut control).await;
    let path = options.cache.clone().unwrap().join("config");
    let whole = std::fs::read(&path).unwrap();
    let mut other = whole.clone();
    other[whole.len() / 2] ^= 1;
    for torn in [
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 10],
        &other,
        b"",
        b"\n",
        b"lychgate-feed 1 x\n{}\n",
        b"lychgate-feed 2 x\n",
    ] {
        std::fs::write(&path, torn).unwrap();
        let client = Client::start(options.clone()).await;
        assert!(client.configs().borrow().is_none());
    }
    control.serve().await;
    let plane = Plane::start(options).await;
    let config = soon(plane.config(|_| true)).await;
    assert_eq!(config.snapshot, snapshot(&["a", "b"]));
}
