//! Which certificate a client is shown, and that a new one reaches new connections without closing old ones.

use super::blue;
use crate::support::{Site, gateway};
use crate::tls::{https, secret, shows};
use lychgate_testkit::{Authority, ClientTls, Dial, KeyKind, free_addr};

#[tokio::test]
async fn listeners_show_their_own_certificates() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let leaves = [
        ("a.example", authority.server(&["a.example"])),
        ("b.example", authority.server(&["b.example"])),
        ("*.b.example", authority.server(&["*.b.example"])),
    ];
    let mut listeners = String::new();
    let mut files = files;
    for (index, (hostname, leaf)) in leaves.iter().enumerate() {
        let name = format!("l{index}");
        listeners += &https(&name, address.port(), hostname, &[&name]);
        files += &secret(&name, leaf);
    }
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &files))]).await;
    let dial = Dial::tls(address, &ClientTls::trusting(&authority));
    for (name, (_, leaf)) in ["a.example", "b.example", "c.b.example"].into_iter().zip(&leaves) {
        let reply = dial.get(&format!("https://{name}/")).await.unwrap();
        assert_eq!(reply.status, 200, "{name}");
        assert!(shows(reply.tls.as_ref(), leaf), "{name}");
    }
    assert!(shows(dial.connect("A.Example").await.unwrap().tls(), &leaves[0].1), "names have no case");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn one_listener_chooses_among_its_certificates_by_server_name() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let (a, b) = (authority.server(&["a.example"]), authority.server(&["b.example", "*.c.example"]));
    let files =
        gateway(&https("https", address.port(), "", &["a", "b"])) + &secret("a", &a) + &secret("b", &b) + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let dial = Dial::tls(address, &ClientTls::trusting_anybody());
    // The first one is for those that none has the name of.
    for (name, leaf) in [("a.example", &a), ("b.example", &b), ("x.c.example", &b), ("x.y.c.example", &a), ("z", &a)] {
        assert!(shows(dial.connect(name).await.unwrap().tls(), leaf), "{name}");
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn clients_get_a_certificate_that_they_can_verify() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::with_key("ca", KeyKind::Rsa2048), free_addr());
    let ecdsa = authority.server(&["a.example"]);
    let rsa = authority.leaf().dns("a.example").key(KeyKind::Rsa2048).issue();
    let files = gateway(&https("https", address.port(), "", &["ecdsa", "rsa"]))
        + &secret("ecdsa", &ecdsa)
        + &secret("rsa", &rsa)
        + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    for (tls, leaf, who) in [
        (ClientTls::trusting(&authority), &ecdsa, "both, and the first is preferred"),
        (ClientTls::only_key(&authority, KeyKind::Rsa2048), &rsa, "RSA"),
        (ClientTls::only_key(&authority, KeyKind::EcdsaP256), &ecdsa, "ECDSA"),
        (ClientTls::only(&authority, &rustls::version::TLS12), &ecdsa, "TLS 1.2"),
    ] {
        let reply = Dial::tls(address, &tls).get("https://a.example/").await.unwrap();
        assert_eq!(reply.status, 200, "{who}");
        assert!(shows(reply.tls.as_ref(), leaf), "{who}");
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_server_name_that_no_listener_has_is_refused() {
    let (blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let files = gateway(&https("https", address.port(), "a.example", &["cert"]))
        + &secret("cert", &authority.server(&["a.example", "b.example"]))
        + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let tls = ClientTls::trusting(&authority);
    assert_eq!(Dial::tls(address, &tls).get("https://a.example/").await.unwrap().status, 200);
    assert!(Dial::tls(address, &tls).connect("b.example").await.unwrap_err().is_tls());
    let without = tls.without_sni();
    assert!(Dial::tls(address, &without).connect("a.example").await.unwrap_err().is_tls(), "no name is no match");
    assert_eq!(blue.counts().requests, 1);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn without_a_server_name_the_listener_for_every_host_answers() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let (any, named) = (authority.server(&["a.example"]), authority.server(&["b.example"]));
    let listeners =
        https("named", address.port(), "b.example", &["named"]) + &https("any", address.port(), "", &["any"]);
    let files = gateway(&listeners) + &secret("any", &any) + &secret("named", &named) + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let tls = ClientTls::trusting(&authority).without_sni();
    let reply = Dial::tls(address, &tls).get("https://a.example/").await.unwrap();
    assert_eq!(reply.status, 200);
    assert!(shows(reply.tls.as_ref(), &any));
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_new_certificate_reaches_new_connections_and_closes_no_old_one() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let (old, new) = (authority.server(&["a.example"]), authority.server(&["a.example"]));
    let files = gateway(&https("https", address.port(), "", &["cert"])) + &files;
    let site = Site::serve(&[("all.yaml", &files), ("cert.yaml", &secret("cert", &old))]).await;
    let tls = ClientTls::trusting(&authority);
    let dial = Dial::tls(address, &tls);
    let mut h2 = dial.connect("a.example").await.unwrap();
    let mut h1 = Dial::tls(address, &tls.clone().alpn(&["http/1.1"])).connect("a.example").await.unwrap();
    assert!(h2.is_http2() && !h1.is_http2());
    for connection in [&mut h2, &mut h1] {
        assert_eq!(connection.get("https://a.example/").await.unwrap().status, 200);
        assert!(shows(connection.tls(), &old));
    }
    let chain = new.chain_pem();
    site.write_until("cert.yaml", &secret("cert", &new), |report| {
        report.snapshot.certificates.values().any(|certificate| *certificate.chain_pem == *chain)
    })
    .await;
    // Of a client that has been here before: what it could resume was for the old certificate.
    let fresh = dial.get("https://a.example/").await.unwrap();
    assert!(shows(fresh.tls.as_ref(), &new) && !fresh.tls.unwrap().resumed);
    for connection in [&mut h2, &mut h1] {
        assert_eq!(connection.get("https://a.example/").await.unwrap().status, 200, "the old connection goes on");
    }
    assert_eq!(site.stop().await, 0);
}
