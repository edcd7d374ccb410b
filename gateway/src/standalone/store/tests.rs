#![allow(clippy::unwrap_used)]
use super::*;
use lychgate_admission::{Reader, read_text};
use lychgate_api::{Kind, ObjectKey};
use proptest::prelude::*;

fn read(file: &str, text: &str) -> Reading {
    read_text(file, text).into()
}

struct Whole;
struct Empty;
struct Open;

impl Advice for Whole {
    fn is_empty(&self, _: &str) -> bool {
        false
    }
    fn half(&self, _: &str) -> Half {
        Half::No
    }
    fn flaw(&self, _: &Object) -> Option<String> {
        None
    }
}

impl Advice for Empty {
    fn is_empty(&self, _: &str) -> bool {
        true
    }
    fn half(&self, _: &str) -> Half {
        Half::No
    }
    fn flaw(&self, _: &Object) -> Option<String> {
        None
    }
}

impl Advice for Open {
    fn is_empty(&self, _: &str) -> bool {
        false
    }
    fn half(&self, _: &str) -> Half {
        Half::Open
    }
    fn flaw(&self, _: &Object) -> Option<String> {
        None
    }
}

fn namespace(name: &str, label: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{a: {label}}}}}\n---\n")
}

fn names(store: &Store) -> Vec<String> {
    store.objects().iter().map(|object| object.key().name).collect()
}

fn generation(store: &Store, name: &str) -> i64 {
    store.objects().get(Kind::Namespace, &ObjectKey::new("", name)).unwrap().metadata().generation
}

#[test]
fn generations_count_changes() {
    let (mut store, now) = (Store::default(), Instant::now());
    let mut read = |text: &str| {
        let changed = store.update(read("f.yaml", text), now, &Whole).changed;
        (generation(&store, "left"), changed)
    };
    assert_eq!(read(&namespace("left", "one")), (1, true));
    assert_eq!(read(&namespace("left", "one")), (1, false));
    assert_eq!(read(&namespace("left", "two")), (2, true));
    assert_eq!(read("{apiVersion: v1, kind: Namespace, metadata: {name: left, generation: 7}}"), (7, true));
    assert_eq!(read(&namespace("left", "two")), (8, true));
}

#[test]
fn kinds_that_did_not_change_are_shared() {
    let (mut store, now) = (Store::default(), Instant::now());
    let service =
        "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: d}, spec: {ports: [{port: 80}]}}\n---\n";
    store.update(read("f.yaml", &(service.to_owned() + &namespace("left", "a"))), now, &Whole);
    let before = store.objects().clone();
    store.update(read("f.yaml", &(service.to_owned() + &namespace("left", "b"))), now, &Whole);
    assert!(before.shares(store.objects(), Kind::Service) && !before.shares(store.objects(), Kind::Namespace));
}

#[test]
fn an_absence_has_to_settle() {
    let (mut store, now) = (Store::default(), Instant::now());
    let both = namespace("left", "a") + &namespace("right", "a");
    store.update(read("f.yaml", &both), now, &Whole);
    let updated = store.update(read("f.yaml", &namespace("left", "a")), now, &Whole);
    assert_eq!(updated.again, Some(SETTLED));
    assert_eq!(names(&store), ["left", "right"]);
    // It came back, and went again: the clock begins anew.
    store.update(read("f.yaml", &both), now + SETTLED / 2, &Whole);
    store.update(read("f.yaml", &namespace("left", "a")), now + SETTLED / 2, &Whole);
    store.update(read("f.yaml", &namespace("left", "a")), now + SETTLED, &Whole);
    assert_eq!(names(&store), ["left", "right"]);
    let updated = store.update(read("f.yaml", &namespace("left", "a")), now + 2 * SETTLED, &Whole);
    assert_eq!((updated.again, updated.changed), (None, true));
    assert_eq!(names(&store), ["left"]);
}

#[test]
fn an_emptied_file_has_longer_to_settle() {
    let (mut store, now) = (Store::default(), Instant::now());
    store.update(read("f.yaml", &namespace("left", "a")), now, &Empty);
    store.update(read("f.yaml", ""), now, &Empty);
    store.update(read("f.yaml", ""), now + SETTLED, &Empty);
    assert_eq!(names(&store), ["left"]);
    store.update(read("f.yaml", ""), now + SETTLED_EMPTY, &Empty);
    assert_eq!(names(&store), Vec::<String>::new());
}

#[test]
fn what_breaks_stays_in_its_last_valid_version() {
    let (mut store, now) = (Store::default(), Instant::now());
    let both = namespace("left", "a") + &namespace("right", "a");
    store.update(read("f.yaml", &both), now, &Whole);
    let broken = namespace("left", "[no, label]") + &namespace("right", "b");
    let updated = store.update(read("f.yaml", &broken), now + SETTLED_EMPTY, &Whole);
    assert_eq!(updated.kept.values().copied().collect::<Vec<_>>(), [Kept::Refused]);
    assert_eq!((generation(&store, "left"), generation(&store, "right")), (1, 2));
    let unreadable = "a: [\n---\n".to_owned() + &namespace("right", "b");
    let updated = store.update(read("f.yaml", &unreadable), now + 2 * SETTLED_EMPTY, &Whole);
    assert_eq!(updated.kept.values().copied().collect::<Vec<_>>(), [Kept::Unread]);
    assert_eq!(names(&store), ["left", "right"]);
}

#[test]
fn nothing_of_a_file_counts_while_it_is_written_except_at_the_start() {
    let (mut store, now) = (Store::default(), Instant::now());
    let both = namespace("left", "a") + &namespace("right", "a");
    store.update(read("f.yaml", &both), now, &Open);
    assert_eq!(names(&store), ["left", "right"]);
    let half = namespace("left", "b") + &namespace("new", "a");
    for later in [Duration::ZERO, 2 * SETTLED_EMPTY] {
        let updated = store.update(read("f.yaml", &half), now + later, &Open);
        assert_eq!(updated.kept.values().copied().collect::<Vec<_>>(), [Kept::Writing, Kept::Writing]);
        assert!(!updated.changed && updated.again.is_none());
    }
    assert_eq!(names(&store), ["left", "right"]);
    store.update(read("f.yaml", &half), now + 2 * SETTLED_EMPTY, &Whole);
    assert_eq!((names(&store), generation(&store, "left")), (vec!["left".into(), "new".into(), "right".into()], 2));
}

/// What happens between two readings.
#[derive(Clone, Debug)]
enum Happening {
    /// A file has these documents now: name and version of each.
    Write(u8, Vec<(u8, u8)>),
    Remove(u8),
    /// A file is being written, or is not any more.
    Half(u8, bool),
    /// Time goes by.
    Wait(Duration),
}

fn happening() -> impl Strategy<Value = Happening> {
    let file = || 0..3_u8;
    prop_oneof![
        6 => (file(), prop::collection::vec((0..5_u8, 0..5_u8), 0..5)).prop_map(|(f, all)| Happening::Write(f, all)),
        1 => file().prop_map(Happening::Remove),
        2 => (file(), any::<bool>()).prop_map(|(file, half)| Happening::Half(file, half)),
        2 => prop_oneof![Just(SETTLED / 2), Just(SETTLED), Just(SETTLED_EMPTY)].prop_map(Happening::Wait),
    ]
}

/// Of the versions, one is not valid, one cannot be read, and one cannot be used.
fn document(name: u8, version: u8) -> String {
    match version {
        3 => namespace(&format!("n{name}"), "[no, label]"),
        4 => format!("a: [{name}\n"),
        other => namespace(&format!("n{name}"), &format!("v{other}")),
    }
}

#[derive(Default)]
struct Scripted {
    half: HashSet<String>,
}

impl Advice for Scripted {
    fn is_empty(&self, file: &str) -> bool {
        std::fs::metadata(file).is_ok_and(|metadata| metadata.len() == 0)
    }
    fn half(&self, file: &str) -> Half {
        if self.half.iter().any(|half| file.ends_with(half)) { Half::Open } else { Half::No }
    }
    fn flaw(&self, object: &Object) -> Option<String> {
        let is_flawed = object.metadata().labels.values().any(|label| label == "v2");
        is_flawed.then(|| "v2 is good for nothing".to_owned())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Told only what changes, the store keeps what it keeps if it is told all there is each time.
    #[test]
    fn what_changed_is_enough(happenings in prop::collection::vec(happening(), 1..14)) {
        let dir = tempfile::tempdir().unwrap();
        let path = |file: u8| dir.path().join(format!("{file}.yaml"));
        std::fs::write(dir.path().join("steady.yaml"), namespace("steady", "a")).unwrap();
        let (mut by_changes, mut by_all) = (Reader::numbered(), Reader::numbered());
        let (mut one, mut other) = (Store::default(), Store::default());
        let (mut now, mut files) = (Instant::now(), Scripted::default());
        for happening in happenings {
            match happening {
                Happening::Write(file, documents) => {
                    let text: Vec<String> = documents.iter().map(|(name, version)| document(*name, *version)).collect();
                    std::fs::write(path(file), text.join("---\n")).unwrap();
                }
                Happening::Remove(file) => drop(std::fs::remove_file(path(file))),
                Happening::Half(file, true) => drop(files.half.insert(format!("{file}.yaml"))),
                Happening::Half(file, false) => drop(files.half.remove(&format!("{file}.yaml"))),
                Happening::Wait(time) => now += time,
            }
            let (changes, all) = (by_changes.read_changes(dir.path()).unwrap(), by_all.read_dir(dir.path()).unwrap());
            prop_assert_eq!(&changes.diagnostics, &all.diagnostics);
            let updated = one.update(changes, now, &files);
            let expected = other.update(all.into(), now, &files);
            prop_assert_eq!(one.objects(), other.objects());
            prop_assert_eq!((updated.kept, updated.again), (expected.kept, expected.again));
            prop_assert_eq!((updated.flaws, updated.changed), (expected.flaws, expected.changed));
        }
    }
}
