//! Directories: order, links, what is passed over, and what is told.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use lychgate_admission::{Admitted, AdmittedObject, Gone, ReadError, Reader, Reading, read_dir};
use lychgate_api::{Object, ObjectRef};

fn namespace(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
}

fn put(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn names(admitted: &Admitted) -> Vec<&str> {
    admitted.objects.iter().map(|each| each.object.metadata().name.as_str()).collect()
}

fn told(admitted: &Admitted, dir: &Path) -> Vec<String> {
    let prefix = format!("{}/", dir.display());
    admitted.diagnostics.iter().map(|each| each.to_string().replace(&prefix, "")).collect()
}

#[test]
fn reads_all_of_our_files_in_order() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "b.yaml", &namespace("b"));
    put(dir.path(), "a/z.yml", &namespace("z"));
    put(dir.path(), "c.json", r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "c"}}"#);
    put(dir.path(), "README.md", "no objects");
    put(dir.path(), ".hidden.yaml", &namespace("hidden"));
    put(dir.path(), ".git/d.yaml", &namespace("hidden"));
    put(dir.path(), "#b.yaml#", "half written");
    let admitted = read_dir(dir.path()).unwrap();
    assert_eq!(names(&admitted), ["z", "b", "c"]);
    assert!(admitted.diagnostics.is_empty() && !admitted.has_errors());
    let position = admitted.objects[0].position.to_string();
    assert_eq!(position, format!("{}/a/z.yml:1:1", dir.path().display()));
}

/// As a mounted ConfigMap: files are links through `..data`, which is swapped.
#[test]
fn follows_the_links_of_a_mounted_config_map() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "..2026_01/a.yaml", &namespace("old"));
    put(dir.path(), "..2026_02/a.yaml", &namespace("new"));
    symlink("..2026_01", dir.path().join("..data")).unwrap();
    symlink("..data/a.yaml", dir.path().join("a.yaml")).unwrap();
    let mut reader = Reader::default();
    assert_eq!(names(&reader.read_dir(dir.path()).unwrap()), ["old"]);
    symlink("..2026_02", dir.path().join("..next")).unwrap();
    fs::rename(dir.path().join("..next"), dir.path().join("..data")).unwrap();
    assert_eq!(names(&reader.read_dir(dir.path()).unwrap()), ["new"]);
}

#[test]
fn links_in_circles_end() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "sub/a.yaml", &namespace("a"));
    symlink("..", dir.path().join("sub/up")).unwrap();
    symlink("a.yaml", dir.path().join("sub/b.yaml")).unwrap();
    symlink("gone.yaml", dir.path().join("sub/c.yaml")).unwrap();
    symlink("self.yaml", dir.path().join("self.yaml")).unwrap();
    let admitted = read_dir(dir.path()).unwrap();
    assert_eq!(names(&admitted), ["a"]);
    let told = told(&admitted, dir.path());
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].starts_with("self.yaml: cannot be read"), "{told:?}");
    assert_eq!(told[1], "sub/b.yaml: is the same as sub/a.yaml, passed over");
    assert!(told[2].starts_with("sub/c.yaml: cannot be read"), "{told:?}");
    assert!(told[3].starts_with("sub/up: is the same as "), "{told:?}");
    assert_eq!(admitted.unread.len(), 2);
}

#[test]
fn a_file_that_cannot_be_read_harms_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.yaml", &namespace("a"));
    put(dir.path(), "big.yaml", &"#".repeat(8 * 1024 * 1024 + 1));
    fs::write(dir.path().join("bytes.yaml"), b"a: \xff\n").unwrap();
    put(dir.path(), "folder.yaml/b.yaml", &namespace("b"));
    put(dir.path(), "z.yaml", &namespace("a"));
    let admitted = read_dir(dir.path()).unwrap();
    assert_eq!(names(&admitted), ["a", "b"]);
    assert_eq!(
        told(&admitted, dir.path()),
        [
            "big.yaml: has more than 8388608 bytes; split it into several files",
            "bytes.yaml: is not UTF-8 text, at byte 4; save it as UTF-8",
            "z.yaml:1:1: Namespace/a: the object is already there, at a.yaml:1:1; the first stays; remove or rename one of them",
        ]
    );
}

/// As text, both have one name.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_told_and_not_read() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "good.yaml", &namespace("good"));
    put(dir.path(), "a\u{fffd}.yaml", &namespace("text"));
    for (file, name) in [(&b"a\xfe.yaml"[..], "one"), (b"a\xff.yaml", "two"), (b"a\xff.md", "three")] {
        fs::write(dir.path().join(OsStr::from_bytes(file)), namespace(name)).unwrap();
    }
    let sub = dir.path().join(OsStr::from_bytes(b"s\xff"));
    fs::create_dir(&sub).unwrap();
    put(&sub, "c.yaml", &namespace("sub"));
    let admitted = read_dir(dir.path()).unwrap();
    assert_eq!(names(&admitted), ["text", "good"]);
    let told = |name: &str| {
        format!("\"{}/{name}\": has a name that is not UTF-8, and is not read; rename it", dir.path().display())
    };
    let diagnostics: Vec<String> = admitted.diagnostics.iter().map(ToString::to_string).collect();
    let mut expected = ["a\\xFE.yaml", "a\\xFF.yaml", "s\\xFF"].map(told);
    expected.sort();
    assert_eq!(diagnostics, expected);
    assert_eq!(admitted.unread.len(), 3);
}

#[test]
fn an_unusable_directory_is_an_error_that_helps() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    assert!(matches!(read_dir(&missing), Err(ReadError::Missing(_))));
    assert!(
        read_dir(&missing)
            .unwrap_err()
            .to_string()
            .ends_with("missing does not exist; create it, or name another directory")
    );
    assert!(matches!(read_dir(dir.path()), Err(ReadError::Empty(_))));
    put(dir.path(), "notes.txt", "x");
    assert!(matches!(read_dir(dir.path()), Err(ReadError::Empty(_))));
    assert!(matches!(read_dir(&dir.path().join("notes.txt")), Err(ReadError::NotADirectory(_))));
}

#[test]
fn what_did_not_change_is_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let many: Vec<_> = (0..200).map(|n| namespace(&format!("n{n}"))).collect();
    put(dir.path(), "many.yaml", &many.join("---\n"));
    let mut reader = Reader::default();
    let first = reader.read_dir(dir.path()).unwrap();
    assert_eq!(first.objects.len(), 200);
    // Other lines, and one other object.
    let changed = format!("# head\n---\n{}", many.join("---\n").replace("{name: n7}", "{name: m7}"));
    put(dir.path(), "many.yaml", &changed);
    let second = reader.read_dir(dir.path()).unwrap();
    assert_eq!(second, read_dir(dir.path()).unwrap());
    for (at, (one, two)) in first.objects.iter().zip(&second.objects).enumerate() {
        let (Object::Namespace(one), Object::Namespace(two)) = (&one.object, &two.object) else { continue };
        assert_eq!(Arc::ptr_eq(one, two), at != 7, "{at}");
    }
    let line = |admitted: &Admitted| admitted.objects[9].position.line;
    assert_eq!(line(&second), line(&first) + 2);
}

#[test]
fn a_numbering_reader_gives_the_first_generation_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "new.yaml", &namespace("new"));
    put(dir.path(), "saved.yaml", &namespace("saved").replace("{name", "{generation: 7, name"));
    let generations = |reader: &mut Reader| -> Vec<i64> {
        let admitted = reader.read_dir(dir.path()).unwrap();
        admitted.objects.iter().map(|each| each.object.metadata().generation).collect()
    };
    let mut numbered = Reader::numbered();
    assert_eq!(generations(&mut numbered), [1, 7]);
    assert_eq!(generations(&mut numbered), [1, 7]);
    assert_eq!(generations(&mut Reader::default()), [0, 7]);
}

/// Takes in one reading after the other: it leaves what a whole reading gives.
fn follow(followed: &mut BTreeMap<ObjectRef, AdmittedObject>, reading: Reading, whole: &Admitted, what: &str) {
    let Reading { found, gone, refused, unread, diagnostics } = reading;
    match gone {
        Gone::These(gone) => gone.iter().for_each(|gone| assert!(followed.remove(gone).is_some(), "{what}: {gone}")),
        Gone::Others => followed.clear(),
    }
    followed.extend(found.into_iter().map(|found| (found.object.reference(), found)));
    let all: BTreeMap<_, _> = whole.objects.iter().map(|each| (each.object.reference(), each.clone())).collect();
    assert_eq!(*followed, all, "{what}");
    assert_eq!((&refused, &unread, &diagnostics), (&whole.refused, &whole.unread, &whole.diagnostics), "{what}");
}

/// Whatever is done to files between reads, a reader that remembers says what one that does not says.
#[test]
fn remembering_files_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let aged = |name: &str| {
        // Files that are known to be settled are not opened again.
        let file = fs::File::options().write(true).open(path(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
    };
    for name in ["a.yaml", "b.yaml", "c.json"] {
        let text = if name.ends_with("json") {
            r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "c"}}"#.to_owned()
        } else {
            namespace(&name[..1])
        };
        put(dir.path(), name, &text);
        aged(name);
    }
    let mut reader = Reader::default();
    let (mut follower, mut followed) = (Reader::default(), BTreeMap::new());
    let mut same = |what: &str| {
        let admitted = reader.read_dir(dir.path()).unwrap();
        assert_eq!(admitted, read_dir(dir.path()).unwrap(), "{what}");
        follow(&mut followed, follower.read_changes(dir.path()).unwrap(), &admitted, what);
        (names(&admitted).join(" "), admitted)
    };
    assert_eq!(same("at first").0, "a b c");
    let settled = std::time::Instant::now() + std::time::Duration::from_millis(120);
    while std::time::Instant::now() < settled {
        std::thread::yield_now();
    }
    let (_, one) = same("settled");
    let (_, two) = same("not opened");
    for (one, two) in one.objects.iter().zip(&two.objects) {
        assert!(one.object.is_same(&two.object));
    }
    // The same size, the same time of modification.
    put(dir.path(), "a.yaml", &namespace("x"));
    aged("a.yaml");
    assert_eq!(same("changed in place").0, "x b c");
    fs::rename(path("b.yaml"), path("0.yaml")).unwrap();
    assert_eq!(same("renamed").0, "b x c");
    fs::remove_file(path("a.yaml")).unwrap();
    assert_eq!(same("removed").0, "b c");
    put(dir.path(), "d.yaml", "a: [");
    assert_eq!(same("broken").1.unread.len(), 1);
    fs::hard_link(path("0.yaml"), path("e.yaml")).unwrap();
    put(dir.path(), "f.yaml", &namespace("c"));
    assert!(same("twice").1.diagnostics.iter().any(|each| each.message.contains("already there")));
    fs::remove_file(path("c.json")).unwrap();
    assert_eq!(same("once").0, "b c");
    put(dir.path(), "f.yaml", &format!("# moved\n---\n{}", namespace("c")));
    assert_eq!(same("moved").0, "b c");
    assert!(same("linked").1.diagnostics.iter().any(|each| each.message.contains("is the same as")));
}
