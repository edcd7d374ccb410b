//! Starts that come to nothing: each says why.

use super::witness::tagged;
use crate::support::{Site, http_gateway, options};
use lychgate_admission::ReadError;
use lychgate_gateway::standalone::{Standalone, StartError};
use std::fs;
use std::net::TcpListener;
use std::path::Path;

async fn failure(dir: &Path) -> StartError {
    match Standalone::start(options(dir)).await {
        Err(error) => error,
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("missing");
    let error = failure(&missing).await;
    assert!(matches!(error, StartError::Read(ReadError::Missing(_))), "{error:?}");
    assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");

    let empty = home.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("notes.txt"), "nothing of ours").unwrap();
    let error = failure(&empty).await;
    assert!(matches!(error, StartError::Read(ReadError::Empty(_))), "{error:?}");

    let file = home.path().join("file.yaml");
    fs::write(&file, "").unwrap();
    let error = failure(&file).await;
    assert!(matches!(error, StartError::Read(ReadError::NotADirectory(_))), "{error:?}");
    let error = failure(&file.join("below")).await;
    assert!(matches!(error, StartError::Read(ReadError::Unreadable { .. })), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("file.yaml") && text.contains(';'), "what to do is missing: {text}");
}

#[tokio::test]
async fn where_nothing_can_be_served_the_report_says_why() {
    let blocker = TcpListener::bind("127.0.0.1:0").unwrap();
    let blocked = blocker.local_addr().unwrap();
    let in_use = http_gateway(blocked.port()) + &tagged("r", "a.example", "v1");
    let nothing = |error| match error {
        StartError::Nothing { report, .. } => report,
        other => panic!("{other}"),
    };
    let report = nothing(Site::try_serve(&[("all.yaml", &in_use)]).await.err().unwrap());
    let told: Vec<&str> = report.statuses.problems().map(|problem| &*problem.condition.reason).collect();
    assert!(told.contains(&"PortUnavailable"), "{told:?}");
    assert_eq!(report.unbound.len(), 1);

    let no_gateway = tagged("r", "a.example", "v1");
    let report = nothing(Site::try_serve(&[("all.yaml", &no_gateway)]).await.err().unwrap());
    assert!(report.bound.is_empty() && report.unbound.is_empty());

    let invalid = http_gateway(8080).replace("HTTP", "GOPHER");
    let report = nothing(Site::try_serve(&[("all.yaml", &invalid), ("torn.yaml", "[")]).await.err().unwrap());
    assert!(!report.diagnostics.is_empty() && !report.is_clean());
}

#[tokio::test]
async fn an_admin_port_in_use_is_named() {
    let blocker = TcpListener::bind("127.0.0.1:0").unwrap();
    let blocked = blocker.local_addr().unwrap();
    let started =
        Site::try_serve_with(&[("all.yaml", &http_gateway(1))], |options| options.admin = Some(blocked)).await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains(&blocked.to_string()) && error.contains("--admin"), "{error}");
}
