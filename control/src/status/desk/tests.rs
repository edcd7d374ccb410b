#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use lychgate_admission::read_text;
use lychgate_api::{Kind, ObjectKey, Objects};
use lychgate_translate::{Options, translate};
use serde_json::json;

/// The statuses of Gateways of these names, each with so many listeners.
fn statuses(gateways: &[(&str, u16)]) -> Statuses {
    let mut text = String::new();
    for (name, listeners) in gateways {
        let listeners: Vec<String> =
            (0..*listeners).map(|at| format!("{{name: l{at}, protocol: HTTP, port: {}}}", 80 + at)).collect();
        text += &format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: d}}\n\
             spec: {{gatewayClassName: lychgate, listeners: [{}]}}\n",
            listeners.join(", ")
        );
    }
    let objects: Objects = read_text("f.yaml", &text).objects.into_iter().map(|admitted| admitted.object).collect();
    assert_eq!(objects.len(), gateways.len());
    translate(&objects, &Options { standalone: true, ..Options::default() }, None).statuses
}

fn object(name: &str) -> ObjectRef {
    ObjectRef { kind: Kind::Gateway, key: ObjectKey::new("d", name) }
}

fn observed(version: u64, status: Value) -> Observed {
    let ours = status.is_object();
    Observed { uid: "u".to_owned(), resource_version: version.to_string(), status, ours }
}

struct Bench {
    desk: Desk,
    now: Instant,
}

impl Bench {
    fn new(names: &[&str]) -> Self {
        let mut bench = Self { desk: Desk::default(), now: Instant::now() };
        for name in names {
            bench.see(name, 1, Value::Null);
        }
        bench
    }

    fn see(&mut self, name: &str, version: u64, status: Value) {
        self.desk.observe(&object(name), Some(observed(version, status)), self.now);
    }

    fn want(&mut self, gateways: &[(&str, u16)]) {
        self.desk.want(&statuses(gateways), BTreeSet::new(), BTreeSet::new(), self.now);
    }

    fn next(&mut self) -> Option<Job> {
        self.desk.next(self.now, Time::from_unix_seconds(10))
    }

    fn written(&mut self, job: &Job, version: u64) {
        self.desk.done(&job.object, Outcome::Written(observed(version, job.status.clone())), self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

#[test]
fn nothing_is_written_before_there_is_a_whole_view() {
    let mut bench = Bench::new(&["a"]);
    bench.see("old", 1, json!({"conditions": []}));
    assert_eq!(bench.next(), None);
    bench.want(&[("a", 1)]);
    let mut jobs = [bench.next().unwrap(), bench.next().unwrap()];
    jobs.sort_by_key(|job| job.object.clone());
    let [one, other] = jobs;
    assert_eq!((one.object, other.object), (object("a"), object("old")));
    assert_eq!(other.status, json!({}), "what we said once of what is not ours any more is taken back");
    assert_eq!(bench.next(), None);
}

#[test]
fn the_latest_wins_and_a_burst_is_few_writes() {
    let mut bench = Bench::new(&["a"]);
    bench.want(&[("a", 1)]);
    let first = bench.next().unwrap();
    let mut writes = 1;
    // While it is on its way, and after it, a hundred things happen in two seconds.
    bench.written(&first, 2);
    let mut last = first;
    let mut version = 2;
    for round in 0..100 {
        bench.want(&[("a", 2 + round % 7)]);
        if let Some(job) = bench.next() {
            writes += 1;
            version += 1;
            bench.written(&job, version);
            last = job;
        }
        bench.pass(Duration::from_millis(20));
    }
    assert!((8..=12).contains(&writes), "{writes}");
    bench.pass(REST);
    if let Some(job) = bench.next() {
        last = job;
    }
    assert_eq!(last.status["listeners"].as_array().unwrap().len(), 2 + 99 % 7);
}

#[test]
fn one_write_of_an_object_at_a_time() {
    let mut bench = Bench::new(&["a"]);
    bench.want(&[("a", 1)]);
    let job = bench.next().unwrap();
    bench.want(&[("a", 2)]);
    assert_eq!(bench.next(), None);
    bench.written(&job, 2);
    bench.pass(REST);
    assert_eq!(bench.next().unwrap().status["listeners"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_held_waits_and_is_then_written_once() {
    let mut bench = Bench::new(&["a"]);
    bench.desk.want(&statuses(&[("a", 1)]), BTreeSet::from([object("a")]), BTreeSet::new(), bench.now);
    assert_eq!(bench.next(), None);
    bench.desk.want(&statuses(&[("a", 2)]), BTreeSet::new(), BTreeSet::new(), bench.now);
    assert_eq!(bench.next().unwrap().status["listeners"].as_array().unwrap().len(), 2);
}

#[test]
fn failures_are_tried_again_later_and_later() {
    let mut bench = Bench::new(&["a"]);
    bench.want(&[("a", 1)]);
    let mut waited = Vec::new();
    for _ in 0..12 {
        let job = bench.next().unwrap();
        bench.desk.done(&job.object, Outcome::Failed, bench.now);
        assert_eq!(bench.next(), None);
        let due = bench.desk.next_due().unwrap();
        waited.push(due - bench.now);
        bench.now = due;
    }
    assert!(waited[0] <= FIRST_WAIT && waited.iter().all(|wait| *wait <= LAST_WAIT), "{waited:?}");
    assert!(waited.last().unwrap() >= &(LAST_WAIT / 2));
    // What was waited for in vain is not waited for after it went well.
    let job = bench.next().unwrap();
    bench.written(&job, 2);
    bench.want(&[("a", 2)]);
    bench.pass(REST);
    assert!(bench.next().is_some());
}

#[test]
fn what_was_overtaken_is_made_again_from_what_is_there() {
    let mut bench = Bench::new(&["a"]);
    bench.want(&[("a", 1)]);
    let job = bench.next().unwrap();
    let theirs = json!({"conditions": [{"type": "example.com/Theirs", "status": "True"}]});
    bench.desk.done(&job.object, Outcome::Overtaken(Some(observed(5, theirs))), bench.now);
    let again = bench.next().unwrap();
    assert_eq!(again.status, job.status);
    // It may be right already.
    bench.desk.done(&again.object, Outcome::Overtaken(Some(observed(6, again.status.clone()))), bench.now);
    assert_eq!(bench.next(), None);
}

#[test]
fn events_from_before_our_write_change_nothing() {
    let mut bench = Bench::new(&["a"]);
    bench.want(&[("a", 1)]);
    let job = bench.next().unwrap();
    bench.written(&job, 9);
    bench.see("a", 4, Value::Null);
    bench.pass(REST);
    assert_eq!(bench.next(), None);
    // Another one who overwrites it does.
    bench.see("a", 10, json!({"conditions": []}));
    assert!(bench.next().is_some());
    // And a new object of the same name counts anew, whatever its version.
    let fresh = Observed { uid: "v".to_owned(), ..observed(3, Value::Null) };
    bench.desk.observe(&object("a"), Some(fresh), bench.now);
    assert_eq!(bench.desk.observed(&object("a")).unwrap().uid, "v");
}

#[test]
fn what_the_server_changes_is_not_written_for_ever() {
    let mut bench = Bench::new(&["a"]);
    bench.want(&[("a", 1)]);
    let job = bench.next().unwrap();
    // It says something else than what was written.
    let other = json!({"conditions": [{"type": "Strange", "status": "True"}]});
    bench.desk.done(&job.object, Outcome::Written(observed(2, other)), bench.now);
    bench.pass(REST);
    assert_eq!(bench.next(), None, "the same again would have the same end");
}

#[test]
fn what_is_refused_waits_for_something_else_to_say() {
    let mut bench = Bench::new(&["a"]);
    bench.want(&[("a", 1)]);
    let job = bench.next().unwrap();
    bench.desk.done(&job.object, Outcome::Refused, bench.now);
    bench.desk.look_at_all(bench.now);
    bench.pass(LAST_WAIT);
    assert_eq!(bench.next(), None);
    bench.want(&[("a", 2)]);
    bench.pass(LAST_WAIT);
    assert!(bench.next().is_some());
}

#[test]
fn who_begins_to_lead_looks_at_everything() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.want(&[("a", 1), ("b", 1)]);
    let jobs = [bench.next().unwrap(), bench.next().unwrap()];
    bench.written(&jobs[0], 2);
    // The other one was lost with whoever led.
    bench.desk.done(&jobs[1].object, Outcome::Failed, bench.now);
    bench.pass(LAST_WAIT);
    bench.desk.look_at_all(bench.now);
    assert_eq!(bench.next().unwrap().object, jobs[1].object);
    assert_eq!(bench.next(), None);
}

#[test]
fn objects_that_are_gone_are_forgotten() {
    let mut bench = Bench::new(&["a"]);
    bench.want(&[("a", 1)]);
    let job = bench.next().unwrap();
    bench.desk.observe(&object("a"), None, bench.now);
    bench.desk.done(&job.object, Outcome::Gone, bench.now);
    assert_eq!(bench.next(), None);
    assert!(bench.desk.slots.is_empty() && bench.desk.due.is_empty() && bench.desk.observed.is_empty());
}

#[test]
fn what_another_control_plane_of_ours_speaks_for_is_left_alone() {
    let mut bench = Bench::new(&[]);
    bench.see("theirs", 1, json!({"conditions": []}));
    bench.see("old", 1, json!({"conditions": []}));
    let others = BTreeSet::from([object("theirs")]);
    bench.desk.want(&statuses(&[]), BTreeSet::new(), others, bench.now);
    assert_eq!(bench.next().unwrap().object, object("old"));
    assert_eq!(bench.next(), None);
}
