//! The ways in which files are replaced: in place, by renames, by links, with their folder.

use super::witness::{Witness, tag_at, tagged, until_tag};
use crate::support::{Site, http_gateway};
use lychgate_gateway::standalone::Kept;
use lychgate_testkit::free_addr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;

const STEADY: &str = "steady.example";

/// A Gateway and a steady route in one file, and other files beside.
async fn site(files: &[(&str, &str)]) -> (Site, SocketAddr) {
    let address = free_addr();
    let steady = http_gateway(address.port()) + &tagged("steady", STEADY, "steady");
    let mut all = vec![("0-steady.yaml", &*steady)];
    all.extend(files);
    (Site::serve(&all).await, address)
}

#[tokio::test]
async fn a_file_renamed_over_another_replaces_it() {
    let (site, address) = site(&[("r.yaml", &tagged("r", "a.example", "v1"))]).await;
    let witness = Witness::of(address, "a.example", &["v1", "v2", "v3"]);
    for (temporary, version) in [(".r.yaml.swp", "v2"), ("r.yaml.tmp", "v3")] {
        fs::write(site.dir().join(temporary), tagged("r", "a.example", version)).unwrap();
        fs::rename(site.dir().join(temporary), site.dir().join("r.yaml")).unwrap();
        until_tag(address, "a.example", version).await;
    }
    witness.end().await;
}

/// As vim does with `backupcopy=no`: the old file is renamed away, and a new one is made.
#[tokio::test]
async fn a_file_renamed_away_and_made_again_is_never_missed() {
    let (site, address) = site(&[("r.yaml", &tagged("r", "a.example", "v1"))]).await;
    let witness = Witness::of(address, "a.example", &["v1", "v2", "v3", "v4"]);
    for version in ["v2", "v3", "v4"] {
        let (file, backup) = (site.dir().join("r.yaml"), site.dir().join("r.yaml~"));
        fs::rename(&file, &backup).unwrap();
        if version == "v3" {
            // The directory is read in between: the route is not there, and goes on nevertheless.
            site.until(|report| report.kept.values().any(|kept| *kept == Kept::Settling)).await;
        }
        fs::write(&file, tagged("r", "a.example", version)).unwrap();
        fs::remove_file(&backup).unwrap();
        until_tag(address, "a.example", version).await;
    }
    witness.end().await;
}

/// As a mounted ConfigMap: files are links into `..data`, which is a link to a folder that is swapped as a whole.
#[tokio::test]
async fn a_mounted_config_map_is_swapped_as_a_whole() {
    let address = free_addr();
    let text = |version: &str| http_gateway(address.port()) + &tagged("r", "a.example", version);
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let generation = |version: &str| {
        let folder = format!("..2026_{version}");
        fs::create_dir(dir.join(&folder)).unwrap();
        fs::write(dir.join(&folder).join("r.yaml"), text(version)).unwrap();
        symlink(&folder, dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    };
    generation("v1");
    symlink("..data/r.yaml", dir.join("r.yaml")).unwrap();
    let options = crate::support::options(dir);
    let standalone = lychgate_gateway::standalone::Standalone::start(options).await.unwrap();
    let witness = Witness::of(address, "a.example", &["v1", "v2", "v3"]);
    for (old, new) in [("v1", "v2"), ("v2", "v3")] {
        generation(new);
        until_tag(address, "a.example", new).await;
        fs::remove_dir_all(dir.join(format!("..2026_{old}"))).unwrap();
    }
    witness.end().await;
    standalone.stop().await;
}

#[tokio::test]
async fn folders_that_come_later_are_read_and_watched() {
    let (site, address) = site(&[]).await;
    let witness = Witness::of(address, STEADY, &["steady"]);
    let folder = site.dir().join("team/routes");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("r.yaml"), tagged("r", "a.example", "v1")).unwrap();
    until_tag(address, "a.example", "v1").await;
    fs::write(folder.join("r.yaml"), tagged("r", "a.example", "v2")).unwrap();
    until_tag(address, "a.example", "v2").await;
    // A whole folder moves in from elsewhere, and back out.
    let elsewhere = tempfile::tempdir_in(site.dir().parent().unwrap()).unwrap();
    fs::write(elsewhere.path().join("s.yaml"), tagged("s", "b.example", "v1")).unwrap();
    fs::rename(elsewhere.path(), site.dir().join("other")).unwrap();
    until_tag(address, "b.example", "v1").await;
    fs::write(site.dir().join("other/s.yaml"), tagged("s", "b.example", "v2")).unwrap();
    until_tag(address, "b.example", "v2").await;
    fs::rename(site.dir().join("other"), elsewhere.path()).unwrap();
    until_tag(address, "b.example", "404").await;
    assert_eq!(tag_at(address, "a.example").await, "v2");
    witness.end().await;
}

#[tokio::test]
async fn what_is_deleted_goes_alone() {
    let both = tagged("r", "a.example", "v1") + &tagged("s", "b.example", "v1");
    let (site, address) = site(&[("r.yaml", &both), ("t.yaml", &tagged("t", "c.example", "v1"))]).await;
    let witness = Witness::of(address, STEADY, &["steady"]);
    // A document of a file …
    fs::write(site.dir().join("r.yaml"), tagged("r", "a.example", "v1")).unwrap();
    until_tag(address, "b.example", "404").await;
    assert_eq!(tag_at(address, "a.example").await, "v1");
    // … and a file.
    fs::remove_file(site.dir().join("r.yaml")).unwrap();
    until_tag(address, "a.example", "404").await;
    assert_eq!(tag_at(address, "c.example").await, "v1");
    witness.end().await;
}

#[tokio::test]
async fn an_object_may_move_to_another_file() {
    let (site, address) = site(&[("r.yaml", &tagged("r", "a.example", "v1"))]).await;
    let witness = Witness::of(address, "a.example", &["v1", "v2"]);
    fs::write(site.dir().join("z.yaml"), tagged("r", "a.example", "v2")).unwrap();
    let report =
        site.until(|report| report.diagnostics.iter().any(|each| each.message.contains("already there"))).await;
    assert!(!report.is_clean());
    fs::remove_file(site.dir().join("r.yaml")).unwrap();
    until_tag(address, "a.example", "v2").await;
    site.until(|report| report.is_clean()).await;
    witness.end().await;
}

#[tokio::test]
async fn a_directory_that_goes_leaves_what_is_served_and_may_come_back() {
    let (site, address) = site(&[]).await;
    let witness = Witness::of(address, STEADY, &["steady", "back", "again"]);
    let text = fs::read_to_string(site.dir().join("0-steady.yaml")).unwrap();
    fs::remove_dir_all(site.dir()).unwrap();
    let report = site.until(|report| report.unreadable.is_some()).await;
    assert!(!report.is_clean());
    let why = report.to_value()["unreadable"].as_str().unwrap().to_owned();
    assert!(why.contains("does not exist") || why.contains("has no .yaml"), "{why}");
    assert_eq!(tag_at(address, STEADY).await, "steady");
    fs::create_dir(site.dir()).unwrap();
    for tag in ["back", "again"] {
        fs::write(site.dir().join("0-steady.yaml"), text.replace("/steady", &format!("/{tag}"))).unwrap();
        until_tag(address, STEADY, tag).await;
    }
    site.until(|report| report.is_clean()).await;
    witness.end().await;
}

/// As a deployment that switches a link from one release to the next.
#[tokio::test]
async fn a_directory_that_is_a_link_may_be_led_elsewhere() {
    let address = free_addr();
    let home = tempfile::tempdir().unwrap();
    for release in ["one", "two", "three"] {
        fs::create_dir(home.path().join(release)).unwrap();
        let text = http_gateway(address.port()) + &tagged("r", "a.example", release);
        fs::write(home.path().join(release).join("r.yaml"), text).unwrap();
    }
    let current = home.path().join("current");
    symlink("one", &current).unwrap();
    let options = crate::support::options(&current);
    let standalone = lychgate_gateway::standalone::Standalone::start(options).await.unwrap();
    let witness = Witness::of(address, "a.example", &["one", "two", "three", "four"]);
    for release in ["two", "three"] {
        symlink(release, home.path().join("next")).unwrap();
        fs::rename(home.path().join("next"), &current).unwrap();
        until_tag(address, "a.example", release).await;
    }
    let text = http_gateway(address.port()) + &tagged("r", "a.example", "four");
    fs::write(current.join("r.yaml"), text).unwrap();
    until_tag(address, "a.example", "four").await;
    witness.end().await;
    standalone.stop().await;
}
