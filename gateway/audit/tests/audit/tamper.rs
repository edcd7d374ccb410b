//! Whatever is done to a log is found, and where.

use crate::support::{KEY, at, closed, record, segments, settings, whole};
use lychgate_audit::{Finding, Log, LogSettings, SigningKey, VerifyOptions, verify};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

fn finding(dir: &Path) -> Finding {
    verify(dir, &VerifyOptions::default()).unwrap_err().finding
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn write(path: &Path, lines: &[String]) {
    fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    let dir = TempDir::new().unwrap();
    closed(dir.path(), 20);
    let report = whole(dir.path());
    assert_eq!((report.records, report.dropped, report.unsigned), (20, 0, 0));
    assert_eq!(report.segments, Some((1, u64::try_from(segments(dir.path()).len()).unwrap())));
    assert!(segments(dir.path()).len() > 3, "it rotates by size");
    assert_eq!(report.unfinished, []);
    let options =
        VerifyOptions { keys: vec![SigningKey::from_pem(KEY).unwrap().verifying_key()], ..Default::default() };
    assert_eq!(verify(dir.path(), &options), Ok(report));
}

#[test]
fn segments_are_closed_by_age() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(LogSettings { max_bytes: u64::MAX, ..settings(dir.path()) }, at(0)).unwrap();
    log.append(&record(0), at(3599)).unwrap();
    assert_eq!(segments(dir.path()).len(), 1);
    log.append(&record(1), at(3600)).unwrap();
    assert_eq!(segments(dir.path()).len(), 2);
    log.close(at(3601)).unwrap();
    assert_eq!(whole(dir.path()).records, 2);
}

/// What is done to the lines of a segment.
#[derive(Clone, Debug)]
enum Change {
    Byte { at: prop::sample::Index, to: u8 },
    Drop(prop::sample::Index),
    Repeat(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Truncate(prop::sample::Index),
    Insert(prop::sample::Index, prop::sample::Index),
}

fn a_change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), any::<u8>()).prop_map(|(at, to)| Change::Byte { at, to }),
        1 => index().prop_map(Change::Drop),
        1 => index().prop_map(Change::Repeat),
        1 => (index(), index()).prop_map(|(a, b)| Change::Swap(a, b)),
        1 => index().prop_map(Change::Truncate),
        1 => (index(), index()).prop_map(|(from, to)| Change::Insert(from, to)),
    ]
}

static LOG: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = TempDir::new().unwrap();
    closed(dir.path(), 12);
    dir
});

impl Change {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        match self {
            Self::Byte { at, to } => {
                let mut bytes = bytes.to_vec();
                let at = at.index(bytes.len());
                bytes[at] = *to;
                return bytes;
            }
            Self::Drop(at) => drop(lines.remove(at.index(lines.len()))),
            Self::Repeat(at) => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at].clone());
            }
            Self::Swap(a, b) => {
                let (a, b) = (a.index(lines.len()), b.index(lines.len()));
                lines.swap(a, b);
            }
            Self::Truncate(at) => return bytes[..at.index(bytes.len())].to_vec(),
            Self::Insert(from, to) => {
                let line = lines[from.index(lines.len())].clone();
                lines.insert(to.index(lines.len() + 1), line);
            }
        }
        lines.concat()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_single_change_is_found(change in a_change(), which in any::<prop::sample::Index>()) {
        let paths = segments(LOG.path());
        let which = which.index(paths.len());
        let dir = TempDir::new().unwrap();
        for path in &paths {
            fs::copy(path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
        let path = dir.path().join(paths[which].file_name().unwrap());
        let before = fs::read(&path).unwrap();
        let after = change.apply(&before);
        prop_assume!(before != after);
        fs::write(&path, &after).unwrap();
        let is_last = which + 1 == paths.len();
        match verify(dir.path(), &VerifyOptions::default()) {
            Err(damage) => {
                // It is told where it is, or at the line that depends on it.
                let next = paths.get(which + 1).unwrap_or(&paths[which]).file_name();
                let told = damage.path.file_name();
                prop_assert!(told == path.file_name() || told == next, "{damage}");
            }
            // The end of the log is its closing line: without it, whole, the log is told to be unfinished.
            Ok(report) => {
                prop_assert!(is_last && !report.unfinished.is_empty(), "{change:?} was not found");
                let of_lines = after.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                prop_assert!(before.starts_with(&after[..of_lines]));
            }
        }
    }
}

#[test]
fn a_record_that_was_edited_is_told_with_its_line() {
    let dir = TempDir::new().unwrap();
    closed(dir.path(), 12);
    let path = &segments(dir.path())[1];
    let mut all = lines(path);
    all[1] = all[1].replace("\"verdict\":\"Allow\"", "\"verdict\":\"Deny\"");
    write(path, &all);
    let damage = verify(dir.path(), &VerifyOptions::default()).unwrap_err();
    assert_eq!((&damage.path, damage.line, damage.finding), (path, 3, Finding::Broken));
}

#[test]
fn segments_that_are_moved_or_gone_are_found() {
    let dir = TempDir::new().unwrap();
    closed(dir.path(), 20);
    let paths = segments(dir.path());
    let (a, b) = (fs::read(&paths[1]).unwrap(), fs::read(&paths[2]).unwrap());
    fs::write(&paths[1], &b).unwrap();
    fs::write(&paths[2], &a).unwrap();
    let damage = verify(dir.path(), &VerifyOptions::default()).unwrap_err();
    assert_eq!(&damage.path, &paths[1]);
    fs::write(&paths[1], &a).unwrap();
    fs::write(&paths[2], &b).unwrap();
    whole(dir.path());

    fs::remove_file(&paths[1]).unwrap();
    let damage = verify(dir.path(), &VerifyOptions::default()).unwrap_err();
    assert_eq!((&damage.path, damage.finding), (&paths[1], Finding::MissingSegment));

    // Those at the beginning may be taken away by who says so.
    fs::remove_file(&paths[0]).unwrap();
    assert_eq!(finding(dir.path()), Finding::MissingSegment);
    verify(dir.path(), &VerifyOptions { first: Some(3), ..Default::default() }).unwrap();
}

#[test]
fn an_end_that_was_cut_off_is_found_by_who_knows_a_later_hash() {
    let dir = TempDir::new().unwrap();
    closed(dir.path(), 20);
    let options = VerifyOptions { contains: Some(whole(dir.path()).end), ..Default::default() };
    verify(dir.path(), &options).unwrap();
    fs::remove_file(segments(dir.path()).last().unwrap()).unwrap();
    // What is left is a log that was closed.
    whole(dir.path());
    assert!(matches!(verify(dir.path(), &options).unwrap_err().finding, Finding::Lacks(_)));
}

#[test]
fn a_log_of_another_key_is_not_ours() {
    let dir = TempDir::new().unwrap();
    closed(dir.path(), 3);
    let other = lychgate_audit::VerifyingKey::from_pem(
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----\n",
    );
    let options = VerifyOptions { keys: vec![other.unwrap()], ..Default::default() };
    assert!(matches!(verify(dir.path(), &options).unwrap_err().finding, Finding::UnknownKey(_)));
}

#[test]
fn where_there_is_no_log_nothing_is_whole() {
    assert_eq!(finding(TempDir::new().unwrap().path()), Finding::Nothing);
    assert!(matches!(finding(Path::new("/nowhere")), Finding::Unreadable(_)));
}
