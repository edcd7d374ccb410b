#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use lychgate_admission::read_text;
use lychgate_api::Objects;
use lychgate_translate::{Options, Translation, translate};

fn group() -> GroupId {
    GroupId::new("d", "lychgate-gw")
}

/// A Gateway whose listeners have these ports, and a route to it.
fn translated(ports: &[u16]) -> Translation {
    let listeners: Vec<String> =
        ports.iter().map(|port| format!("{{name: p{port}, protocol: HTTP, port: {port}}}")).collect();
    let text = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: gw, namespace: d, generation: 1}}\n\
         spec: {{gatewayClassName: lychgate, listeners: [{}]}}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r, namespace: d, generation: 3}}\n\
         spec: {{parentRefs: [{{name: gw}}], rules: [{{matches: [{{path: {{value: /one}}}}]}}, {{}}]}}\n",
        listeners.join(", ")
    );
    let objects: Objects = read_text("f.yaml", &text).objects.into_iter().map(|admitted| admitted.object).collect();
    translate(&objects, &Options { standalone: true, ..Options::default() }, None)
}

fn has(version: u64) -> Answer<u64> {
    Answer { version: Some(version), rejected: Vec::new(), unbound: Vec::new() }
}

fn new() -> Answer<u64> {
    Answer { version: None, ..has(0) }
}

struct Bench {
    progress: Progress<u64>,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self { progress: Progress::default(), now: Instant::now() }
    }

    fn publish(&mut self, version: u64, translation: &Translation) {
        let arrivals = [self.now];
        self.progress.published(&group(), version, &translation.snapshot, &arrivals, self.now, |_| false);
    }

    /// The sections that are pending.
    fn pending(&self, translation: &Translation) -> Vec<String> {
        let facts = self.progress.facts(&translation.snapshot, self.now, |_| false);
        facts.overlay.pending.keys().map(|id| id.section.to_string()).collect()
    }
}

#[test]
fn a_listener_is_programmed_when_all_have_it() {
    let (mut bench, one) = (Bench::new(), translated(&[80]));
    bench.publish(1, &one);
    assert_eq!(bench.pending(&one), ["p80"], "nobody is there");
    bench.progress.heard(&group(), vec![new()]);
    assert_eq!(bench.pending(&one), ["p80"]);
    bench.progress.heard(&group(), vec![has(1), new()]);
    assert_eq!(bench.pending(&one), ["p80"], "one of two");
    bench.progress.heard(&group(), vec![has(1), has(1)]);
    assert!(bench.pending(&one).is_empty());
}

#[test]
fn what_was_programmed_stays_so_whoever_comes_and_goes() {
    let (mut bench, one) = (Bench::new(), translated(&[80]));
    bench.publish(1, &one);
    bench.progress.heard(&group(), vec![has(1)]);
    bench.progress.heard(&group(), vec![has(1), new()]);
    assert!(bench.pending(&one).is_empty(), "a new pod");
    bench.progress.heard(&group(), vec![]);
    assert!(bench.pending(&one).is_empty(), "no pod");
    // Another listener is pending alone.
    let two = translated(&[80, 81]);
    bench.publish(2, &two);
    assert_eq!(bench.pending(&two), ["p81"]);
    bench.progress.heard(&group(), vec![has(2)]);
    assert!(bench.pending(&two).is_empty());
}

#[test]
fn what_another_leader_said_stands() {
    let (mut bench, one) = (Bench::new(), translated(&[80, 81]));
    let said = |id: &ListenerId| &*id.section == "p80";
    bench.progress.published(&group(), 1, &one.snapshot, &[], bench.now, said);
    assert_eq!(bench.pending(&one), ["p81"]);
    // Only where we know nothing better: a listener that changes in our time has to be acknowledged.
    let other = translated(&[80, 81, 82]);
    bench.progress.published(&group(), 2, &other.snapshot, &[], bench.now, |_| true);
    assert_eq!(bench.pending(&other), ["p81", "p82"]);
}

#[test]
fn a_status_is_held_for_a_moment_and_no_longer() {
    let (mut bench, one, two) = (Bench::new(), translated(&[80]), translated(&[80, 81]));
    bench.publish(1, &one);
    bench.progress.heard(&group(), vec![has(1)]);
    bench.publish(2, &two);
    let facts = |bench: &Bench, programmed: bool| bench.progress.facts(&two.snapshot, bench.now, |_| programmed);
    let now = facts(&bench, true);
    assert_eq!(now.held.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Gateway/d/gw"]);
    assert_eq!(now.again, Some(bench.now + HELD));
    // What never was programmed says that it is accepted at once.
    assert!(facts(&bench, false).held.is_empty());
    bench.now += HELD;
    let later = facts(&bench, true);
    assert!(later.held.is_empty() && later.again.is_none());
    assert_eq!(later.overlay.pending.len(), 1);
}

#[test]
fn propagation_is_until_the_last_has_it() {
    let (mut bench, one, two) = (Bench::new(), translated(&[80]), translated(&[81]));
    bench.publish(0, &one);
    assert!(bench.progress.heard(&group(), vec![has(0), new()]).is_empty(), "nobody was there to have it");
    bench.publish(1, &one);
    bench.publish(2, &two);
    // A change of others, in the middle.
    bench.publish(2, &two);
    assert!(bench.progress.heard(&group(), vec![has(1), new()]).is_empty());
    assert_eq!(bench.progress.heard(&group(), vec![has(1), has(2)]).len(), 1);
    assert_eq!(bench.progress.heard(&group(), vec![has(2), has(2)]).len(), 1);
    assert!(bench.progress.heard(&group(), vec![has(2)]).is_empty());
}

#[test]
fn rejections_count_for_the_generation_that_they_speak_of() {
    let (mut bench, one) = (Bench::new(), translated(&[80]));
    bench.publish(1, &one);
    let rule = one.snapshot.routes.values().next().unwrap().rules[0].id.clone();
    let old = RuleId { generation: 2, ..rule.clone() };
    let rejected = vec![Rejected::rule(rule.clone(), "new"), Rejected::rule(old, "over")];
    bench
        .progress
        .heard(&group(), vec![Answer { rejected: rejected.clone(), ..has(1) }, Answer { rejected, ..has(1) }]);
    let facts = bench.progress.facts(&one.snapshot, bench.now, |_| false);
    assert_eq!(facts.overlay.rejected, [(rule, "new".to_owned())]);
}

#[test]
fn a_socket_that_some_pods_do_not_have_is_partly_open() {
    let (mut bench, one) = (Bench::new(), translated(&[80, 81]));
    bench.publish(1, &one);
    let socket = Socket { address: None, port: 81, transport: lychgate_ir::Transport::Tcp };
    let shut = || Answer { unbound: vec![Unbound { socket, why: "taken".to_owned() }], ..has(1) };
    bench.progress.heard(&group(), vec![has(1), shut()]);
    let sockets = bench.progress.facts(&one.snapshot, bench.now, |_| false).overlay.sockets;
    let (id, trouble) = sockets.iter().next().unwrap();
    assert_eq!((sockets.len(), &*id.section, trouble.partly_open), (1, "p81", true));
    assert!(trouble.message.contains("1 of 2 pods") && trouble.message.contains("taken"), "{}", trouble.message);
    bench.progress.heard(&group(), vec![shut(), shut()]);
    let sockets = bench.progress.facts(&one.snapshot, bench.now, |_| false).overlay.sockets;
    assert!(!sockets.values().next().unwrap().partly_open);
}

#[test]
fn a_group_that_is_no_more_says_nothing() {
    let (mut bench, one) = (Bench::new(), translated(&[80]));
    bench.publish(1, &one);
    bench.progress.retired(&group());
    assert!(bench.pending(&one).is_empty());
    assert_eq!(bench.progress.count(), (0, 0));
}
