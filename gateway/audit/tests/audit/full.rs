//! A disk that is full: a limit on the size of files stands for it, in a process of its own, because it holds for all of it.

use crate::support::{record, settings, whole};
use lychgate_audit::{Audit, AuditSettings, LogSettings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CHILD: &str = "LYCHGATE_TEST_FULL";
const LIMIT: u64 = 4096;

/// Runs a test of this binary again, alone, where SIGXFSZ is ignored: a write beyond the limit is then an error, as on a
/// full disk.
fn in_a_process_of_its_own(test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let this = std::env::current_exe().unwrap();
    let script = "trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture";
    let output = Command::new("bash").arg("-c").arg(script).arg(this).arg(test).env(CHILD, "1").output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the test is found by its name");
    false
}

/// The disk is full, or has room again.
fn limit(bytes: Option<u64>) {
    let Rlimit { current: _, maximum } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

fn start(dir: &TempDir, required: bool) -> Audit {
    let log = LogSettings { max_bytes: u64::MAX, ..settings(dir.path()) };
    Audit::start(log, AuditSettings { required, sync: Duration::from_millis(1), ..AuditSettings::default() }).unwrap()
}

#[test]
fn what_is_required_fails_closed() {
    if !in_a_process_of_its_own("full::what_is_required_fails_closed") {
        return;
    }
    let dir = TempDir::new().unwrap();
    let audit = start(&dir, true);
    limit(Some(LIMIT));
    let mut recorded = 0;
    let error = loop {
        match audit.record(record(recorded)) {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
        assert!(recorded < 1000, "the limit does not hold");
    };
    assert!(error.to_string().contains("look for room on the disk"), "{error}");
    assert!(audit.counts().failing.is_some());
    assert!(audit.record(record(recorded)).is_err());

    // What ended while there was no room is missing, and that is told.
    audit.note(record(recorded));

    // With room again it finds out by itself, goes on, and is whole.
    limit(None);
    let begun = Instant::now();
    while audit.counts().failing.is_some() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never tried again");
        std::thread::yield_now();
    }
    audit.record(record(recorded)).unwrap();
    let dropped = audit.counts().dropped;
    drop(audit);
    let report = whole(dir.path());
    assert!(report.records > recorded, "{report:?}");
    assert_eq!((report.dropped, report.unfinished), (dropped, vec![]));
}

#[test]
fn what_is_not_required_is_counted() {
    if !in_a_process_of_its_own("full::what_is_not_required_is_counted") {
        return;
    }
    let dir = TempDir::new().unwrap();
    let audit = start(&dir, false);
    limit(Some(LIMIT));
    let mut sent = 0;
    while audit.counts().dropped == 0 {
        audit.record(record(sent)).unwrap();
        sent += 1;
        std::thread::yield_now();
    }
    limit(None);
    drop(audit);
    let report = whole(dir.path());
    assert_eq!(report.records + report.dropped, sent, "{report:?}");
    assert!(report.dropped > 0);
}
