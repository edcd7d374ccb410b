//! `lychgate run`

use crate::support::{Running, dir, free_ports, get, lychgate, run, run_to, text, until};
use crate::yaml::{backed, gateway, route};
use serde_json::Value;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

fn site(port: u16) -> String {
    gateway("gw", &[("http", "HTTP", port)]) + &route("moved", "gw")
}

fn address(port: u16) -> std::net::SocketAddr {
    ([127, 0, 0, 1], port).into()
}

#[test]
fn it_says_what_it_serves_and_ends_when_asked() {
    let [port] = free_ports();
    let dir = dir(&[("site.yaml", &site(port))]);
    let gateway = Running::gateway(dir.path(), &[]);
    assert!(gateway.printed.contains(&format!("http://127.0.0.1:{port}  host *  1 route")), "{}", gateway.printed);
    assert_eq!(gateway.ask("/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(get(address(port), "/old").0, 302);

    let ended = gateway.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains('\u{1b}'), "colours in a pipe: {text}");
    }
    assert!(ended.stderr.contains("config applied"), "{}", ended.stderr);
}

#[test]
fn it_takes_as_many_file_descriptors_as_it_may_have() {
    let [port] = free_ports();
    let dir = dir(&[("site.yaml", &site(port))]);
    let mut command = Command::new("sh");
    // Few for now, and more on demand: as most systems start a process.
    command.args(["-c", "ulimit -S -n 256; ulimit -H -n 4096; exec \"$0\" run --admin 127.0.0.1:0 --config \"$1\""]);
    command.args([env!("CARGO_BIN_EXE_lychgate"), text(dir.path())]);
    let gateway = Running::start(command, "/livez");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().nth(3), Some("4096"), "{line}");
    assert_eq!(gateway.end().code, Some(0));
}

#[test]
fn logs_are_json_by_flag() {
    let [port] = free_ports();
    let dir = dir(&[("site.yaml", &site(port)), ("bad.yaml", "kind: [")]);
    let gateway = Running::gateway(dir.path(), &["--log-format", "json"]);
    get(address(port), "/nowhere");
    let ended = gateway.end();
    let lines: Vec<&str> = ended.stderr.lines().filter(|line| !line.starts_with("lychgate: ")).collect();
    assert!(!lines.is_empty());
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[test]
fn a_change_is_live_and_a_broken_one_is_told() {
    let [port] = free_ports();
    let dir = dir(&[("site.yaml", &site(port))]);
    let gateway = Running::gateway(dir.path(), &[]);
    let file = dir.path().join("site.yaml");
    std::fs::write(&file, site(port).replace("/old", "/older")).unwrap();
    until("the change is live", || get(address(port), "/older").0 == 302);
    assert_eq!(get(address(port), "/old").0, 404);

    std::fs::write(&file, site(port).replace("value: /old", "value: old")).unwrap();
    let mut status = Value::Null;
    until("the mistake is told", || {
        status = serde_json::from_str(&gateway.ask("/status").1).unwrap();
        status["lastGoodKept"][0]["object"] == "HTTPRoute/default/moved"
    });
    assert!(status["diagnostics"][0].as_str().unwrap().contains("site.yaml:"), "{status:#}");
    assert_eq!(get(address(port), "/older").0, 302, "what was valid goes on");
    assert_eq!(gateway.ask("/readyz").0, 200);
}

#[test]
fn nothing_to_serve_ends_with_1() {
    let ended = run_to(1, &["run", "--admin", "127.0.0.1:0", "--config", "/nowhere"]);
    assert!(ended.stderr.contains("/nowhere does not exist"), "{}", ended.stderr);

    let empty = dir(&[]);
    let ended = run_to(1, &["run", "--admin", "127.0.0.1:0", "--config", text(empty.path())]);
    assert!(ended.stderr.contains("has no .yaml"), "{}", ended.stderr);

    let useless = dir(&[("route.yaml", &route("lost", "nobody"))]);
    let ended = run_to(1, &["run", "--admin", "127.0.0.1:0", "--config", text(useless.path())]);
    assert!(ended.stderr.contains("HTTPRoute/default/lost"), "{}", ended.stderr);
    assert!(ended.stderr.contains("can be served"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_port_in_use_is_named() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().port();
    let alone = dir(&[("site.yaml", &site(taken))]);
    let ended = run_to(1, &["run", "--admin", "127.0.0.1:0", "--config", text(alone.path())]);
    assert!(ended.stderr.contains(&format!("127.0.0.1:{taken}: cannot listen")), "{}", ended.stderr);

    // The rest is served meanwhile, and the port is taken when it is free.
    let [free] = free_ports();
    let both = gateway("gw", &[("taken", "HTTP", taken), ("free", "HTTP", free)]) + &route("moved", "gw");
    let both = dir(&[("site.yaml", &both)]);
    let gateway = Running::gateway(both.path(), &["--poll", "20"]);
    assert!(gateway.printed.contains("cannot listen"), "{}", gateway.printed);
    assert_eq!(get(address(free), "/old").0, 302);
    let status: Value = serde_json::from_str(&gateway.ask("/status").1).unwrap();
    assert_eq!(status["notListening"][0]["socket"], format!("127.0.0.1:{taken}"));
    drop(held);
    until("the port is taken", || gateway.ask("/status").1.contains("\"notListening\": []"));
    assert_eq!(get(address(taken), "/old").0, 302);
}

/// The host's trust anchors are those of the process: here they are in a file that the environment names.
#[test]
fn backends_may_be_vouched_for_by_the_hosts_own_trust_anchors() {
    let [port, backend] = free_ports();
    let certs = dir(&[]);
    let at = |name: &str| certs.path().join(name);
    for folder in ["ours", "others"] {
        run_to(0, &["certs", text(&at(folder)), "--name", "db.example"]);
    }
    let (certificate, key) = (at("ours/tls.crt"), at("ours/tls.key"));
    let https = format!("127.0.0.1:{backend}");
    let echo = ["echo", "--http", "127.0.0.1:0", "--https", &https, "--cert", text(&certificate), "--key", text(&key)];
    let _echo = Running::start(lychgate(&echo), " as ");
    let policy = "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {name: db, namespace: \
                  default}\nspec:\n  targetRefs: [{group: \"\", kind: Service, name: db}]\n  validation: \
                  {wellKnownCACertificates: System, hostname: db.example}\n---\n";
    let dir =
        dir(&[("site.yaml", &(gateway("gw", &[("http", "HTTP", port)]) + &backed("db", "gw", backend) + policy))]);
    for (anchors, status) in [("ours/ca.crt", 200), ("others/ca.crt", 502)] {
        let mut command = lychgate(&["run", "--admin", "127.0.0.1:0", "--config", text(dir.path())]);
        command.env("SSL_CERT_FILE", at(anchors)).env_remove("SSL_CERT_DIR");
        let gateway = Running::start(command, "/livez");
        assert_eq!(get(address(port), "/").0, status, "{anchors}");
        assert_eq!(gateway.end().code, Some(0));
    }
}

#[test]
fn an_admin_port_in_use_is_named() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    let [port] = free_ports();
    let dir = dir(&[("site.yaml", &site(port))]);
    let ended = run(&["run", "--admin", &taken, "--config", text(dir.path())]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&taken) && ended.stderr.contains("--admin"), "{}", ended.stderr);
}

#[test]
fn without_a_directory_the_quickstart_is_served() {
    // Its ports are fixed: where somebody has them, nothing can be shown here.
    let command = crate::support::lychgate(&["run", "--admin", "127.0.0.1:0"]);
    let all_free =
        [3000, 3001, 8080, 8443].map(|port| TcpListener::bind(("127.0.0.1", port))).iter().all(Result::is_ok);
    if !all_free {
        return;
    }
    let gateway = Running::start(command, "/livez");
    let (_, rest) = gateway.printed.split_once("The quickstart is in ").unwrap();
    let dir = std::path::PathBuf::from(rest.split_once(" until").unwrap().0);
    assert!(dir.join("routes.yaml").exists());
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!dir.exists(), "it is removed at the end");
}

/// A site with a backend that takes connections and never answers.
fn hanging() -> (tempfile::TempDir, u16, TcpListener) {
    let [port] = free_ports();
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let yaml = gateway("gw", &[("http", "HTTP", port)]) + &backed("hangs", "gw", backend.local_addr().unwrap().port());
    (dir(&[("site.yaml", &yaml)]), port, backend)
}

/// Asks, and waits until the backend has been asked.
fn hang(port: u16, backend: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = TcpStream::connect(address(port)).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    (client, backend.accept().unwrap().0)
}

#[test]
fn what_does_not_end_is_cut_at_the_deadline_and_told() {
    let (dir, port, backend) = hanging();
    let gateway = Running::gateway(dir.path(), &["--drain", "1"]);
    let _hanging = hang(port, &backend);
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains("1 connection was cut at the deadline"), "{}", ended.stderr);
}

#[test]
fn a_second_signal_ends_at_once() {
    let (dir, port, backend) = hanging();
    let gateway = Running::gateway(dir.path(), &["--drain", "3600"]);
    let _hanging = hang(port, &backend);
    gateway.signal();
    until("it drains", || gateway.ask("/readyz").0 == 503);
    until("nobody listens", || TcpStream::connect(address(port)).is_err());
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains("once more to end at once"), "{}", ended.stderr);
}

#[test]
fn load_balancers_get_time_to_notice() {
    let [port] = free_ports();
    let dir = dir(&[("site.yaml", &site(port))]);
    let gateway = Running::gateway(dir.path(), &["--drain-delay", "3600"]);
    gateway.signal();
    until("it says so", || gateway.ask("/readyz").0 == 503);
    assert_eq!(get(address(port), "/old").0, 302, "it serves meanwhile");
    let file = dir.path().join("site.yaml");
    std::fs::write(&file, site(port).replace("/old", "/older")).unwrap();
    until("a change is live", || get(address(port), "/older").0 == 302);
    assert_eq!(gateway.ask("/readyz").0, 503);
    assert_eq!(gateway.end().code, Some(0));
}

#[test]
fn the_access_log_is_whole_at_the_end() {
    let [port] = free_ports();
    let dir = dir(&[("site.yaml", &site(port))]);
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let gateway = Running::gateway(dir.path(), &["--access-log", text(&log)]);
    for _ in 0..50 {
        get(address(port), "/old");
    }
    assert_eq!(gateway.end().code, Some(0));
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 50);
}
