//! `lychgate status`, and asking a cluster in the place of a directory

use crate::support::{Running, dir, free_ports, run_to, text};
use crate::yaml::{gateway, route};
use serde_json::Value;

#[test]
fn what_a_gateway_says_of_its_objects_is_shown_and_problems_alone_if_asked_for() {
    let [port] = free_ports();
    let well = gateway("gw", &[("http", "HTTP", port)]) + &route("moved", "gw");
    let dir = dir(&[("site.yaml", &(well + &route("lost", "nowhere")))]);
    let running = Running::gateway(dir.path(), &[]);
    let admin = format!("http://{}", running.admin());
    let all = run_to(1, &["status", "--admin", &admin]).stdout;
    for said in ["Gateway/default/gw\n", "✓ Programmed=True (Programmed)", "HTTPRoute/default/lost\n"] {
        assert!(all.contains(said), "{said:?} is not in\n{all}");
    }
    // The same words as of a directory.
    assert!(run_to(1, &["check", text(dir.path())]).stdout.starts_with(&all), "{all}");
    let wrong = run_to(1, &["status", "--admin", &admin, "--problems"]).stdout;
    assert!(wrong.contains("HTTPRoute/default/lost") && !wrong.contains("Gateway/default/gw\n"), "{wrong}");
    let json = run_to(1, &["status", "--admin", &admin, "--problems", "-o", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["items"].as_array().unwrap().len(), 1, "{json:#}");
    assert_eq!(json["items"][0]["metadata"]["name"], "lost", "{json:#}");
}

#[test]
fn nothing_is_wrong_where_all_is_served() {
    let [port] = free_ports();
    let dir = dir(&[("site.yaml", &(gateway("gw", &[("http", "HTTP", port)]) + &route("moved", "gw")))]);
    let running = Running::gateway(dir.path(), &[]);
    let admin = format!("http://{}", running.admin());
    assert_eq!(run_to(0, &["status", "--admin", &admin, "--problems"]).stdout, "Nothing is wrong.\n");
}

#[test]
fn a_directory_or_a_cluster_is_asked_and_not_both() {
    let ask: [&[&str]; 3] = [
        &["check", "examples/quickstart", "--cluster"],
        &["explain", "examples/quickstart", "--cluster", "--url", "http://localhost/"],
        &["check", "examples/quickstart", "--kubeconfig", "/nowhere"],
    ];
    for args in ask {
        let ended = run_to(2, args);
        assert!(ended.stderr.contains("cannot be used with"), "{}", ended.stderr);
    }
}

#[test]
fn a_cluster_that_cannot_be_found_is_said_with_the_file() {
    let ended = run_to(1, &["check", "--cluster", "--kubeconfig", "/nowhere/config"]);
    assert!(ended.stderr.contains("/nowhere/config: "), "{}", ended.stderr);
}

#[test]
fn a_cluster_that_does_not_answer_is_not_taken_for_an_empty_one() {
    let [port] = free_ports();
    let config = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:{port}\"}}}}]\nusers: \
         [{{name: u, user: {{}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
    );
    let dir = dir(&[("config", &config)]);
    let file = dir.path().join("config");
    let ended = run_to(1, &["check", "--cluster", "--kubeconfig", text(&file), "--patience", "1"]);
    assert!(ended.stderr.contains("did not tell everything within 1 s"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn one_gateway_of_several_can_be_asked() {
    let [one, other] = free_ports();
    let site = gateway("one", &[("http", "HTTP", one)])
        + &gateway("other", &[("http", "HTTP", other)])
        + &route("moved", "other");
    let dir = dir(&[("site.yaml", &site)]);
    let url = format!("http://127.0.0.1:{other}/old");
    let ask = |gateway: &str, code| run_to(code, &["explain", text(dir.path()), "--url", &url, "--gateway", gateway]);
    assert!(ask("default/other", 0).stdout.contains("HTTPRoute/default/moved"));
    assert!(ask("default/one", 1).stdout.contains("No listener has this port"));
    let ended = ask("default/none", 1);
    assert!(ended.stderr.contains("default/one, default/other"), "{}", ended.stderr);
}
