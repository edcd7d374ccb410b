//! Who asks.

use crate::support::*;
use lychgate_ir::egress::{EgressLogin, EgressSubject};
use lychgate_ir::{
    Certificate, CertificateId, ClientValidation, ListenerTls, ObjectName, Redacted, Secret, SecretId, Snapshot,
    TlsVersion, ValidationMode,
};
use lychgate_testkit::Authority;
use std::net::Ipv4Addr;
use std::sync::Arc;

fn account(name: &str) -> EgressSubject {
    EgressSubject::ServiceAccount(ObjectName::new("shop", name))
}

fn nobody_is_known_by_address(snapshot: &mut Snapshot) {
    snapshot.workloads.clear();
}

#[tokio::test]
async fn a_workload_is_known_by_its_address_and_strangers_are_a_class_of_their_own() {
    let origin = Origin::start(&[]).await;
    let world = World::with(vec![policy(account("cart"), vec![allow(&["a.test"])])], |_| {}, Setup::default()).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let url = format!("http://a.test:{}/", origin.http());
    assert_eq!(world.curl(&[&url]).await.status, 200);
    world.change(nobody_is_known_by_address);
    assert_eq!(world.curl(&[&url]).await.status, 403);
    world.apply(vec![policy(EgressSubject::Unknown, vec![allow(&["a.test"])])]);
    assert_eq!(world.curl(&[&url]).await.status, 200);
}

#[tokio::test]
async fn a_login_says_who_asks_and_a_wrong_one_nothing() {
    let origin = Origin::start(&["a.test"]).await;
    let id = SecretId { object: ObjectName::new("egress", "logins"), key: "till".into() };
    let edit = |snapshot: &mut Snapshot| {
        nobody_is_known_by_address(snapshot);
        let text = Redacted::new("s3cret".to_owned());
        snapshot.secrets.insert(id.clone(), Arc::new(Secret { id: id.clone(), text }));
        let login = EgressLogin { password: id.clone(), namespace: "shop".into(), service_account: "till".into() };
        edit_gateway(snapshot, |gateway| drop(gateway.logins.insert("till".into(), login)));
    };
    let world = World::with(vec![policy(account("till"), vec![allow(&["a.test"])])], edit, Setup::default()).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let (plain, tls) = (format!("http://a.test:{}/", origin.http()), format!("https://a.test:{}/", origin.https()));
    for (scheme, login, url, expected) in [
        ("http", "till:s3cret@", &plain, 200),
        ("http", "till:wrong@", &plain, 407),
        ("http", "nobody:s3cret@", &plain, 407),
        ("http", "", &plain, 407),
        ("http", "till:s3cret@", &tls, 200),
        ("socks5h", "till:s3cret@", &tls, 200),
        ("socks5h", "till:wrong@", &tls, 0),
        ("socks5h", "", &tls, 0),
    ] {
        let proxy = format!("{scheme}://{login}{}", world.proxy);
        let seen = curl(&["-x", &proxy, "--cacert", &origin.ca, url]).await;
        assert_eq!(seen.status, expected, "{scheme} {login} {url}: {seen:?}");
        // What the client said to the proxy goes no further.
        assert!(!seen.body.to_lowercase().contains("proxy-authorization"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_certificate_says_who_asks() {
    let origin = Origin::start(&["a.test"]).await;
    let clients = Authority::new("clients");
    let leaf = Authority::new("gates").server(&["proxy.test"]);
    let certificate = Certificate {
        id: CertificateId(ObjectName::new("egress", "proxy")),
        chain_pem: leaf.chain_pem().into(),
        key_pem: Redacted::new(leaf.key_pem()),
    };
    let tls = ListenerTls {
        certificates: vec![certificate.id.clone()],
        min_version: TlsVersion::V1_2,
        client_validation: Some(Ok(ClientValidation {
            roots_pem: vec![clients.pem().into()],
            mode: ValidationMode::AllowInsecureFallback,
        })),
    };
    let edit = |snapshot: &mut Snapshot| {
        nobody_is_known_by_address(snapshot);
        snapshot.certificates.insert(certificate.id.clone(), Arc::new(certificate.clone()));
    };
    let setup = Setup { tls: Some(tls), ..Setup::default() };
    let identity = EgressSubject::Identity("spiffe://cluster.local/ns/shop/sa/till".into());
    let account = EgressSubject::ServiceAccount(ObjectName::new("shop", "cart"));
    let policies = [identity, account].map(|subject| policy(subject, vec![allow(&["a.test"])]));
    let world = World::with(policies.into(), edit, setup).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let till = clients.leaf().uri("spiffe://cluster.local/ns/shop/sa/till").issue();
    let forged = Authority::new("others").leaf().uri("spiffe://cluster.local/ns/shop/sa/till").issue();
    let cart = clients.leaf().uri("spiffe://cluster.local/ns/shop/sa/cart").issue();
    // By the same authority, and of the same path: somebody else all the same.
    let of_others = clients.leaf().uri("spiffe://other.example/ns/shop/sa/cart").issue();
    let proxy = format!("https://{}", world.proxy);
    let url = format!("https://a.test:{}/", origin.https());
    for (name, leaf, expected) in [
        ("till", Some(&till), 200),
        ("cart", Some(&cart), 200),
        ("of-others", Some(&of_others), 0),
        ("forged", Some(&forged), 0),
        ("none", None, 0),
    ] {
        let mut arguments = vec!["-x", &proxy, "--proxy-insecure", "--cacert", &origin.ca, &url];
        let files = leaf
            .map(|leaf| (file(&format!("{name}.crt"), leaf.chain_pem()), file(&format!("{name}.key"), leaf.key_pem())));
        if let Some((chain, key)) = &files {
            arguments.extend(["--proxy-cert", chain, "--proxy-key", key]);
        }
        let seen = curl(&arguments).await;
        assert_eq!(seen.status, expected, "{name}: {seen:?}");
    }
}
