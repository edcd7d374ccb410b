//! `lychgate check`

use crate::support::{Ended, dir, run_to, text};
use crate::yaml::{gateway, route};
use serde_json::Value;

fn check(code: i32, files: &[(&str, &str)], more: &[&str]) -> Ended {
    let dir = dir(files);
    let mut args = vec!["check", text(dir.path())];
    args.extend(more);
    run_to(code, &args)
}

#[test]
fn statuses_are_printed_as_asked() {
    let text = run_to(0, &["check", "examples/quickstart"]);
    assert!(text.stdout.contains("HTTPRoute/default/quickstart\n"), "{}", text.stdout);
    assert!(text.stdout.contains("  ✓ listener https: Programmed=True (Programmed)\n"), "{}", text.stdout);
    assert!(!text.stdout.contains('\u{1b}'), "colours in a pipe: {}", text.stdout);
    assert_eq!(text.stderr, "");

    let json: Value = serde_json::from_str(&run_to(0, &["check", "examples/quickstart", "-o", "json"]).stdout).unwrap();
    let yaml: Value = serde_yaml::from_str(&run_to(0, &["check", "examples/quickstart", "-o", "yaml"]).stdout).unwrap();
    assert_eq!(json, yaml);
    assert_eq!(json["kind"], "List");
    let route = json["items"].as_array().unwrap().iter().find(|item| item["kind"] == "HTTPRoute").unwrap();
    let condition = &route["status"]["parents"][0]["conditions"][0];
    assert_eq!((&condition["type"], &condition["status"]), (&"Accepted".into(), &"True".into()));
}

#[test]
fn the_snapshot_shows_no_secret() {
    let json = run_to(0, &["check", "examples/quickstart", "--snapshot", "-o", "json"]).stdout;
    let yaml = run_to(0, &["check", "examples/quickstart", "--snapshot"]).stdout;
    let (json, yaml): (Value, Value) = (serde_json::from_str(&json).unwrap(), serde_yaml::from_str(&yaml).unwrap());
    assert_eq!(json, yaml);
    assert_eq!(json["snapshot"]["listeners"].as_object().unwrap().len(), 2);
    let certificates = json["snapshot"]["certificates"].as_object().unwrap();
    assert!(certificates.values().all(|certificate| certificate["key_pem"] == "[redacted]"), "{certificates:#?}");
    assert!(json["endpoints"].to_string().contains("127.0.0.1:3000"), "{}", json["endpoints"]);
}

#[test]
fn a_directory_that_is_none_is_named() {
    let ended = run_to(1, &["check", "/nowhere/at/all"]);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.starts_with("lychgate: /nowhere/at/all does not exist"), "{}", ended.stderr);

    let ended = check(1, &[("readme.txt", "nothing here")], &[]);
    assert!(ended.stderr.contains("has no .yaml, .yml or .json file"), "{}", ended.stderr);

    let ended = run_to(1, &["check", "README.md"]);
    assert!(ended.stderr.contains("README.md is not a directory"), "{}", ended.stderr);
}

#[test]
fn broken_yaml_is_pointed_at_and_the_rest_is_checked() {
    let good = gateway("gw", &[("http", "HTTP", 8080)]) + &route("moved", "gw");
    let ended = check(1, &[("good.yaml", &good), ("bad.yaml", "kind: [Gateway\nmetadata: {\n")], &[]);
    assert!(ended.stderr.contains("bad.yaml:"), "{}", ended.stderr);
    assert!(ended.stdout.contains("HTTPRoute/default/moved"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("Some objects are not valid; see above.\n"), "{}", ended.stdout);
}

#[test]
fn an_object_that_is_not_valid_is_pointed_at() {
    let good = gateway("gw", &[("http", "HTTP", 8080)]);
    let bad = route("moved", "gw").replace("value: /old", "value: old");
    let ended = check(1, &[("a.yaml", &(good + &bad))], &[]);
    assert!(ended.stderr.contains("a.yaml:"), "{}", ended.stderr);
    assert!(ended.stderr.contains(": HTTPRoute/default/moved: spec.rules[0].matches[0].path"), "{}", ended.stderr);
}

#[test]
fn a_secret_that_is_no_key_pair_is_a_condition() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: pair, namespace: default}\ntype: \
                  kubernetes.io/tls\nstringData: {tls.crt: hello, tls.key: world}\n";
    let gateway = gateway("gw", &[("https", "HTTPS", 8443), ("http", "HTTP", 8080)]);
    let ended = check(1, &[("a.yaml", &(gateway + secret))], &[]);
    assert!(ended.stdout.contains("✗ listener https: ResolvedRefs=False (InvalidCertificateRef)"), "{}", ended.stdout);
    assert!(ended.stdout.contains("default/pair"), "{}", ended.stdout);
    assert!(ended.stdout.contains("✓ listener http: Programmed=True"), "one listener harms no other: {}", ended.stdout);
    assert!(!ended.stdout.contains("world"), "{}", ended.stdout);
}

#[test]
fn two_gateways_with_one_port_and_two_protocols_conflict() {
    let one = gateway("a-first", &[("http", "HTTP", 8080)]);
    let other = gateway("b-second", &[("https", "HTTPS", 8080)]);
    let ended = check(1, &[("a.yaml", &(one + &other))], &[]);
    assert!(ended.stdout.contains("✗ listener https: Conflicted=True (ProtocolConflict)"), "{}", ended.stdout);
    assert!(ended.stdout.contains("✓ listener http: Programmed=True"), "{}", ended.stdout);
}

#[test]
fn a_route_that_matches_no_listener_is_a_condition() {
    let gateway = gateway("gw", &[("http", "HTTP", 8080)]).replace("port: 8080", "port: 8080, hostname: a.example");
    let elsewhere = route("moved", "gw").replace("  rules:", "  hostnames: [b.example]\n  rules:");
    let ended = check(1, &[("a.yaml", &(gateway + &elsewhere + &route("lost", "nobody")))], &[]);
    assert!(ended.stdout.contains("Accepted=False (NoMatchingListenerHostname)"), "{}", ended.stdout);
    assert!(ended.stdout.contains("Accepted=False (NoMatchingParent)"), "{}", ended.stdout);
}

#[test]
fn several_directories_are_checked_each_by_itself() {
    let ended = run_to(1, &["check", "examples/quickstart", "/nowhere", "examples/canary"]);
    assert!(ended.stdout.starts_with("examples/quickstart\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\nexamples/canary\nGateway/default/canary\n"), "{}", ended.stdout);
    assert!(ended.stderr.contains("/nowhere does not exist"), "{}", ended.stderr);

    let yaml = run_to(0, &["check", "-o", "yaml", "examples/quickstart", "examples/canary"]).stdout;
    let json = run_to(0, &["check", "-o", "json", "examples/quickstart", "examples/canary"]).stdout;
    assert_eq!(serde_yaml::Deserializer::from_str(&yaml).count(), 2);
    let lists = serde_json::Deserializer::from_str(&json).into_iter::<Value>();
    assert_eq!(lists.map(|list| list.unwrap()["kind"] == "List").collect::<Vec<_>>(), [true, true]);
}

#[test]
fn other_kinds_are_told_of_and_passed_over() {
    let other = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop, namespace: default}\n---\n";
    let ended = check(0, &[("a.yaml", &(other.to_owned() + &gateway("gw", &[("http", "HTTP", 8080)])))], &[]);
    assert!(ended.stderr.contains("Deployment"), "{}", ended.stderr);
}
