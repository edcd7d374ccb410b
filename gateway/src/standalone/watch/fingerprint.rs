//! What changes whenever a file does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Deeper folders are not looked at, as they are not read.
const MAX_DEPTH: usize = 32;

/// Clocks of file systems tick slowly: two writes may bear the same time. A file this young will look different later,
/// so that it is looked at once more.
const YOUNG: Duration = Duration::from_millis(100);

/// A directory at one moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint {
    marks: BTreeMap<PathBuf, Mark>,
    /// Folders that were looked at: links may lead in circles.
    folders: BTreeSet<(u64, u64)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Mark {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    young: bool,
}

impl Fingerprint {
    pub(super) fn of(dir: &Path) -> Self {
        let mut fingerprint = Self::default();
        if let Ok(metadata) = fs::metadata(dir) {
            fingerprint.folders.insert((metadata.dev(), metadata.ino()));
        }
        fingerprint.add(dir, SystemTime::now(), 0);
        fingerprint
    }

    fn add(&mut self, dir: &Path, now: SystemTime, depth: usize) {
        // What cannot be listed is told by the reader.
        let Ok(entries) = fs::read_dir(dir) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            // Of what a link leads to: mounted ConfigMaps change by their links alone.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() && depth < MAX_DEPTH && self.folders.insert((metadata.dev(), metadata.ino())) {
                self.add(&path, now, depth + 1);
            }
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let mark = Mark {
                inode: metadata.ino(),
                size: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                young: now.duration_since(modified).is_ok_and(|age| age < YOUNG),
            };
            self.marks.insert(path, mark);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn aged(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn a_file_of_the_same_size_and_time_in_place_of_another_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        aged(&dir.path().join("a.yaml"), "one");
        aged(&dir.path().join("b.yaml"), "two");
        let before = Fingerprint::of(dir.path());
        assert_eq!(before, Fingerprint::of(dir.path()));
        fs::rename(dir.path().join("b.yaml"), dir.path().join("a.yaml")).unwrap();
        assert_ne!(before, Fingerprint::of(dir.path()));
    }

    #[test]
    fn a_young_file_looks_different_when_it_is_older() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        fs::write(&path, "one").unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let at = |later: Duration| {
            let mut fingerprint = Fingerprint::default();
            fingerprint.add(dir.path(), modified + later, 0);
            fingerprint
        };
        assert_ne!(at(Duration::ZERO), at(YOUNG));
        assert_eq!(at(YOUNG), at(YOUNG * 10));
    }

    #[test]
    fn links_that_lead_in_circles_end() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("again")).unwrap();
        assert_eq!(Fingerprint::of(dir.path()).folders.len(), 1);
    }
}
