//! BackendTLSPolicy: a backend is verified as the policy says, or nothing is sent to it.

use super::Bed;
use crate::support::service;
use crate::tls::{ca, tls_echo, tls_policy, trusting};
use lychgate_echo::EchoServer;
use lychgate_testkit::{Authority, Leaf, server_tls};
use std::net::SocketAddr;

/// One backend a policy, all of them at one address.
async fn bed(address: SocketAddr, authority: &Authority, policies: &[(&str, &str)]) -> Bed {
    let mut files = ca("ca", authority) + &ca("other", &Authority::new("ca"));
    for (name, validation) in policies {
        files += &service(name, &[address]);
        files += &tls_policy(name, validation);
    }
    let names: Vec<&str> = policies.iter().map(|(name, _)| *name).collect();
    Bed::new(&names, &[("all.yaml", &files)]).await
}

async fn backend(leaf: &Leaf) -> (EchoServer, SocketAddr) {
    tls_echo("b", server_tls(leaf)).await
}

#[tokio::test]
async fn a_backend_is_believed_by_its_authority_and_its_name() {
    let authority = Authority::new("ca");
    let (server, address) = backend(&authority.server(&["b.example", "*.w.example"])).await;
    let bed = bed(
        address,
        &authority,
        &[
            ("good", &trusting("ca", "b.example")),
            ("wildcard", &trusting("ca", "x.w.example")),
            ("wrong-authority", &trusting("other", "b.example")),
            ("wrong-name", &trusting("ca", "c.example")),
            ("too-deep", &trusting("ca", "x.y.w.example")),
            ("system", "{wellKnownCACertificates: System, hostname: b.example}"),
        ],
    )
    .await;
    assert!(bed.site.report().is_clean(), "{:#}", bed.site.report().to_value());
    for (name, sni) in [("good", "b.example"), ("wildcard", "x.w.example")] {
        let tls = bed.seen(name).await.tls.unwrap();
        assert_eq!((tls.server_name.as_str(), tls.version.as_str()), (sni, "TLSv1.3"), "{name}");
        assert_eq!(tls.key_exchange, "X25519MLKEM768", "{name}");
    }
    for name in ["wrong-authority", "wrong-name", "too-deep", "system"] {
        let reply = bed.get(name).await;
        assert_eq!(reply.status, 502, "{name}");
        let told = reply.text();
        assert!(told.contains("upstream_tls") && !told.contains("127.0.0.1") && !told.contains("example"), "{told}");
    }
    assert_eq!(server.counts().requests, 2);
    bed.stop().await;
}

#[tokio::test]
async fn trust_anchors_of_the_whole_cluster_verify_backends_and_may_be_replaced() {
    let (authority, other) = (Authority::new("ca"), Authority::new("ca"));
    let (_server, address) = backend(&authority.server(&["b.example"])).await;
    let validation = "{caCertificateRefs: [{group: certificates.k8s.io, kind: ClusterTrustBundle, name: everybody}], \
                      hostname: b.example}";
    let bundle = authority.cluster_trust_bundle("everybody");
    let bed = bed(address, &authority, &[("b", validation)]).await;
    // Without it, nobody is believed, and nothing is sent.
    assert_eq!(bed.get("b").await.status, 500);
    bed.site.write("bundle.yaml", &bundle).await;
    assert_eq!(bed.get("b").await.status, 200);
    bed.site.write("bundle.yaml", &other.cluster_trust_bundle("everybody")).await;
    assert_eq!(bed.get("b").await.status, 502);
    bed.stop().await;
}

#[tokio::test]
async fn names_that_are_asked_for_go_before_the_hostname() {
    let authority = Authority::new("ca");
    let leaf = authority.leaf().dns("b.example").dns("alt.example").uri("spiffe://example/b").issue();
    let (server, address) = backend(&leaf).await;
    let asking = |hostname: &str, list: &str| {
        format!(
            "{{caCertificateRefs: [{{group: \"\", kind: ConfigMap, name: ca}}], hostname: {hostname}, subjectAltNames: \
             [{list}]}}"
        )
    };
    let bed = bed(
        address,
        &authority,
        &[
            ("dns", &asking("sni.example", "{type: Hostname, hostname: alt.example}")),
            ("uri", &asking("sni.example", "{type: URI, uri: \"spiffe://example/b\"}")),
            (
                "one-of",
                &asking(
                    "sni.example",
                    "{type: URI, uri: \"spiffe://example/c\"}, {type: Hostname, hostname: alt.example}",
                ),
            ),
            ("pattern", &asking("sni.example", "{type: Hostname, hostname: \"*.example\"}")),
            ("other-dns", &asking("b.example", "{type: Hostname, hostname: c.example}")),
            ("other-uri", &asking("b.example", "{type: URI, uri: \"spiffe://example/c\"}")),
            ("longer-uri", &asking("b.example", "{type: URI, uri: \"spiffe://example/b/c\"}")),
        ],
    )
    .await;
    assert!(bed.site.report().is_clean(), "{:#}", bed.site.report().to_value());
    for name in ["dns", "uri", "one-of", "pattern"] {
        assert_eq!(bed.seen(name).await.tls.unwrap().server_name, "sni.example", "{name}");
    }
    for name in ["other-dns", "other-uri", "longer-uri"] {
        assert_eq!(bed.status(name).await, 502, "{name}: the hostname alone is not enough");
    }
    assert_eq!(server.counts().requests, 4);
    bed.stop().await;
}

#[tokio::test]
async fn names_do_not_replace_the_authority() {
    let (authority, stranger) = (Authority::new("ca"), Authority::new("ca"));
    let leaf = stranger.leaf().dns("b.example").uri("spiffe://example/b").issue();
    let (server, address) = backend(&leaf).await;
    let validation = "{caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}], hostname: b.example, \
                      subjectAltNames: [{type: URI, uri: \"spiffe://example/b\"}]}";
    let bed = bed(address, &authority, &[("uri", validation)]).await;
    assert_eq!(bed.status("uri").await, 502);
    assert_eq!(server.counts().requests, 0);
    bed.stop().await;
}

#[tokio::test]
async fn certificates_that_are_not_valid_now_or_not_for_servers_are_not_believed() {
    let authority = Authority::new("ca");
    let trust = trusting("ca", "b.example");
    let leaf = || authority.leaf().dns("b.example");
    for (leaf, expected) in [
        (leaf().issue(), 200),
        (authority.intermediate("below").server(&["b.example"]), 200),
        (leaf().expired().issue(), 502),
        (leaf().not_yet_valid().issue(), 502),
        (leaf().client_only().issue(), 502),
        (authority.leaf().common_name("b.example").issue(), 502),
    ] {
        let (_server, address) = backend(&leaf).await;
        let bed = bed(address, &authority, &[("b", &trust)]).await;
        assert_eq!(bed.status("b").await, expected);
        bed.stop().await;
    }
}

#[tokio::test]
async fn a_policy_that_cannot_be_kept_sends_nothing() {
    let authority = Authority::new("ca");
    let (tls, tls_address) = backend(&authority.server(&["b.example"])).await;
    let (plain, plain_address) = crate::support::echo("plain").await;
    let files = service("tls", &[tls_address])
        + &tls_policy("tls", &trusting("nowhere", "b.example"))
        + &service("plain", &[plain_address])
        + &tls_policy("plain", &trusting("nowhere", "b.example"));
    let bed = Bed::new(&["tls", "plain"], &[("all.yaml", &files), ("ca.yaml", "")]).await;
    assert!(!bed.site.report().is_clean());
    for name in ["tls", "plain"] {
        let reply = bed.get(name).await;
        assert_eq!(reply.status, 500, "{name}");
        assert!(!reply.text().contains("nowhere"), "{}", reply.text());
    }
    bed.site.write("ca.yaml", &ca("nowhere", &authority)).await;
    assert_eq!(bed.status("tls").await, 200);
    assert_eq!(bed.status("plain").await, 502, "it does not speak TLS");
    bed.site.remove("ca.yaml").await;
    assert_eq!(bed.status("tls").await, 500);
    assert_eq!((tls.counts().requests, plain.counts().requests), (1, 0));
    bed.stop().await;
}

#[tokio::test]
async fn sessions_with_backends_are_resumed() {
    let authority = Authority::new("ca");
    let mut http1 = server_tls(&authority.server(&["b.example"]));
    http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (server, address) = tls_echo("b", http1).await;
    let bed = bed(address, &authority, &[("b", &trusting("ca", "b.example"))]).await;
    assert!(!bed.seen("b").await.tls.unwrap().resumed);
    // While one connection is busy, the next request needs another one.
    let (first, second) = tokio::join!(bed.seen("b?hold=gate"), async {
        server.wait_held("gate", 1).await;
        let second = bed.seen("b").await;
        server.release("gate");
        second
    });
    assert_ne!(first.connection, second.connection);
    assert!(second.tls.unwrap().resumed);
    bed.stop().await;
}
