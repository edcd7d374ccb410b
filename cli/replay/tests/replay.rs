//! Records in, policies and verdicts out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use lychgate_audit::{Record, RecordDestination, RecordHttp, RecordPhase, RecordProtocol, RecordSource, Timestamp};
use lychgate_egress::Policies;
use lychgate_ir::egress::{
    Destination, EgressAction, EgressConfig, EgressExceptions, EgressHost, EgressMode, EgressPolicy, EgressPolicyId,
    EgressRule, EgressSubject,
};
use lychgate_ir::{GatewayId, ObjectName};
use lychgate_replay::learn::{Fold, LearnOptions, Lessons, as_yaml};
use lychgate_replay::replay::{Fate, Replay};
use lychgate_replay::would_deny::WouldDeny;
use std::collections::BTreeMap;
use std::sync::Arc;

/// 2026-11-26T10:00:00Z and so many minutes.
fn at(minutes: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_687_200_000 + minutes * 60_000)
}

fn gateway() -> GatewayId {
    "Gateway/egress/out".parse().unwrap()
}

fn cart() -> RecordSource {
    RecordSource {
        namespace: Some("shop".to_owned()),
        service_account: Some("cart".to_owned()),
        address: Some([10, 0, 0, 1].into()),
        ..RecordSource::default()
    }
}

fn tls(minutes: i64, host: &str) -> Record {
    Record {
        time: at(minutes),
        phase: RecordPhase::Ended,
        gateway: Some(gateway()),
        source: cart(),
        destination: RecordDestination {
            host: Some(host.to_owned()),
            address: Some([93, 184, 215, 14].into()),
            port: 443,
            by_address: false,
            verified: Some(true),
        },
        protocol: Some(RecordProtocol::Tls),
        server_name: Some(host.to_owned()),
        encrypted_hello: false,
        http: None,
        verdict: EgressAction::Allow,
        mode: EgressMode::Enforce,
        shadow: Some(EgressAction::Deny),
        rule: None,
        reason: None,
        bytes_sent: 1,
        bytes_received: 1,
        duration_ms: 1,
    }
}

fn learned(options: LearnOptions, records: &[Record]) -> String {
    let mut lessons = Lessons::new(options);
    records.iter().for_each(|record| lessons.take(record));
    lessons.lessons().iter().map(|lesson| as_yaml(lesson).unwrap()).collect::<Vec<_>>().join("---\n")
}

#[test]
fn what_left_becomes_a_policy_that_can_be_read() {
    let http = Record {
        protocol: Some(RecordProtocol::Http),
        server_name: None,
        http: Some(RecordHttp {
            host: Some("mirror.example".to_owned()),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            over_tls: false,
        }),
        destination: RecordDestination { port: 80, ..tls(0, "mirror.example").destination },
        ..tls(7, "mirror.example")
    };
    let dns = |host| Record { protocol: Some(RecordProtocol::Dns), server_name: None, ..tls(1, host) };
    let refused = Record { verdict: EgressAction::Deny, ..tls(2, "evil.example") };
    let begun = Record { phase: RecordPhase::Begun, ..tls(3, "api.pay.example") };
    let records = [
        tls(0, "api.pay.example"),
        tls(5, "api.pay.example"),
        tls(6, "id.pay.example"),
        dns("api.pay.example"),
        dns("only.asked.example"),
        http,
        refused,
        begun,
    ];
    assert_eq!(
        learned(LearnOptions::default(), &records),
        r#"# Learned from what left for shop/cart. Read it, then apply it: in shadow it changes nothing, and tells what it would refuse.
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata:
  name: learned-cart
  namespace: shop
spec:
  targetRefs:
  - group: gateway.networking.k8s.io
    kind: Gateway
    name: out
    namespace: egress
  subjects:
  - serviceAccount: cart
  mode: Shadow
  rules:
  - name: tls-443
    action: Allow
    to:
      hosts:
      - api.pay.example  # 2 times, 2026-11-26T10:00:00.000Z to 2026-11-26T10:05:00.000Z
      - id.pay.example  # once, 2026-11-26T10:06:00.000Z
    ports: ["443"]
    protocols:
    - type: TLS
  - name: http-80
    action: Allow
    to:
      hosts:
      - mirror.example  # once, 2026-11-26T10:07:00.000Z
    ports: ["80"]
    protocols:
    - type: HTTP
  - name: dns
    action: Allow
    to:
      hosts:
      - only.asked.example  # once, 2026-11-26T10:01:00.000Z
    protocols:
    - type: DNS
"#
    );
}

#[test]
fn what_was_refused_is_learned_only_when_asked_for() {
    let records = [Record { verdict: EgressAction::Deny, ..tls(0, "new.example") }];
    let mut lessons = Lessons::new(LearnOptions::default());
    records.iter().for_each(|record| lessons.take(record));
    assert_eq!((lessons.lessons().len(), lessons.refused()), (0, 1));
    let options = LearnOptions { include_denied: true, ..LearnOptions::default() };
    assert!(learned(options, &records).contains("- new.example"));
}

#[test]
fn workloads_are_told_apart_and_those_that_nobody_knows_as_well() {
    let unknown = Record { source: RecordSource::default(), ..tls(0, "a.example") };
    let identity = RecordSource { identity: Some("spiffe://td/build".to_owned()), ..RecordSource::default() };
    let identity = Record { source: identity, ..tls(0, "b.example") };
    let namespace = RecordSource { namespace: Some("jobs".to_owned()), ..RecordSource::default() };
    let namespace = Record { source: namespace, ..tls(0, "c.example") };
    let records = [tls(0, "d.example"), unknown, identity, namespace];
    let text = learned(LearnOptions::default(), &records);
    let docs: Vec<serde_yaml::Value> = text.split("---\n").map(|doc| serde_yaml::from_str(doc).unwrap()).collect();
    let shown: Vec<_> = docs
        .iter()
        .map(|doc| {
            let of = |path: &[&str]| path.iter().fold(doc, |value, key| &value[*key]).clone();
            let subjects = serde_json::to_string(&of(&["spec", "subjects"])).unwrap();
            (of(&["metadata", "namespace"]).as_str().unwrap().to_owned(), subjects)
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("shop".to_owned(), r#"[{"serviceAccount":"cart"}]"#.to_owned()),
            ("jobs".to_owned(), "null".to_owned()),
            ("egress".to_owned(), r#"[{"identity":"spiffe://td/build"}]"#.to_owned()),
            ("egress".to_owned(), r#"[{"unknown":{}}]"#.to_owned()),
        ]
    );
    let only = LearnOptions { workload: Some("shop/cart".to_owned()), ..LearnOptions::default() };
    assert!(!learned(only, &records).contains("c.example"));
}

#[test]
fn names_are_folded_only_when_asked_and_only_when_there_are_enough() {
    let records: Vec<_> = (0..4).map(|number| tls(number, &format!("bucket-{number}.s3.example"))).collect();
    assert!(!learned(LearnOptions::default(), &records).contains('*'));
    let fold = |names| LearnOptions { fold: Some(Fold { names }), ..LearnOptions::default() };
    let text = learned(fold(4), &records);
    assert!(text.contains("- \"*.s3.example\"  # 4 times"), "{text}");
    assert!(!learned(fold(5), &records).contains('*'));
    // Nobody wants `*.com`.
    let short: Vec<_> = (0..9).map(|number| tls(number, &format!("shop-{number}.com"))).collect();
    assert!(!learned(fold(2), &short).contains('*'));
}

#[test]
fn exceptions_are_not_learned_but_told_and_addresses_that_are_not_public_are_named() {
    let missing = Record { server_name: None, ..tls(0, "a.example") };
    let private = RecordDestination { address: Some([10, 9, 8, 7].into()), ..tls(0, "in.example").destination };
    let private = Record { destination: private, ..tls(1, "in.example") };
    let bare = RecordDestination { host: None, by_address: true, verified: None, ..tls(0, "x.example").destination };
    let bare = Record { destination: bare, protocol: Some(RecordProtocol::Tcp), server_name: None, ..tls(2, "x") };
    let text = learned(LearnOptions::default(), &[missing, private, bare]);
    assert!(text.contains("# 1 of them would be refused without `exceptions: [MissingSNI]`"), "{text}");
    assert!(!text.contains("\n    exceptions:"), "{text}");
    assert!(text.contains("      within:\n      - \"10.9.8.7/32\"\n"), "{text}");
    assert!(text.contains("; not public (private)"), "{text}");
    assert!(text.contains("      networks:\n      - \"93.184.215.14/32\""), "{text}");
}

fn gateways(rules: Vec<EgressRule>) -> BTreeMap<GatewayId, Policies> {
    let policy = EgressPolicy {
        generation: 2,
        mode: EgressMode::Enforce,
        subjects: vec![EgressSubject::ServiceAccount(ObjectName::new("shop", "cart"))],
        rules,
    };
    let id = EgressPolicyId(ObjectName::new("shop", "cart"));
    let config = EgressConfig { policies: [(id, Arc::new(policy))].into(), ..EgressConfig::default() };
    [(gateway(), Policies::compile(&config))].into()
}

fn allows(host: &str) -> EgressRule {
    EgressRule {
        name: None,
        action: EgressAction::Allow,
        destination: Destination::Hosts { hosts: vec![EgressHost::parse(host).unwrap()], within: Vec::new() },
        ports: Vec::new(),
        protocols: Vec::new(),
        windows: Vec::new(),
        exceptions: EgressExceptions::default(),
        reason: None,
        handling: Arc::default(),
    }
}

#[test]
fn what_would_change_is_told_with_the_rule() {
    let gateways = gateways(vec![allows("api.pay.example"), allows("new.example")]);
    let mut replay = Replay::new(&gateways);
    let refused = |host| Record { verdict: EgressAction::Deny, reason: Some("no rule".to_owned()), ..tls(0, host) };
    let unresolved = RecordDestination { address: None, verified: None, ..tls(0, "new.example").destination };
    let unresolved = Record { destination: unresolved, protocol: None, server_name: None, ..refused("new.example") };
    let fronted = Record { server_name: Some("front.example".to_owned()), ..tls(0, "api.pay.example") };
    let elsewhere = Record { gateway: Some("Gateway/egress/other".parse().unwrap()), ..tls(0, "a.example") };
    let records = [
        tls(0, "api.pay.example"),
        tls(1, "gone.example"),
        tls(2, "gone.example"),
        refused("new.example"),
        unresolved,
        refused("still.example"),
        // Policies had nothing against it: so much had left already.
        Record { reason: Some("egress_limit: no more than 1 requests a second".to_owned()), ..refused("new.example") },
        fronted,
        elsewhere,
    ];
    records.iter().for_each(|record| replay.take(record));
    let shown: Vec<_> = replay
        .changes()
        .map(|(change, seen)| (change.fate, change.place.to_string(), seen.count, change.now.clone()))
        .collect();
    let rule = "EgressPolicy/shop/cart#0@2 would, but TLS names another server (SNI) than the one that was asked for";
    assert_eq!(
        shown,
        [
            (Fate::NewlyDenied, "api.pay.example:443 (TLS)".to_owned(), 1, rule.to_owned()),
            (Fate::NewlyDenied, "gone.example:443 (TLS)".to_owned(), 2, "no rule allows it".to_owned()),
            (Fate::NewlyAllowed, "new.example:443 (TLS)".to_owned(), 1, "EgressPolicy/shop/cart#1@2".to_owned()),
            (Fate::MayBeAllowed, "new.example:443 (TCP)".to_owned(), 1, "no rule denies its name".to_owned()),
        ]
    );
    assert_eq!((replay.counts().replayed, replay.counts().changed, replay.counts().of_other_gateways), (8, 5, 1));
}

#[test]
fn a_policy_that_was_learned_would_change_nothing_for_what_it_was_learned_from() {
    let records = [tls(0, "api.pay.example"), tls(1, "id.pay.example")];
    let text = learned(LearnOptions::default(), &records);
    let doc: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let hosts = doc["spec"]["rules"][0]["to"]["hosts"].as_sequence().unwrap();
    let rules: Vec<_> = hosts.iter().map(|host| allows(host.as_str().unwrap())).collect();
    let gateways = gateways(rules);
    let mut replay = Replay::new(&gateways);
    records.iter().for_each(|record| replay.take(record));
    assert_eq!(replay.changes().count(), 0);
}

#[test]
fn what_leaves_only_because_of_a_shadow_is_counted_by_workload() {
    let mut would_deny = WouldDeny::default();
    let well = Record { shadow: Some(EgressAction::Allow), ..tls(0, "well.example") };
    for record in [well, tls(1, "a.example"), tls(2, "a.example"), tls(3, "b.example")] {
        would_deny.take(&record);
    }
    let workloads = would_deny.by_workload();
    let [(who, left, refusals)] = workloads.as_slice() else { panic!("{workloads:?}") };
    assert_eq!((who.to_string().as_str(), *left), ("shop/cart", 4));
    let shown: Vec<_> = refusals.iter().map(|refusal| (refusal.place.host.as_str(), refusal.seen.count)).collect();
    assert_eq!(shown, [("a.example", 2), ("b.example", 1)]);
}
