//! `lychgate blame`

use crate::support::{Running, dir, free_ports, get, run_to, run_with, text, until};
use crate::yaml::{backed, gateway, route};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A gateway whose log has a redirect, a request that no rule takes, and one whose backend is not there.
struct Logged {
    dir: TempDir,
    port: u16,
    gateway: Running,
}

impl Logged {
    fn serve(format: &str) -> Self {
        let [port, dead] = free_ports();
        let site = gateway("gw", &[("http", "HTTP", port)])
            + &route("moved", "gw")
            + &backed("db", "gw", dead)
                .replace("rules: [{backendRefs", "rules: [{matches: [{path: {value: /db}, method: GET}], backendRefs");
        let dir = dir(&[("site.yaml", &site)]);
        let log = dir.path().join("access.log");
        let more = ["--access-log", text(&log), "--access-log-format", format];
        let gateway = Running::gateway(dir.path(), &more);
        let address = ([127, 0, 0, 1], port).into();
        for (path, status) in [("/old", 302), ("/nowhere", 404), ("/db/x?y=1", 502)] {
            assert_eq!(get(address, path).0, status, "{path}");
        }
        let logged = Self { dir, port, gateway };
        until("all is logged", || logged.lines().len() == 3);
        logged
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("access.log")
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        if text.ends_with('\n') { text.lines().map(str::to_owned).collect() } else { Vec::new() }
    }
}

/// The id in a line of JSON.
fn id(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    line["request_id"].as_str().unwrap().to_owned()
}

fn assert_all(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
}

#[test]
fn the_object_the_generation_and_who_is_to_blame_are_named() {
    let logged = Logged::serve("json");
    let (log, config) = (logged.log(), text(logged.dir.path()));
    let lines = logged.lines();
    let ask = |line: usize| {
        let id = id(&lines[line]);
        run_to(0, &["blame", &id, "--access-log", text(&log), "--config", config]).stdout
    };
    let site = logged.dir.path().join("site.yaml");
    let moved = ask(0);
    assert_all(
        &moved,
        &[
            "GET /old for 127.0.0.1",
            ": 302 (id ",
            "Decided by HTTPRoute/default/moved, generation 1, rule 0 (moved).",
            "Nobody is to blame: a filter of the rule answered 302.",
            &format!("Config: {}:10:1: HTTPRoute/default/moved. Its file has not changed since.", site.display()),
            "It asks for path prefix `/old`.",
            "Filter: answer 302, a redirect to path /new",
            "answered by the same rule.",
        ],
    );
    assert_all(
        &ask(1),
        &[
            "Decided by Gateway/default/gw/http, which had no rule for it.",
            "To blame: client (no_route)",
            "Try: `lychgate explain`",
            ":1:1: Gateway/default/gw.",
            "answered by no rule, as before.",
        ],
    );
    assert_all(
        &ask(2),
        &[
            "GET /db/x?y=1",
            "Decided by HTTPRoute/default/db, generation 1, rule 0.",
            "To blame: backend (upstream_error)",
            "Here: ",
            "Try: the backend's log.",
            "Backend: Service/default/db:80, endpoint 127.0.0.1:",
            "3 attempts.",
            "ms waiting",
            "It asks for path prefix `/db`, method GET.",
            "Backend: Service/default/db:80, weight 1.",
        ],
    );
}

#[test]
fn a_change_since_then_is_told() {
    let logged = Logged::serve("json");
    let config = text(logged.dir.path());
    let line = &logged.lines()[0];
    let site = logged.dir.path().join("site.yaml");
    let changed = std::fs::read_to_string(&site).unwrap().replace("value: /old", "value: /older");
    std::fs::write(&site, changed).unwrap();
    until("the change is live", || get(([127, 0, 0, 1], logged.port).into(), "/older").0 == 302);
    let admin = format!("http://{}", logged.gateway.admin());
    let told = run_to(0, &["blame", line, "--config", config, "--admin", &admin]).stdout;
    assert_all(&told, &["generation 1, rule 0 (moved). The gateway serves generation 2 now."]);
    assert_all(&told, &["Its file has changed since, at 2", "path prefix `/older`", "answered by no rule."]);
    // And now that the log has a line of the new generation, that is what decided.
    until("it is logged", || logged.lines().last().is_some_and(|line| line.contains("moved#0(moved)@2")));
    let told = run_to(0, &["blame", logged.lines().last().unwrap(), "--admin", &admin]).stdout;
    assert_all(&told, &["moved, generation 2, rule 0 (moved). The gateway still serves this generation."]);
    std::fs::write(&site, gateway("gw", &[("http", "HTTP", logged.port)])).unwrap();
    let told = run_to(0, &["blame", line, "--config", config]).stdout;
    assert_all(&told, &["HTTPRoute/default/moved is not there any more."]);
}

#[test]
fn lines_as_text_and_from_standard_input_say_the_same() {
    let logged = Logged::serve("text");
    let lines = logged.lines();
    let all = run_with(&(lines.join("\n") + "\nwhatever this is\n"), &["blame", "-"]);
    assert_eq!(all.code, Some(0), "{all:#?}");
    assert_eq!(all.stdout.matches("Decided by ").count(), 3, "{}", all.stdout);
    assert!(all.stderr.contains("line 4 is no line of an access log"), "{}", all.stderr);
    let one_by_one: Vec<String> = lines.iter().map(|line| run_to(0, &["blame", line]).stdout).collect();
    assert_eq!(all.stdout, one_by_one.join("\n"));
    let json = run_to(0, &["blame", &lines[2], "--config", text(logged.dir.path()), "-o", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["decided"]["object"], "HTTPRoute/default/db", "{json:#}");
    assert_eq!((&json["decided"]["generation"], &json["decided"]["rule"]), (&1.into(), &0.into()), "{json:#}");
    assert_eq!((&json["blame"]["who"], &json["blame"]["reason"]), (&"backend".into(), &"upstream_error".into()));
    assert_eq!(
        (&json["config"]["object"], &json["config"]["changedSince"]),
        (&"HTTPRoute/default/db".into(), &false.into())
    );
    assert_eq!(json["line"]["status"], "502", "{json:#}");
}

#[test]
fn a_log_that_was_rotated_is_looked_into() {
    let logged = Logged::serve("json");
    let line = &logged.lines()[0];
    let before = logged.dir.path().join("access.log.1");
    std::fs::rename(logged.log(), &before).unwrap();
    std::fs::write(logged.log(), "").unwrap();
    let told = run_to(0, &["blame", &id(line), "--access-log", text(&logged.log())]).stdout;
    assert_all(&told, &["HTTPRoute/default/moved"]);
}

#[test]
fn every_reason_is_explained() {
    let rows = run_to(0, &["reference", "reasons"]).stdout;
    for row in rows.lines() {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let [.., word, who, meaning, hint] = cells.as_slice() else { panic!("{row}") };
        let word = word.trim_matches('`');
        let told = run_to(0, &["blame", &format!("status=- reason={word}")]).stdout;
        assert_all(&told, &[&format!("To blame: {who} ({word}): {meaning}."), &format!("Try: {hint}.")]);
    }
    let told = run_to(0, &["blame", r#"{"reason":"of_the_future","status":500}"#]).stdout;
    assert_all(&told, &["does not know: of_the_future"]);
    let told =
        run_to(0, &["blame", r#"{"status":503,"backend":"Service/d/b:80","rule":"HTTPRoute/d/r#1(x)@7"}"#]).stdout;
    assert_all(&told, &["it answered 503 itself", "HTTPRoute/d/r, generation 7, rule 1 (x)"]);
}

#[test]
fn what_is_not_found_ends_with_1() {
    let logs = dir(&[("access.log", "{\"request_id\":\"abc\"}\n")]);
    let log = logs.path().join("access.log");
    let nothing = run_to(1, &["blame", "ab", "--access-log", text(&log)]);
    assert_eq!((nothing.stdout.as_str(), nothing.stderr.as_str()), ("", "lychgate: nothing was found\n"));
    assert_eq!(run_with("no line\n", &["blame", "-"]).code, Some(1));
    let ended = run_to(1, &["blame", "abc"]);
    assert!(ended.stderr.contains("--access-log"), "{}", ended.stderr);
    let nowhere = text(Path::new("/nowhere/access.log"));
    assert!(run_to(1, &["blame", "abc", "--access-log", nowhere]).stderr.contains(nowhere));
    run_to(2, &["blame"]);
}
