//! Files that are read half written.

use super::witness::{Witness, tag_at, tagged, tagged_rule, until_tag};
use crate::support::{Site, http_gateway, http_route};
use lychgate_gateway::standalone::{Kept, Report};
use lychgate_testkit::free_addr;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;

/// A Gateway, a route `r` of `a.example` with two rules, and a file by whose change a reload is seen to have happened.
async fn site() -> (Site, SocketAddr) {
    let address = free_addr();
    let gateway = http_gateway(address.port());
    let marker = tagged("marker", "marker.example", "m0");
    let files = [("0-gateway.yaml", &*gateway), ("marker.yaml", &*marker), ("r.yaml", &*route("v1"))];
    (Site::serve(&files).await, address)
}

fn route(version: &str) -> String {
    let rules = tagged_rule("/other", version) + &tagged_rule("/", version);
    http_route("r", "[a.example]", &rules)
}

/// Why objects are kept. A report comes a moment after what it tells of.
fn kept(report: &Report) -> Vec<Kept> {
    report.kept.values().copied().collect()
}

/// Makes another change, and waits until it is live: whatever could be read meanwhile was read.
async fn reload(site: &Site, address: SocketAddr, marker: &str) {
    fs::write(site.dir().join("marker.yaml"), tagged("marker", "marker.example", marker)).unwrap();
    until_tag(address, "marker.example", marker).await;
}

/// What is there so far may be valid, and would take half of the rules away.
#[tokio::test]
async fn a_file_counts_when_its_writer_closes_it() {
    let (site, address) = site().await;
    let witness = Witness::of(address, "a.example", &["v1", "v2"]);
    let text = route("v2");
    let second_rule = text.match_indices("    - matches").nth(1).unwrap().0;
    let mut file = File::create(site.dir().join("r.yaml")).unwrap();
    reload(&site, address, "m1").await;
    for (piece, marker) in [(&text[..30], "m2"), (&text[30..second_rule], "m3"), (&text[second_rule..], "m4")] {
        file.write_all(piece.as_bytes()).unwrap();
        reload(&site, address, marker).await;
        assert_eq!(tag_at(address, "a.example").await, "v1");
        // What is wrong with half a file is not worth telling.
        assert!(site.report().diagnostics.is_empty(), "{:#?}", site.report().diagnostics);
    }
    site.until(|report| kept(report) == [Kept::Writing]).await;
    drop(file);
    until_tag(address, "a.example", "v2").await;
    site.until(|report| report.is_clean()).await;
    witness.end().await;
}

/// Half of a route would be a catch-all: it has lost its host names and takes what is nobody else's.
#[tokio::test]
async fn nothing_new_counts_before_its_file_is_closed() {
    let (site, address) = site().await;
    let witness = Witness::of(address, "new.example", &["404", "new"]);
    let text = http_route("new", "[new.example]", &tagged_rule("/", "new"));
    let half = http_route("new", "[]", &tagged_rule("/", "half"));
    let mut file = File::create(site.dir().join("new.yaml")).unwrap();
    file.write_all(half.as_bytes()).unwrap();
    reload(&site, address, "m1").await;
    assert_eq!(tag_at(address, "new.example").await, "404");
    file.set_len(0).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    reload(&site, address, "m2").await;
    assert_eq!(tag_at(address, "new.example").await, "404");
    drop(file);
    until_tag(address, "new.example", "new").await;
    witness.end().await;
}

#[tokio::test]
async fn an_emptied_file_may_be_filled_again() {
    let (site, address) = site().await;
    let witness = Witness::of(address, "a.example", &["v1", "v2"]);
    File::create(site.dir().join("r.yaml")).unwrap();
    reload(&site, address, "m1").await;
    site.until(|report| kept(report) == [Kept::Settling]).await;
    assert_eq!(tag_at(address, "a.example").await, "v1");
    fs::write(site.dir().join("r.yaml"), route("v2")).unwrap();
    until_tag(address, "a.example", "v2").await;
    witness.end().await;
}

#[tokio::test]
async fn a_file_that_ends_in_the_middle_of_a_document_keeps_what_it_had() {
    let (site, address) = site().await;
    let witness = Witness::of(address, "a.example", &["v1", "v2"]);
    let text = route("v2");
    // In the middle of the first rule's filter: flow collections are left open.
    let cut = text.find("ReplaceFullPath").unwrap();
    fs::write(site.dir().join("r.yaml"), &text[..cut]).unwrap();
    let report = site.until(|report| report.kept.values().any(|kept| *kept == Kept::Unread)).await;
    assert!(report.diagnostics.iter().any(|each| each.to_string().contains("r.yaml:")), "{:#?}", report.diagnostics);
    assert_eq!(tag_at(address, "a.example").await, "v1");
    fs::write(site.dir().join("r.yaml"), &text).unwrap();
    until_tag(address, "a.example", "v2").await;
    site.until(|report| report.is_clean()).await;
    witness.end().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_keeps_what_it_had() {
    let (site, address) = site().await;
    let witness = Witness::of(address, "a.example", &["v1", "v2"]);
    let file = site.dir().join("r.yaml");
    let unread = |report: &Report| kept(report) == [Kept::Unread];
    fs::write(&file, b"\xff\xfe not text").unwrap();
    site.until(unread).await;
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("nowhere.yaml", &file).unwrap();
    reload(&site, address, "m1").await;
    site.until(|report| unread(report) && report.diagnostics.iter().any(|each| each.to_string().contains("link")))
        .await;
    assert_eq!(tag_at(address, "a.example").await, "v1");
    fs::remove_file(&file).unwrap();
    fs::write(&file, route("v2")).unwrap();
    until_tag(address, "a.example", "v2").await;
    witness.end().await;
}
