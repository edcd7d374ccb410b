//! `lychgate diff`

use crate::support::{Running, dir, free_ports, run_to, text};
use crate::yaml::{backed, gateway, route};
use serde_json::{Value, json};

/// A gateway that serves a directory, which stays as it is.
struct Served {
    _dir: tempfile::TempDir,
    site: String,
    gateway: Running,
}

impl Served {
    fn start() -> Self {
        let [port, backend] = free_ports();
        let site = gateway("gw", &[("http", "HTTP", port)]) + &route("moved", "gw") + &backed("db", "gw", backend);
        let dir = dir(&[("site.yaml", &site)]);
        let gateway = Running::gateway(dir.path(), &[]);
        Self { _dir: dir, site, gateway }
    }

    /// Compares with another directory.
    fn diff(&self, code: i32, site: &str, more: &[&str]) -> String {
        let other = dir(&[("site.yaml", site)]);
        let admin = format!("http://{}", self.gateway.admin());
        run_to(code, &[&["diff", text(other.path()), "--admin", &admin], more].concat()).stdout
    }
}

#[test]
fn what_is_served_already_does_not_differ() {
    let served = Served::start();
    assert_eq!(served.diff(0, &served.site, &["--exit-code"]), "Nothing would change.\n");
}

#[test]
fn what_would_come_go_and_change_is_named_with_both_values() {
    let served = Served::start();
    let other = served.site.replace("value: /old", "value: /older").replace("name: moved", "name: gone")
        + &route("moved", "gw").replace("value: /old", "value: /new");
    let text = served.diff(0, &other, &[]);
    assert_eq!(
        text,
        "+ routes: HTTPRoute/default/gone\n\
         ~ routes: HTTPRoute/default/moved\n    \
         rules[HTTPRoute/default/moved#0(moved)].matches[0].path.Prefix: \"/old\" -> \"/new\"\n\
         1 would come, 0 would go, 1 would change.\n"
    );
}

#[test]
fn endpoints_are_compared_as_addresses() {
    let served = Served::start();
    let other = served.site.replace("addresses: [127.0.0.1]", "addresses: [127.0.0.2]");
    assert_ne!(served.site, other);
    let answer = served.diff(1, &other, &["--exit-code", "-o", "json"]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let change = &answer[0]["changes"][0];
    assert_eq!((&answer[0]["section"], &change["path"]), (&json!("endpoints"), &json!("[0]")), "{answer:#}");
    assert!(change["to"].as_str().unwrap().starts_with("127.0.0.2:"), "{answer:#}");
}

#[test]
fn a_gateway_that_is_not_there_is_said() {
    let [port] = free_ports();
    let admin = format!("http://127.0.0.1:{port}");
    let ended = run_to(1, &["diff", "examples/quickstart", "--admin", &admin]);
    assert!(ended.stderr.contains(&format!("{admin}/config cannot be read; is a gateway running")), "{}", ended.stderr);
}
