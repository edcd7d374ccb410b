//! Shares of backends by weight.

use super::bed::{by, pods, serve};
use crate::support::http_route;
use lychgate_testkit::Dial;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Who answered how many of so many requests.
async fn shares(at: SocketAddr, requests: u32) -> BTreeMap<String, u32> {
    let mut shares = BTreeMap::new();
    let mut connection = Dial::http1(at).connect("a.example").await.unwrap();
    for _ in 0..requests {
        let reply = connection.get("http://a.example/").await.unwrap();
        if reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            connection = Dial::http1(at).connect("a.example").await.unwrap();
        }
        *shares.entry(by(&reply)).or_default() += 1;
    }
    shares
}

/// Six standard deviations: a false alarm once in a billion runs.
fn is_near(got: u32, requests: u32, share: f64) -> bool {
    let requests = f64::from(requests);
    let deviation = (requests * share * (1.0 - share)).sqrt();
    (f64::from(got) - requests * share).abs() <= 6.0 * deviation
}

#[tokio::test]
async fn requests_are_shared_by_weight_and_weight_0_gets_none() {
    let (_pods, services) = pods(["seventy", "thirty", "none"]).await;
    let rule = "    - backendRefs:\n        - {name: seventy, port: 80, weight: 70}\n        - {name: none, port: 80, \
                weight: 0}\n        - {name: thirty, port: 80, weight: 30}\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    let shares = shares(at, 1000).await;
    assert_eq!(shares.values().sum::<u32>(), 1000);
    assert_eq!(shares.len(), 2, "{shares:?}");
    assert!(is_near(shares["seventy"], 1000, 0.7), "{shares:?}");
}

#[tokio::test]
async fn without_weights_backends_have_equal_shares() {
    let (_pods, services) = pods(["a", "b"]).await;
    let rule = "    - backendRefs: [{name: a, port: 80}, {name: b, port: 80}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    let shares = shares(at, 500).await;
    assert!(is_near(shares["a"], 500, 0.5), "{shares:?}");
}

#[tokio::test]
async fn a_broken_backend_keeps_its_share_and_answers_500_for_it() {
    let (_pods, services) = pods(["good"]).await;
    let rule = "    - backendRefs: [{name: good, port: 80, weight: 1}, {name: missing, port: 80, weight: 1}]\n";
    let (site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    let shares = shares(at, 400).await;
    assert_eq!(shares.keys().collect::<Vec<_>>(), ["500", "good"]);
    assert!(is_near(shares["500"], 400, 0.5), "{shares:?}");
    assert!(site.report().to_value().to_string().contains("BackendNotFound"));
}

#[tokio::test]
async fn all_weights_0_answer_500() {
    let (_pods, services) = pods(["a"]).await;
    let rule = "    - backendRefs: [{name: a, port: 80, weight: 0}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    assert_eq!(shares(at, 3).await, BTreeMap::from([("500".to_owned(), 3)]));
}
