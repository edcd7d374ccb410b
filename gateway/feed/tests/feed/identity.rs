//! Who may have what.

use crate::control::{Control, TOKEN, group, soon};
use crate::support::{Plane, endpoints, snapshot};
use lychgate_feed::GroupId;
use lychgate_feed::client::{Client, Options};
use lychgate_testkit::Authority;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a client that gets nowhere says, once it holds this.
async fn trouble(client: &Client, holds: &str) -> String {
    let mut links = client.link();
    let is = |trouble: &Option<String>| trouble.as_ref().is_some_and(|trouble| trouble.contains(holds));
    let link = tokio::time::timeout(Duration::from_secs(30), links.wait_for(|link| is(&link.trouble))).await;
    match link {
        Ok(link) => link.unwrap().trouble.clone().unwrap(),
        Err(_) => panic!("it says {:?}, not {holds:?}", client.link().borrow().trouble),
    }
}

#[tokio::test]
async fn a_token_that_nobody_knows_gets_nothing() {
    let control = Control::start().await;
    control.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    std::fs::write(control.home.path().join("token"), "another").unwrap();
    let client = Client::start(control.options("one")).await;
    let trouble = trouble(&client, "nobody knows this token").await;
    assert!(!trouble.contains("another"), "a token is not repeated: {trouble}");
    assert!(client.configs().borrow().is_none());
    // The kubelet writes a new one: it is read again.
    std::fs::write(control.home.path().join("token"), TOKEN).unwrap();
    let mut configs = client.configs();
    soon(configs.wait_for(Option::is_some)).await.unwrap();
}

#[tokio::test]
async fn a_control_plane_that_is_not_ours_is_not_believed() {
    let control = Control::start().await;
    control.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    std::fs::write(control.home.path().join("ca.crt"), Authority::new("feed").pem()).unwrap();
    let client = Client::start(control.options("one")).await;
    trouble(&client, "does the trust bundle belong to it").await;
    assert_eq!(control.registry.issued.load(Ordering::SeqCst), 0, "no token was shown");
    std::fs::write(control.home.path().join("ca.crt"), control.registry.authority.pem()).unwrap();
    let mut configs = client.configs();
    soon(configs.wait_for(Option::is_some)).await.unwrap();
}

#[tokio::test]
async fn everybody_gets_what_is_for_them_alone() {
    let control = Control::start().await;
    let other = GroupId::new("shop", "back");
    control.registry.tokens.lock().unwrap().push(("back".to_owned(), other.clone()));
    control.feed.publish(&group(), &snapshot(&["front"]), &endpoints(&[]));
    control.feed.publish(&other, &snapshot(&["back"]), &endpoints(&[]));
    std::fs::write(control.home.path().join("token-back"), "back").unwrap();
    let options = control.options("same name");
    let back = Options { token_file: control.home.path().join("token-back"), ..options.clone() };
    let (front, back) = (Plane::start(options).await, Plane::start(back).await);
    assert_eq!(front.config(|_| true).await.snapshot, snapshot(&["front"]));
    assert_eq!(back.config(|_| true).await.snapshot, snapshot(&["back"]));
    let mut fleet = control.feed.fleet();
    soon(fleet.wait_for(|fleet| fleet.clients.len() == 2)).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_authority_gets_nothing() {
    let control = Control::start_signing_with(Authority::new("another")).await;
    control.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    let client = Client::start(control.options("one")).await;
    let mut links = client.link();
    soon(links.wait_for(|link| link.certificates > 1 && link.trouble.is_some())).await.unwrap();
    assert_eq!(client.link().borrow().streams, 0, "{:?}", client.link().borrow().trouble);
    assert!(client.configs().borrow().is_none());
    assert!(control.feed.clients().clients.is_empty());
}

#[tokio::test]
async fn a_certificate_is_renewed_before_it_ends_and_nobody_notices() {
    let control = Control::start_with(Duration::from_secs(6)).await;
    let version = control.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    let plane = Plane::start(control.options("one")).await;
    let before = plane.config(|_| true).await;
    control.acknowledged("one", |_| true).await;
    let mut fleet = control.feed.fleet();
    let mut links = plane.client.link();
    let was_there = async {
        loop {
            assert!(fleet.borrow_and_update().serves(&group(), version), "it was away, or took back what it said");
            fleet.changed().await.unwrap();
        }
    };
    tokio::select! {
        () = was_there => {}
        link = soon(links.wait_for(|link| link.certificates == 2 && link.streams == 2)) => drop(link.unwrap()),
    }
    assert!(plane.client.link().borrow().is_open);
    let after = plane.config(|_| true).await;
    assert_eq!(before.serial, after.serial, "nothing was served anew");
    // The new stream is a stream like any other.
    let version = control.feed.publish(&group(), &snapshot(&["a", "b"]), &endpoints(&[]));
    control.acknowledged("one", |ack| ack.version == version).await;
}

#[tokio::test]
async fn a_certificate_that_has_ended_ends_its_stream() {
    // Enrolled once, and nobody enrols any more: the certificate cannot be renewed.
    let control = Control::start_with(Duration::from_secs(3)).await;
    control.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    let plane = Plane::start(control.options("one")).await;
    plane.config(|_| true).await;
    control.registry.tokens.lock().unwrap().clear();
    let mut fleet = control.feed.fleet();
    soon(fleet.wait_for(|fleet| fleet.clients.is_empty())).await.unwrap();
    let config = plane.config(|_| true).await;
    assert_eq!(config.snapshot, snapshot(&["a"]), "it goes on with what it had");
}
