#![allow(clippy::unwrap_used, clippy::panic)]

use super::group::HELD;
use super::*;
use lychgate_admission::read_text;
use lychgate_api::Objects;
use lychgate_feed::Socket;
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

/// What every replica would call its listeners.
fn name(translation: &Translation) -> u64 {
    translation.snapshot.listeners.values().fold(0, |name, listener| name * 65_536 + u64::from(listener.port))
}

/// One that follows this replica, and has this.
fn has(version: u64, translation: &Translation) -> Answer<u64, u64> {
    let listeners = Some(name(translation));
    Answer { version: Some(Some(version)), listeners, rejected: Vec::new(), unbound: Vec::new() }
}

/// One that follows another replica, and has this.
fn has_elsewhere(translation: &Translation) -> Answer<u64, u64> {
    Answer { version: None, ..has(0, translation) }
}

/// One that has said nothing yet.
fn new() -> Answer<u64, u64> {
    Answer { version: Some(None), listeners: None, rejected: Vec::new(), unbound: Vec::new() }
}

struct Bench {
    progress: Progress<u64, u64>,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self { progress: Progress::default(), now: Instant::now() }
    }

    fn publish(&mut self, version: u64, translation: &Translation) {
        let (listeners, snapshot) = (name(translation), translation.snapshot.clone());
        self.progress.published(&group(), Publication { version, listeners, snapshot }, &[self.now], self.now);
    }

    /// The sections that are pending.
    fn pending(&self) -> Vec<String> {
        let facts = self.progress.facts(self.now, None, |_| false);
        facts.overlay.pending.keys().map(|id| id.section.to_string()).collect()
    }
}

#[test]
fn a_listener_is_programmed_when_all_have_it() {
    let (mut bench, one) = (Bench::new(), translated(&[80]));
    bench.publish(1, &one);
    assert_eq!(bench.pending(), ["p80"], "nobody is there");
    bench.progress.heard(&group(), vec![new()]);
    assert_eq!(bench.pending(), ["p80"]);
    bench.progress.heard(&group(), vec![has(1, &one), new()]);
    assert_eq!(bench.pending(), ["p80"], "one of two");
    bench.progress.heard(&group(), vec![has(1, &one), has(1, &one)]);
    assert!(bench.pending().is_empty());
}

#[test]
fn what_was_programmed_stays_so_whoever_comes_and_goes() {
    let (mut bench, one) = (Bench::new(), translated(&[80]));
    bench.publish(1, &one);
    bench.progress.heard(&group(), vec![has(1, &one)]);
    bench.progress.heard(&group(), vec![has(1, &one), new()]);
    assert!(bench.pending().is_empty(), "a new pod");
    bench.progress.heard(&group(), vec![]);
    assert!(bench.pending().is_empty(), "no pod");
    // Another listener is pending alone.
    let two = translated(&[80, 81]);
    bench.publish(2, &two);
    assert_eq!(bench.pending(), ["p81"]);
    bench.progress.heard(&group(), vec![has(2, &two)]);
    assert!(bench.pending().is_empty());
}

#[test]
fn what_another_leader_said_stands() {
    let (mut bench, one) = (Bench::new(), translated(&[80, 81]));
    bench.publish(1, &one);
    let took_over = bench.now;
    bench.progress.believe(took_over, |id| &*id.section == "p80");
    assert_eq!(bench.pending(), ["p81"], "what it did not say is not believed");
    // Only where we know nothing better: a listener that changes in our time has to be acknowledged.
    bench.now += HELD;
    bench.publish(2, &translated(&[80, 81, 82]));
    bench.progress.believe(took_over, |_| true);
    assert_eq!(bench.pending(), ["p82"]);
    // And nobody who is behind takes it back.
    bench.progress.heard(&group(), vec![new(), has_elsewhere(&one)]);
    assert_eq!(bench.pending(), ["p82"]);
}

#[test]
fn what_was_acknowledged_to_another_replica_counts_by_content() {
    let (mut bench, one, two) = (Bench::new(), translated(&[80]), translated(&[80, 81]));
    bench.publish(1, &one);
    bench.progress.heard(&group(), vec![has_elsewhere(&one)]);
    assert!(bench.pending().is_empty());
    // The other replica was quicker: what its data planes have is not known here yet.
    bench.progress.heard(&group(), vec![has_elsewhere(&two)]);
    assert!(bench.pending().is_empty(), "nothing is taken back for that");
    bench.publish(2, &two);
    assert_eq!(bench.pending(), ["p81"]);
    bench.progress.heard(&group(), vec![has_elsewhere(&two)]);
    assert!(bench.pending().is_empty());
    // What passed before we looked is like nothing that we know, and then what we know comes.
    let three = translated(&[80, 81, 82]);
    bench.publish(3, &three);
    bench.progress.heard(&group(), vec![has(3, &three), has_elsewhere(&translated(&[99]))]);
    assert_eq!(bench.pending(), ["p82"]);
    bench.progress.heard(&group(), vec![has(3, &three), has_elsewhere(&three)]);
    assert!(bench.pending().is_empty());
}

#[test]
fn what_comes_again_is_what_it_was() {
    let (mut bench, one, two) = (Bench::new(), translated(&[80]), translated(&[81]));
    bench.publish(1, &one);
    bench.publish(2, &two);
    bench.publish(3, &one);
    bench.progress.heard(&group(), vec![has(2, &two)]);
    assert_eq!(bench.pending(), ["p80"]);
    bench.progress.heard(&group(), vec![has(1, &one)]);
    assert!(bench.pending().is_empty(), "it has it as it is, whatever came between");
}

#[test]
fn a_status_is_held_for_a_moment_and_no_longer() {
    let (mut bench, one, two) = (Bench::new(), translated(&[80]), translated(&[80, 81]));
    bench.publish(1, &one);
    bench.progress.heard(&group(), vec![has(1, &one)]);
    bench.publish(2, &two);
    let facts = |bench: &Bench, programmed: bool| bench.progress.facts(bench.now, None, |_| programmed);
    let now = facts(&bench, true);
    assert_eq!(now.held.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Gateway/d/gw"]);
    assert_eq!(now.again, Some(bench.now + HELD));
    // What never was programmed says that it is accepted at once.
    assert!(facts(&bench, false).held.is_empty());
    // Unless it may be that we have only not seen it yet.
    let begun = bench.progress.facts(bench.now, Some(bench.now), |_| false);
    assert_eq!((begun.held.len(), begun.again), (1, Some(bench.now + HELD)));
    bench.now += HELD;
    let later = facts(&bench, true);
    assert!(later.held.is_empty() && later.again.is_none());
    assert_eq!(later.overlay.pending.len(), 1);
}

#[test]
fn propagation_is_until_the_last_has_it() {
    let (mut bench, one, two) = (Bench::new(), translated(&[80]), translated(&[81]));
    let heard = |bench: &mut Bench, answers| bench.progress.heard(&group(), answers).len();
    bench.publish(0, &one);
    assert_eq!(heard(&mut bench, vec![has(0, &one), new()]), 0, "nobody was there to have it");
    bench.publish(1, &one);
    bench.publish(2, &two);
    // A change of others, in the middle.
    bench.publish(2, &two);
    assert_eq!(heard(&mut bench, vec![has(1, &one), new()]), 0);
    assert_eq!(heard(&mut bench, vec![has(1, &one), has(2, &two)]), 1);
    // Those that follow others are measured there.
    assert_eq!(heard(&mut bench, vec![has(2, &two), has(2, &two), has_elsewhere(&one)]), 1);
    assert_eq!(heard(&mut bench, vec![has(2, &two)]), 0);
    // It goes to another replica in the middle, and comes back some day.
    bench.publish(3, &one);
    assert_eq!(heard(&mut bench, vec![has_elsewhere(&two)]), 0);
    assert_eq!(heard(&mut bench, vec![has(3, &one)]), 0);
}

#[test]
fn rejections_count_for_the_generation_that_they_speak_of() {
    let (mut bench, one) = (Bench::new(), translated(&[80]));
    bench.publish(1, &one);
    let rule = one.snapshot.routes.values().next().unwrap().rules[0].id.clone();
    let old = RuleId { generation: 2, ..rule.clone() };
    let rejected = vec![Rejected::rule(rule.clone(), "new"), Rejected::rule(old, "over")];
    let answers = [has(1, &one), has_elsewhere(&one)].map(|has| Answer { rejected: rejected.clone(), ..has });
    bench.progress.heard(&group(), answers.into());
    let facts = bench.progress.facts(bench.now, None, |_| false);
    assert_eq!(facts.overlay.rejected, [(rule.clone(), "new".to_owned())]);
    // A data plane speaks of what it was given, and of nothing of others.
    let other = GroupId::new("d", "lychgate-other");
    let publication = Publication { version: 1, listeners: 0, snapshot: Arc::default() };
    bench.progress.published(&other, publication, &[], bench.now);
    bench.progress.heard(&group(), vec![has(1, &one)]);
    let liar = Answer { rejected: vec![Rejected::rule(rule, "mine, too")], ..has_elsewhere(&one) };
    bench.progress.heard(&other, vec![liar]);
    assert!(bench.progress.facts(bench.now, None, |_| false).overlay.rejected.is_empty());
}

#[test]
fn a_socket_that_some_pods_do_not_have_is_partly_open() {
    let (mut bench, one) = (Bench::new(), translated(&[80, 81]));
    bench.publish(1, &one);
    let socket = Socket { address: None, port: 81, transport: lychgate_ir::Transport::Tcp };
    let shut = || Answer { unbound: vec![Unbound { socket, why: "taken".to_owned() }], ..has(1, &one) };
    bench.progress.heard(&group(), vec![has(1, &one), shut()]);
    let sockets = bench.progress.facts(bench.now, None, |_| false).overlay.sockets;
    let (id, trouble) = sockets.iter().next().unwrap();
    assert_eq!((sockets.len(), &*id.section, trouble.partly_open), (1, "p81", true));
    assert!(trouble.message.contains("1 of 2 pods") && trouble.message.contains("taken"), "{}", trouble.message);
    bench.progress.heard(&group(), vec![shut(), shut()]);
    let sockets = bench.progress.facts(bench.now, None, |_| false).overlay.sockets;
    assert!(!sockets.values().next().unwrap().partly_open);
}

#[test]
fn a_group_that_is_no_more_says_nothing() {
    let (mut bench, one) = (Bench::new(), translated(&[80]));
    bench.publish(1, &one);
    bench.progress.retired(&group());
    assert!(bench.pending().is_empty());
    assert_eq!(bench.progress.count(), (0, 0));
}
