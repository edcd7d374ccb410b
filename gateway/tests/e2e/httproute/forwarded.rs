//! X-Forwarded-* and Forwarded: what backends learn of the client, and whom the Gateway believes.

use super::bed::{pod, send};
use crate::support::{Site, http_gateway, http_route};
use lychgate_echo::EchoReport;
use lychgate_testkit::free_addr;
use std::net::SocketAddr;

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";

/// What a backend gets of a request with these headers, with so many trusted hops.
async fn seen(hops: Option<u8>, headers: &[(&str, &str)]) -> (EchoReport, SocketAddr) {
    let (it, services) = pod("it").await;
    let at = free_addr();
    let gateway = match hops {
        None => http_gateway(at.port()),
        Some(hops) => http_gateway(at.port()).replace(
            "namespace: default}",
            &format!("namespace: default, annotations: {{lychgate.dev/trusted-hops: '{hops}'}}}}"),
        ),
    };
    let site = Site::serve(&[("all.yaml", &(gateway + &services + &http_route("it", "[]", RULE)))]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let url = format!("http://a.example:{}/", at.port());
    assert_eq!(send(at, "GET", &url, headers).await.status, 200);
    (it.requests()[0].report.clone(), at)
}

#[tokio::test]
async fn backends_learn_who_asked_for_what_how() {
    let (report, at) = seen(None, &[]).await;
    let host = format!("a.example:{}", at.port());
    assert_eq!(report.header("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(report.header("x-forwarded-proto"), ["http"]);
    assert_eq!(report.header("x-forwarded-host"), [host.as_str()]);
    assert_eq!(report.header("x-forwarded-port"), [at.port().to_string()]);
    assert_eq!(report.header("forwarded"), [format!("for=127.0.0.1;host=\"{host}\";proto=http")]);
}

const CLAIMS: &[(&str, &str)] = &[
    ("x-forwarded-for", "192.0.2.1, 198.51.100.1"),
    ("x-forwarded-for", "203.0.113.1"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "claimed.example"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-client-cert", "claimed"),
    ("forwarded", "for=192.0.2.1, for=198.51.100.1;proto=https"),
];

#[tokio::test]
async fn what_a_client_claims_is_replaced_unless_hops_are_trusted() {
    for hops in [None, Some(0)] {
        let (report, at) = seen(hops, CLAIMS).await;
        assert_eq!(report.header("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(report.header("x-forwarded-proto"), ["http"]);
        assert_eq!(report.header("x-forwarded-host"), [format!("a.example:{}", at.port())]);
        assert_eq!(report.header("x-forwarded-port"), [at.port().to_string()]);
        assert_eq!(report.header("x-forwarded-client-cert"), [""; 0]);
        assert_eq!(report.header("forwarded").len(), 1);
        assert!(!report.header("forwarded")[0].contains("192.0.2.1"));
    }
}

#[tokio::test]
async fn as_many_hops_are_believed_as_are_trusted() {
    let (report, _) = seen(Some(2), CLAIMS).await;
    assert_eq!(report.header("x-forwarded-for"), ["198.51.100.1, 203.0.113.1, 127.0.0.1"]);
    assert_eq!(report.header("x-forwarded-proto"), ["https"]);
    assert_eq!(report.header("x-forwarded-host"), ["claimed.example"]);
    assert_eq!(report.header("x-forwarded-port"), ["443"]);
    let [forwarded] = report.header("forwarded")[..] else { panic!("{report:?}") };
    assert!(forwarded.starts_with("for=192.0.2.1, for=198.51.100.1;proto=https, for=127.0.0.1;"), "{forwarded}");
}
