//! `lychgate egress`: from a log as a gate writes it to policies, and back.

use crate::support::{Running, dir, free_ports, run, run_to, text};
use lychgate_audit::{
    Log, LogSettings, Record, RecordDestination, RecordPhase, RecordProtocol, RecordSource, SigningKey, Timestamp,
};
use lychgate_ir::egress::{EgressAction, EgressMode, Percent};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

// Of RFC 8410 section 10: everybody has it.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

const GATEWAY: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: lychgate-egress}
spec: {controllerName: lychgate.dev/egress-controller}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: egress}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: out, namespace: egress}
spec:
  gatewayClassName: lychgate-egress
  addresses: [{value: 127.0.0.1}]
  infrastructure: {parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: out}}
  listeners:
  - {name: proxy, port: 3128, protocol: lychgate.dev/Proxy}
---
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {name: out, namespace: egress}
spec:
  egress:
    policies: {namespaces: {from: All}}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
spec: {serviceAccountName: cart}
status: {phase: Running, podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}]}
";

const POLICY: &str = "\
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}]
  subjects: [{serviceAccount: cart}]
  rules:
  - name: payments
    action: Allow
    to: {hosts: [api.pay.example]}
    ports: [\"443\"]
  - name: local
    action: Allow
    to: {hosts: [pay.localhost], within: [127.0.0.0/8]}
  - name: database
    action: Allow
    to: {networks: [10.2.0.0/16]}
    ports: [\"5432\"]
  - name: no-trackers
    action: Deny
    to: {hosts: [\"**.tracker.example\"]}
    reason: ask the privacy team
";

fn record(minutes: i64, host: &str) -> Record {
    Record {
        time: Timestamp::from_unix_millis(1_795_687_200_000 + minutes * 60_000),
        phase: RecordPhase::Ended,
        gateway: Some("Gateway/egress/out".parse().unwrap()),
        source: RecordSource {
            namespace: Some("shop".to_owned()),
            service_account: Some("cart".to_owned()),
            ..RecordSource::default()
        },
        destination: RecordDestination {
            host: Some(host.to_owned()),
            address: Some([93, 184, 215, 14].into()),
            port: 443,
            verified: Some(true),
            ..RecordDestination::default()
        },
        protocol: Some(RecordProtocol::Tls),
        server_name: Some(host.to_owned()),
        encrypted_hello: false,
        http: None,
        verdict: EgressAction::Allow,
        mode: EgressMode::Shadow(Percent::ALL),
        shadow: Some(EgressAction::Deny),
        rule: None,
        reason: None,
        bytes_sent: 1,
        bytes_received: 2,
        duration_ms: 3,
    }
}

fn log(records: &[Record]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::from_pem(PRIVATE).unwrap();
    let settings =
        LogSettings { dir: dir.path().to_owned(), key, max_bytes: 1 << 20, max_age: Duration::from_secs(3600) };
    let now = records[0].time;
    let mut log = Log::open(settings, now).unwrap();
    records.iter().for_each(|record| log.append(record, now).unwrap());
    log.close(now).unwrap();
    dir
}

#[test]
fn what_was_learned_is_served_as_written_and_would_change_nothing() {
    let log = log(&[record(0, "api.pay.example"), record(1, "api.pay.example"), record(2, "id.pay.example")]);
    let config = dir(&[("gateway.yaml", GATEWAY)]);
    let learned = run_to(0, &["egress", "learn", text(log.path()), "-o", text(config.path())]);
    let path = config.path().join("shop.learned-cart.yaml");
    assert_eq!(learned.stdout.trim(), text(&path));
    let checked = run_to(0, &["check", text(config.path())]);
    assert!(checked.stdout.ends_with("Everything is served as written.\n"), "{}", checked.stdout);

    // In shadow nothing is allowed by it, and the default of this Gateway denies.
    run_to(1, &["egress", "diff", text(log.path()), "--config", text(config.path())]);
    let enforced = std::fs::read_to_string(&path).unwrap().replace("mode: Shadow", "mode: Enforce");
    std::fs::write(&path, enforced).unwrap();
    let same = run_to(0, &["egress", "diff", text(log.path()), "--config", text(config.path())]);
    assert_eq!(same.stdout, "3 records were replayed, and 0 of them would end otherwise.\n");
    // It is not written over what somebody may have changed.
    let again = run(&["egress", "learn", text(log.path()), "-o", text(config.path())]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("is not overwritten"), "{}", again.stderr);
}

#[test]
fn what_would_be_refused_is_told_by_rule_and_by_workload() {
    let log = log(&[record(0, "api.pay.example"), record(1, "a.tracker.example"), record(2, "new.example")]);
    let config = dir(&[("gateway.yaml", GATEWAY), ("policy.yaml", POLICY)]);
    let diff = run_to(1, &["egress", "diff", text(log.path()), "--config", text(config.path())]);
    for line in [
        "- newly denied: shop/cart to a.tracker.example:443 (TLS), once, 2026-11-26T10:01:00.000Z",
        "    now: EgressPolicy/shop/cart#3(no-trackers)@1: ask the privacy team",
        "- newly denied: shop/cart to new.example:443 (TLS), once, 2026-11-26T10:02:00.000Z",
        "    now: no rule allows it",
        "3 records were replayed, and 2 of them would end otherwise.",
    ] {
        assert!(diff.stdout.contains(line), "{line}: {}", diff.stdout);
    }
    let report = run_to(1, &["egress", "report", text(log.path())]);
    assert!(report.stdout.starts_with("shop/cart: 3 left, 3 would be refused\n"), "{}", report.stdout);
}

#[test]
fn nothing_is_made_of_a_log_that_somebody_changed() {
    let log = log(&[record(0, "api.pay.example"), record(1, "id.pay.example")]);
    let segment = log.path().join("segment-00000001.jsonl");
    let changed = std::fs::read_to_string(&segment).unwrap().replace("api.pay.example", "api.bad.example");
    std::fs::write(&segment, changed).unwrap();
    let ended = run_to(1, &["egress", "learn", text(log.path())]);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("not whole"), "{}", ended.stderr);
}

fn ask(config: &Path, more: &[&str]) -> (bool, String) {
    let ended = run(&[&["egress", "test", "--config", text(config)], more].concat());
    assert!(matches!(ended.code, Some(0 | 1)), "{ended:#?}");
    (ended.code == Some(0), ended.stdout)
}

#[test]
fn yes_or_no_is_told_with_the_rule() {
    let config = dir(&[("gateway.yaml", GATEWAY), ("policy.yaml", POLICY)]);
    let asked = |more: &[&str]| ask(config.path(), more);
    for (more, expected, because) in [
        // This host's own name, so that nobody is asked.
        (&["--as", "shop/cart", "https://pay.localhost/v1"][..], true, "allowed by EgressPolicy/shop/cart#1(local)@1"),
        (&["--from", "10.1.0.1", "https://pay.localhost/v1"], true, "allowed by EgressPolicy/shop/cart#1(local)@1"),
        (&["--as", "shop/cart", "tcp://10.2.3.4:5432"], true, "allowed by EgressPolicy/shop/cart#2(database)@1"),
        (&["--as", "shop/cart", "tcp://10.2.3.4:22"], false, "does not hold: the rule is for another port"),
        (&["--as", "shop/cart", "dns://pay.localhost"], true, "allowed by EgressPolicy/shop/cart#1(local)@1"),
        (&["--as", "shop/cart", "https://a.tracker.example"], false, "ask the privacy team"),
        (&["--as", "shop/cart", "https://169.254.169.254/"], false, "no rule allows it"),
        (&["--as", "shop/other", "https://pay.localhost"], false, "no rule allows it"),
        (&["--identity", "spiffe://cluster.local/ns/shop/sa/cart", "https://pay.localhost"], true, "shop/cart"),
        (
            &["--identity", "spiffe://other.example/ns/shop/sa/cart", "https://pay.localhost"],
            false,
            "no rule allows it",
        ),
        (&["--from", "10.9.9.9", "https://pay.localhost"], false, "somebody unknown"),
        (&["https://pay.localhost"], false, "somebody unknown"),
    ] {
        let (allowed, said) = asked(more);
        assert_eq!(allowed, expected, "{more:?}: {said}");
        assert!(said.contains(because), "{more:?}: {said}");
    }
    let (_, json) = asked(&["--as", "shop/cart", "tcp://10.2.3.4:5432", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["allowed"], true);
}

#[test]
fn a_gateway_that_runs_says_whether_it_has_the_source_addresses() {
    let from = |addresses: &str| {
        let ports = "    ports: [\"5432\"]\n";
        let policy = POLICY.replace(ports, &format!("{ports}    sourceAddresses: {addresses}\n"));
        assert_ne!(policy, POLICY);
        let [port] = free_ports();
        let served = GATEWAY.replace("port: 3128", &format!("port: {port}"));
        let config = dir(&[("gateway.yaml", &served), ("policy.yaml", &policy)]);
        let gateway = Running::gateway(config.path(), &[]);
        let admin = format!("http://{}", gateway.admin());
        let ended = run(&["egress", "test", "--admin", &admin, "--as", "shop/cart", "tcp://10.2.3.4:5432"]);
        (ended.code, ended.stdout)
    };
    // No machine has the first one; all have the loopback; the last one may be there though no interface shows it.
    for (addresses, code, because) in [
        ("[203.0.113.0/25, '::/0']", 1, "refused, though it is allowed: the gateway that was asked has no address of"),
        ("[203.0.113.0/25, 127.0.0.0/8]", 0, "leaves from 127.0.0.1"),
        ("[203.0.113.7]", 0, "if the gateway that was asked has 203.0.113.7/32: no interface of its host shows it"),
    ] {
        let (ended, said) = from(addresses);
        assert_eq!(ended, Some(code), "{addresses}: {said}");
        assert!(said.contains(because), "{addresses}: {said}");
    }
}

#[test]
fn explain_says_the_same_of_what_leaves_as_of_what_comes_in() {
    let config = dir(&[("gateway.yaml", GATEWAY), ("policy.yaml", POLICY)]);
    for (who, url, code) in [
        (&["--as", "shop/cart"][..], "https://pay.localhost/v1", 0),
        (&["--from", "10.1.0.1"], "tcp://10.2.3.4:5432", 0),
        (&["--as", "shop/cart"], "tcp://10.2.3.4:22", 1),
        (&["--as", "shop/cart"], "dns://pay.localhost", 0),
        // Nobody is known, and the only Gateway is one through which things leave.
        (&[], "https://pay.localhost/v1", 1),
    ] {
        let explained = run_to(code, &[&["explain", text(config.path()), "--url", url], who].concat());
        let tested = run_to(code, &[&["egress", "test", "--config", text(config.path()), url], who].concat());
        // A URL is written with its path, and what is no HTTP has none.
        assert_eq!(explained.stdout, tested.stdout, "{url}");
    }
    let explained =
        run_to(1, &["explain", text(config.path()), "--url", "tcp://10.2.3.4:22", "--as", "shop/cart"]).stdout;
    for line in ["No: shop/cart to tcp://10.2.3.4:22 through Gateway/", "denied: no rule allows it", "another port"] {
        assert!(explained.contains(line), "{line}: {explained}");
    }
    let url = ["--url", "https://pay.localhost/", "--as", "shop/cart"];
    let json = run_to(0, &[&["explain", text(config.path()), "-o", "json"], &url[..]].concat()).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["allowed"], true);
    let refused = run_to(1, &[&["explain", text(config.path()), "--sni", "a.example"], &url[..]].concat());
    assert!(refused.stderr.contains("about what comes in"), "{}", refused.stderr);
    // Of a Gateway through which things come in, nobody leaves.
    let refused = run_to(1, &["explain", "examples/quickstart", "--url", "http://localhost/", "--as", "shop/cart"]);
    assert!(refused.stderr.contains("no Gateway through which things leave"), "{}", refused.stderr);
}

/// Its destinations are this host's own name, so that nobody is asked.
const CARRIED: &str = "\
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: carried, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}]
  subjects: [{serviceAccount: cart}]
  rules:
  - name: originated
    action: Allow
    to: {hosts: [originated.localhost], within: [127.0.0.0/8]}
    tls: {mode: Originate}
  - name: inside
    action: Allow
    to: {hosts: [inside.localhost], within: [127.0.0.0/8]}
    protocols: [{type: HTTP, http: {paths: [{value: /a}]}}]
    tls: {mode: Inspect, caCertificateRefs: [{group: '', kind: ConfigMap, name: none}]}
  - name: besides
    action: Allow
    to: {hosts: [inside.localhost], within: [127.0.0.0/8]}
    protocols: [{type: HTTP, http: {paths: [{value: /b}]}}]
  - name: secret
    action: Allow
    to: {hosts: [secret.localhost], within: [127.0.0.0/8]}
    credential: {header: X-Key, secretRef: {name: tokens, key: one}}
  - name: elsewhere
    action: Allow
    to: {networks: [192.0.2.0/24, '2001:db8::/32']}
    sourceAddresses: [198.51.100.0/24, 203.0.113.7]
  - name: beyond
    action: Allow
    to: {hosts: [beyond.invalid]}
    via: {type: HTTP, host: proxy.invalid, port: 3128}
  - name: bounded
    action: Allow
    to: {hosts: [bounded.localhost], within: [127.0.0.0/8]}
    limits: {connections: 5}
---
apiVersion: v1
kind: Secret
metadata: {name: tokens, namespace: shop}
stringData: {one: abc}
";

#[test]
fn what_the_gate_cannot_carry_as_a_rule_says_is_no() {
    let config = dir(&[("gateway.yaml", GATEWAY), ("policy.yaml", CARRIED)]);
    for (more, expected, because) in [
        (&["http://originated.localhost/"][..], true, "#0(originated)"),
        (&["https://originated.localhost/"], false, "the gate itself speaks TLS with this destination"),
        // Its authority is missing, and so nothing is looked into, whichever rule allows what is inside.
        (&["https://inside.localhost/a"], false, "ConfigMap shop/none does not exist"),
        (&["https://inside.localhost/b"], false, "ConfigMap shop/none does not exist"),
        // In the clear there is nothing to look into.
        (&["http://inside.localhost/a"], true, "#1(inside)"),
        (&["http://secret.localhost/"], true, "#3(secret)"),
        (&["http://secret.localhost/", "--method", "TRACE"], false, "TRACE would return the credential"),
        (&["tcp://192.0.2.1:443"], true, "what the replica has of 198.51.100.0/24, 203.0.113.7/32; from nothing else"),
        (&["tcp://[2001:db8::1]:443"], false, "none of its source addresses is of the family of 2001:db8::1"),
    ] {
        let (allowed, said) = ask(config.path(), &[&["--as", "shop/cart"], more].concat());
        assert_eq!(allowed, expected, "{more:?}: {said}");
        assert!(said.contains(because), "{more:?}: {said}");
    }
}

#[test]
fn what_policies_alone_do_not_decide_is_told_as_a_condition() {
    let config = dir(&[("gateway.yaml", GATEWAY), ("policy.yaml", CARRIED)]);
    for (url, conditions) in [
        // Nobody is asked for its address, and it has none.
        ("http://beyond.invalid/", &["the proxy proxy.invalid:3128 (CONNECT) finds the address and dials it"][..]),
        ("http://bounded.localhost/", &["the limits of the rule leave room"]),
        ("dns://bounded.localhost", &[]),
        ("http://secret.localhost/", &[]),
    ] {
        let (allowed, said) = ask(config.path(), &["--as", "shop/cart", url]);
        assert!(allowed, "{url}: {said}");
        let told: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("    if ")).collect();
        assert_eq!(told, conditions, "{url}: {said}");
        let (_, json) = ask(config.path(), &["--as", "shop/cart", url, "-o", "json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["ways"][0]["conditions"], serde_json::json!(conditions), "{url}: {json}");
    }
}
