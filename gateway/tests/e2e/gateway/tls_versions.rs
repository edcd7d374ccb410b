//! TLS versions, key exchange and resumed sessions, as clients see them.

use super::blue;
use crate::support::{Site, gateway};
use crate::tls::{https, secret};
use lychgate_testkit::{Authority, ClientTls, Dial, free_addr};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};

#[tokio::test]
async fn both_versions_are_spoken_and_the_newer_one_preferred() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let files = gateway(&https("https", address.port(), "", &["cert"]))
        + &secret("cert", &authority.server(&["a.example"]))
        + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    for (tls, version) in [
        (ClientTls::only(&authority, &TLS12), ProtocolVersion::TLSv1_2),
        (ClientTls::only(&authority, &TLS13), ProtocolVersion::TLSv1_3),
        (ClientTls::trusting(&authority), ProtocolVersion::TLSv1_3),
    ] {
        let reply = Dial::tls(address, &tls).get("https://a.example/").await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.tls.unwrap().version), (200, Some(version)));
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_listener_can_refuse_older_versions() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let strict = https("strict", address.port(), "a.example", &["cert"])
        .replace("tls: {", "tls: {options: {lychgate.dev/min-tls-version: \"1.3\"}, ");
    let lenient = https("lenient", address.port(), "b.example", &["cert"])
        .replace("tls: {", "tls: {options: {lychgate.dev/min-tls-version: \"1.2\"}, ");
    let files =
        gateway(&(strict + &lenient)) + &secret("cert", &authority.server(&["a.example", "b.example"])) + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let get = async |version: &'static SupportedProtocolVersion, url: &str| {
        Dial::tls(address, &ClientTls::only(&authority, version)).get(url).await
    };
    assert_eq!(get(&TLS13, "https://a.example/").await.unwrap().status, 200);
    assert!(get(&TLS12, "https://a.example/").await.unwrap_err().is_tls());
    assert_eq!(
        get(&TLS12, "https://b.example/").await.unwrap().status,
        200,
        "it is for one listener, not for the port"
    );
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn the_key_exchange_withstands_quantum_computers() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let files = gateway(&https("https", address.port(), "", &["cert"]))
        + &secret("cert", &authority.server(&["a.example"]))
        + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let connection = Dial::tls(address, &ClientTls::trusting(&authority)).connect("a.example").await.unwrap();
    assert_eq!(connection.tls().unwrap().key_exchange.as_deref(), Some("X25519MLKEM768"));
    drop(connection);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn sessions_are_resumed_in_both_versions() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let files = gateway(&https("https", address.port(), "", &["cert"]))
        + &secret("cert", &authority.server(&["a.example"]))
        + &files;
    let site = Site::serve(&[("all.yaml", &files), ("other.yaml", "")]).await;
    let mut dials = Vec::new();
    for version in [&TLS12, &TLS13] {
        let dial = Dial::tls(address, &ClientTls::only(&authority, version));
        let first = dial.get("https://a.example/").await.unwrap();
        let second = dial.get("https://a.example/").await.unwrap();
        assert!(!first.tls.unwrap().resumed, "{version:?}");
        assert!(second.tls.unwrap().resumed, "{version:?}");
        dials.push(dial);
    }
    // A reload that does not concern the listener forgets no session.
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n";
    site.write("other.yaml", namespace).await;
    for dial in dials {
        assert!(dial.get("https://a.example/").await.unwrap().tls.unwrap().resumed);
    }
    assert_eq!(site.stop().await, 0);
}
