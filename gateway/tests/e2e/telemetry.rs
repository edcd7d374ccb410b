//! What operators see: metrics and access logs.

mod access_log;
mod metrics;
mod streams;

use crate::support::Site;
use lychgate_gateway::{AccessFormat, AccessLogOptions, AccessTarget};
use lychgate_testkit::Dial;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

async fn metrics(site: &Site) -> String {
    Dial::http1(site.admin()).get("http://admin/metrics").await.unwrap().text()
}

/// Counting comes after the response, so it may be seen a moment later.
async fn until_counted(site: &Site, line: &str) {
    let begun = Instant::now();
    loop {
        let text = metrics(site).await;
        if text.lines().any(|each| each == line) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{line} is not in\n{text}");
        tokio::task::yield_now().await;
    }
}

/// Waits for all of these lines.
async fn until_all_counted(site: &Site, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        until_counted(site, line).await;
    }
}

fn lines(path: &Path, count: usize) -> Vec<serde_json::Value> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count && text.ends_with('\n') {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{text}");
        std::thread::yield_now();
    }
}

/// A gateway that logs to a file.
struct Logged {
    site: Site,
    logs: TempDir,
}

impl Logged {
    async fn serve(files: &str) -> Self {
        let logs = tempfile::tempdir().unwrap();
        let file = logs.path().join("access.log");
        let options = |options: &mut lychgate_gateway::standalone::Options| {
            options.access_log = Some(AccessLogOptions::new(AccessTarget::File(file), AccessFormat::Json));
        };
        let site = Site::try_serve_with(&[("all.yaml", files)], options).await.unwrap();
        Self { site, logs }
    }

    fn file(&self) -> PathBuf {
        self.logs.path().join("access.log")
    }

    /// All lines, once there are so many.
    fn lines(&self, count: usize) -> Vec<serde_json::Value> {
        lines(&self.file(), count)
    }
}
