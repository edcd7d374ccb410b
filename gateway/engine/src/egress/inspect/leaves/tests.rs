use super::*;
use crate::tls::names::Names;
use lychgate_ir::egress::DnsName;
use lychgate_ir::{Certificate, CertificateId, ObjectName, Redacted};
use lychgate_testkit::{Authority as Signs, KeyKind};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn leaves(signs: &Signs) -> Leaves {
    Leaves::new(Authority::new(&signs_pair(signs)).unwrap()).unwrap()
}

fn signs_pair(signs: &Signs) -> Certificate {
    Certificate {
        id: CertificateId(ObjectName::new("egress", "ca")),
        chain_pem: signs.chain_pem().into(),
        key_pem: Redacted::new(signs.key_pem()),
    }
}

fn host(text: &str) -> TargetHost {
    TargetHost::parse(text).unwrap()
}

#[test]
fn a_leaf_is_for_its_host_alone_and_leads_to_the_authority() {
    let root = Signs::new("root");
    for signs in [&root, &root.intermediate("below")] {
        let leaf = leaves(signs).leaf(&host("api.example"), SystemTime::now()).unwrap();
        let [own, above @ ..] = leaf.cert.as_slice() else { unreachable!() };
        assert_eq!(Names::of(own).unwrap().dns, ["api.example"]);
        // The root is with the clients.
        assert_eq!(above.len(), signs.chain_pem().matches("BEGIN").count() - usize::from(std::ptr::eq(signs, &root)));
        let mut anchors = rustls::RootCertStore::empty();
        anchors.add(root.der().clone()).unwrap();
        let algorithms = tls::provider().signature_verification_algorithms.all;
        let parsed = ParsedCertificate::try_from(own).unwrap();
        verify_server_cert_signed_by_trust_anchor(&parsed, &anchors, above, UnixTime::now(), algorithms).unwrap();
    }
}

#[test]
fn a_leaf_is_kept_until_half_of_its_life_is_over() {
    let leaves = leaves(&Signs::new("root"));
    let now = SystemTime::now();
    let leaf = |at: SystemTime| leaves.leaf(&host("api.example"), at).unwrap();
    let first = leaf(now);
    assert!(Arc::ptr_eq(&first, &leaf(now)));
    assert!(!Arc::ptr_eq(&first, &leaf(now + 13 * HOUR)));
    assert!(!Arc::ptr_eq(&first, &leaves.leaf(&host("other.example"), now).unwrap()));
    // Two certificates of one authority never have one number.
    let serial = |leaf: &CertifiedKey| {
        use x509_parser::prelude::{FromDer, X509Certificate};
        X509Certificate::from_der(&leaf.cert[0]).unwrap().1.raw_serial().to_vec()
    };
    assert_ne!(serial(&first), serial(&leaf(now + 26 * HOUR)));
}

#[test]
fn many_who_ask_at_once_get_one_signature() {
    let leaves = leaves(&Signs::new("root"));
    let now = SystemTime::now();
    let made: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| leaves.leaf(&host("api.example"), now).unwrap())).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(made.iter().all(|leaf| Arc::ptr_eq(leaf, &made[0])));
}

#[test]
fn names_without_end_are_not_kept_without_end() {
    let leaves = leaves(&Signs::new("root"));
    let now = SystemTime::now();
    for index in 0..KEPT + 10 {
        let name = DnsName::parse(&format!("host-{index}.example")).unwrap();
        leaves.kept.lock().unwrap().slot(&TargetHost::Name(name), now);
    }
    let kept = leaves.kept.lock().unwrap();
    assert_eq!((kept.by_host.len(), kept.order.len()), (KEPT, KEPT));
    assert!(!kept.by_host.contains_key("host-0.example"));
}

#[test]
fn an_authority_that_has_expired_signs_nothing() {
    let leaves = leaves(&Signs::new("root"));
    let never = leaves.leaf(&host("api.example"), SystemTime::now() + 24 * 365 * 5000 * HOUR);
    assert_eq!(never.unwrap_err(), "it has expired");
}

#[test]
fn what_is_no_authority_signs_nothing() {
    let leaf = Signs::new("root").server(&["api.example"]);
    let pair = Certificate {
        id: CertificateId(ObjectName::new("egress", "leaf")),
        chain_pem: leaf.chain_pem().into(),
        key_pem: Redacted::new(leaf.key_pem()),
    };
    let why = Authority::new(&pair).err().unwrap().to_string();
    assert!(why.contains("no authority"), "{why}");
}

/// `cargo test --release -p lychgate-engine -- --ignored --nocapture what_a_leaf_costs`
#[test]
#[ignore = "a measurement: it says how long it takes, and cannot fail"]
fn what_a_leaf_costs() {
    const HOSTS: u32 = 2000;
    for (kind, key) in [("P-256", KeyKind::EcdsaP256), ("RSA 2048", KeyKind::Rsa2048)] {
        let leaves = leaves(&Signs::with_key("root", key));
        let hosts: Vec<_> = (0..HOSTS).map(|at| host(&format!("h{at}.example"))).collect();
        let now = SystemTime::now();
        // The key of all leaves is made once for the process.
        leaves.server(&host("first.example"), now).unwrap();
        for what in ["made", "kept"] {
            let begun = std::time::Instant::now();
            hosts.iter().for_each(|host| drop(leaves.server(host, now).unwrap()));
            println!("{what}, signed with {kind}: {:?}", begun.elapsed() / HOSTS);
        }
    }
}
