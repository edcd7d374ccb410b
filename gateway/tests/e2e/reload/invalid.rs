//! Invalid objects: each harms itself alone, and its last good version stays.

use super::witness::{Witness, tag_at, tagged, until_tag};
use crate::support::{Site, http_gateway};
use lychgate_gateway::standalone::Kept;
use lychgate_testkit::{Dial, free_addr};

/// A route whose filter has no redirect: a rule of the CRD forbids that.
fn invalid(name: &str, host: &str) -> String {
    tagged(name, host, "never").replace("requestRedirect:", "requestMirror:")
}

async fn status(site: &Site) -> serde_json::Value {
    Dial::http1(site.admin()).get("http://localhost/status").await.unwrap().json()
}

#[tokio::test]
async fn at_the_start_an_invalid_object_harms_only_itself() {
    let address = free_addr();
    let mixed = http_gateway(address.port())
        + &tagged("good", "good.example", "good")
        + &invalid("bad", "bad.example")
        + "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n---\n"
        + &tagged("fine", "fine.example", "fine");
    let files = [("mixed.yaml", &*mixed), ("torn.yaml", "a: [\n"), ("words.yaml", "just words\n")];
    let site = Site::serve(&files).await;
    for (host, tag) in [("good.example", "good"), ("fine.example", "fine"), ("bad.example", "404")] {
        assert_eq!(tag_at(address, host).await, tag, "{host}");
    }
    let report = site.report();
    assert!(!report.is_clean() && report.kept.is_empty());
    let told: Vec<String> = report.diagnostics.iter().map(ToString::to_string).collect();
    for part in
        ["mixed.yaml:", "HTTPRoute/default/bad: spec.rules[0].filters[0]", "torn.yaml:", "words.yaml:", "Deployment"]
    {
        assert!(told.iter().any(|line| line.contains(part)), "{part} is not in {told:#?}");
    }
    let status = status(&site).await;
    assert_eq!(status["diagnostics"].as_array().unwrap().len(), told.len());
}

#[tokio::test]
async fn at_reload_the_last_good_version_stays_and_status_says_why() {
    let address = free_addr();
    let gateway = http_gateway(address.port());
    let text = |broken: &str, other: &str| gateway.clone() + broken + &tagged("other", "other.example", other);
    let site = Site::serve(&[("all.yaml", &text(&tagged("r", "a.example", "v1"), "o1"))]).await;
    let witness = Witness::of(address, "a.example", &["v1", "v2"]);
    // In one file: one object breaks, another changes.
    std::fs::write(site.dir().join("all.yaml"), text(&invalid("r", "a.example"), "o2")).unwrap();
    until_tag(address, "other.example", "o2").await;
    assert_eq!(tag_at(address, "a.example").await, "v1");
    let report = site.until(|report| !report.kept.is_empty()).await;
    assert_eq!(report.kept.values().copied().collect::<Vec<_>>(), [Kept::Refused]);
    let status = status(&site).await;
    assert_eq!(status["lastGoodKept"][0]["object"], "HTTPRoute/default/r", "{status:#}");
    assert!(status["diagnostics"][0].as_str().unwrap().contains("HTTPRoute/default/r"), "{status:#}");
    // Its Gateway may change meanwhile.
    let wider = text(&invalid("r", "a.example"), "o3").replace("name: http,", "name: web,");
    std::fs::write(site.dir().join("all.yaml"), wider).unwrap();
    until_tag(address, "other.example", "o3").await;
    assert_eq!(tag_at(address, "a.example").await, "v1");
    std::fs::write(site.dir().join("all.yaml"), text(&tagged("r", "a.example", "v2"), "o4")).unwrap();
    until_tag(address, "a.example", "v2").await;
    site.until(|report| report.is_clean()).await;
    witness.end().await;
}

/// Taken out of the file, it is not kept, whatever it was.
#[tokio::test]
async fn an_invalid_object_that_is_deleted_is_gone() {
    let address = free_addr();
    let gateway = http_gateway(address.port());
    let site = Site::serve(&[("g.yaml", &gateway), ("r.yaml", &tagged("r", "a.example", "v1"))]).await;
    site.write_until("r.yaml", &invalid("r", "a.example"), |report| !report.kept.is_empty()).await;
    assert_eq!(tag_at(address, "a.example").await, "v1");
    std::fs::remove_file(site.dir().join("r.yaml")).unwrap();
    until_tag(address, "a.example", "404").await;
    site.until(|report| report.is_clean()).await;
}

#[tokio::test]
async fn a_route_that_matches_no_listener_says_so() {
    let address = free_addr();
    let text = http_gateway(address.port()).replace("port:", "hostname: \"*.example\", port:")
        + &tagged("good", "good.example", "good");
    let site = Site::serve(&[("all.yaml", &text)]).await;
    let lost = text.clone() + &tagged("lost", "lost.test", "never");
    let report = site.write_until("all.yaml", &lost, |report| report.statuses.problems().next().is_some()).await;
    let problem = report.statuses.problems().next().unwrap();
    assert_eq!((&*problem.object.key.name, &*problem.condition.reason), ("lost", "NoMatchingListenerHostname"));
    assert_eq!(tag_at(address, "good.example").await, "good");
}
