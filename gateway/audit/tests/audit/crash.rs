//! What a crash leaves is told, and goes on.

use crate::support::{at, record, segments, settings, whole};
use lychgate_audit::{AuditError, Finding, Log, LogSettings, VerifyOptions, verify};
use std::fs::{self, OpenOptions};
use std::io::Write;
use tempfile::TempDir;

const TORN: &[u8] = b"{\"seq\":4,\"prev\":\"12";

fn crashed(dir: &TempDir, torn: &[u8]) {
    let mut log = Log::open(LogSettings { max_bytes: u64::MAX, ..settings(dir.path()) }, at(0)).unwrap();
    log.append(&record(0), at(1)).unwrap();
    log.seal(at(2)).unwrap();
    log.append(&record(1), at(2)).unwrap();
    drop(log);
    let path = segments(dir.path()).pop().unwrap();
    OpenOptions::new().append(true).open(path).unwrap().write_all(torn).unwrap();
}

#[test]
fn a_torn_line_is_told_and_left_as_it_is() {
    let dir = TempDir::new().unwrap();
    crashed(&dir, TORN);
    let before = fs::read(&segments(dir.path())[0]).unwrap();
    let report = whole(dir.path());
    assert_eq!((report.unfinished, report.unsigned), (vec![(1, 19)], 1));

    let mut log = Log::open(settings(dir.path()), at(10)).unwrap();
    log.append(&record(2), at(11)).unwrap();
    log.close(at(12)).unwrap();
    assert_eq!(fs::read(&segments(dir.path())[0]).unwrap(), before);
    let report = whole(dir.path());
    assert_eq!((report.records, report.unfinished, report.unsigned), (3, vec![(1, 19)], 0));

    // Now it is known how the first one ended: it cannot be made to look better, or worse.
    for changed in [&before[..before.len() - 1], &before[..before.len() - TORN.len()], &[&before[..], b"x"].concat()] {
        fs::write(&segments(dir.path())[0], changed).unwrap();
        let damage = verify(dir.path(), &VerifyOptions::default()).unwrap_err();
        assert!(matches!(damage.finding, Finding::OtherEnd | Finding::Broken), "{damage}");
    }
}

#[test]
fn a_crash_in_the_first_line_of_a_segment_is_one_too() {
    for torn in [&b""[..], b"{\"seq\""] {
        let dir = TempDir::new().unwrap();
        crashed(&dir, b"");
        fs::write(dir.path().join("segment-00000002.jsonl"), torn).unwrap();
        Log::open(settings(dir.path()), at(10)).unwrap().close(at(11)).unwrap();
        let report = whole(dir.path());
        assert_eq!(report.segments, Some((1, 3)));
        assert_eq!(report.unfinished, [(1, 0), (2, u64::try_from(torn.len()).unwrap())]);
    }
    // The very first one.
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("segment-00000001.jsonl"), b"{").unwrap();
    Log::open(settings(dir.path()), at(10)).unwrap().close(at(11)).unwrap();
    assert_eq!(whole(dir.path()).unfinished, [(1, 1)]);
}

#[test]
fn nothing_is_added_to_a_log_that_is_not_whole() {
    let dir = TempDir::new().unwrap();
    crashed(&dir, b"{\"seq\":4,\"prev\":\"12\"}\n");
    assert!(matches!(Log::open(settings(dir.path()), at(10)), Err(AuditError::Damaged(_))));
}

#[test]
fn a_log_has_one_writer() {
    let dir = TempDir::new().unwrap();
    let log = Log::open(settings(dir.path()), at(0)).unwrap();
    assert!(matches!(Log::open(settings(dir.path()), at(0)), Err(AuditError::InUse(_))));
    log.close(at(1)).unwrap();
    Log::open(settings(dir.path()), at(2)).unwrap();
}
