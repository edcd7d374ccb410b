//! The examples: `lychgate check` finds nothing, and what their comments tell a reader to run really runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lychgate_testkit::{Dial, WebSocket};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Running, free_ports, is_there, lychgate, repository, run_to, text};

/// Ports that examples use. Tests use free ones in their place.
const PORTS: [u16; 13] = [8080, 8443, 9000, 9001, 3000, 3001, 3002, 3003, 3080, 3100, 3443, 3128, 5353];

fn examples() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(repository().join("examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn every_example_is_served_as_written() {
    let examples = examples();
    assert!(examples.len() >= 6, "{examples:?}");
    for example in &examples {
        let ended = run_to(0, &["check", text(example)]);
        assert_eq!(ended.stderr, "", "{}", example.display());
        assert!(ended.stdout.ends_with("Everything is served as written.\n"), "{}", ended.stdout);
    }
    let mut all = vec!["check"];
    all.extend(examples.iter().map(|example| text(example)));
    run_to(0, &all);
}

/// Somebody who looks for a kind finds one that works.
#[test]
fn every_kind_of_route_has_an_example() {
    let mut examples = examples();
    examples.retain(|example| example.join("gateway.yaml").exists());
    let all: Vec<&str> = examples.iter().map(|example| text(example)).collect();
    let snapshot = run_to(0, &[&["check", "-o", "json"][..], &all].concat()).stdout;
    for kind in ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ListenerSet", "BackendTLSPolicy"] {
        assert!(snapshot.contains(&format!("{kind}/")) || snapshot.contains(&format!("\"{kind}\"")), "{kind}");
    }
}

#[test]
fn no_example_listens_beyond_this_machine() {
    for example in examples() {
        let snapshot = run_to(0, &["check", "--snapshot", "-o", "json", text(&example)]).stdout;
        let snapshot: serde_json::Value = serde_json::from_str(&snapshot).unwrap();
        for (name, listener) in snapshot["snapshot"]["listeners"].as_object().unwrap() {
            assert_eq!(listener["addresses"], serde_json::json!(["127.0.0.1"]), "{}: {name}", example.display());
            let port = listener["port"].as_u64().unwrap();
            assert!(PORTS.iter().any(|known| u64::from(*known) == port), "{port} is missing in PORTS");
        }
    }
}

/// A copy of an example on ports of its own.
struct Moved {
    dir: tempfile::TempDir,
    ports: BTreeMap<u16, u16>,
    /// The commands of its comments, as they are for the copy.
    commands: Vec<String>,
}

impl Moved {
    fn new(example: &Path) -> Self {
        let ports = PORTS.into_iter().zip(free_ports::<{ PORTS.len() }>()).collect();
        let mut moved = Self { dir: tempfile::tempdir().unwrap(), ports, commands: Vec::new() };
        for entry in std::fs::read_dir(example).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let written = std::fs::read_to_string(&path).unwrap();
            let elsewhere = moved.move_ports(&written);
            std::fs::write(moved.dir.path().join(path.file_name().unwrap()), &elsewhere).unwrap();
            let commands = elsewhere.lines().filter_map(command).map(str::to_owned);
            moved.commands.extend(commands);
        }
        moved
    }

    /// Only where a port stands: keys and certificates hold digits, too.
    fn move_ports(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (old, new)| {
            text.replace(&format!("port: {old}\n"), &format!("port: {new}\n"))
                .replace(&format!("number: {old}\n"), &format!("number: {new}\n"))
                .replace(&format!(":{old} "), &format!(":{new} "))
                .replace(&format!(":{old}/"), &format!(":{new}/"))
                .replace(&format!(":{old}\n"), &format!(":{new}\n"))
                .replace(&format!("/{old};"), &format!("/{new};"))
        })
    }
}

impl Moved {
    /// Runs them one after the other, as a reader would.
    fn run_script(&self, example: &Path) {
        let others = ["lychgate ", "websocat "];
        let lines = self.commands.iter().filter(|command| !others.iter().any(|other| command.starts_with(other)));
        let script: String = lines
            .map(|line| {
                let line = line.replacen("curl ", "curl --silent --show-error --fail --max-time 20 ", 1);
                line.replacen("bash ", "timeout 20 bash ", 1) + "\n"
            })
            .collect();
        // Cookie jars are written beside the copy.
        let script = script.replace(" jar", &format!(" {}", text(&self.dir.path().join("jar"))));
        let output = Command::new("sh").args(["-e", "-c", &script]).current_dir(repository()).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}:\n{script}\n{out}\n{err}", example.display());
    }
}

impl Moved {
    /// Opens the WebSockets, and says something: not everybody has a command for that.
    fn open_websockets(&self) {
        for url in self.commands.iter().filter_map(|command| command.strip_prefix("websocat ")) {
            let authority = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).unwrap();
            let dial = Dial::http1(authority.parse().unwrap());
            let said = tokio::runtime::Runtime::new().unwrap().block_on(async {
                let mut socket = WebSocket::open(&dial, url).await.unwrap();
                let said = socket.ask("hello").await.unwrap();
                socket.close().await.unwrap();
                said
            });
            assert_eq!(said, "hello", "{url}");
        }
    }
}

/// A comment that is a command, on a line of its own or after a word or two.
fn command(line: &str) -> Option<&str> {
    let comment = line.trim_start().strip_prefix('#')?.trim_start();
    ["lychgate echo ", "curl ", "cd examples/", "bash -c ", "websocat "]
        .iter()
        .find_map(|start| comment.find(start).and_then(|at| comment.get(at..)))
}

#[test]
fn what_the_comments_say_runs() {
    for example in examples() {
        let moved = Moved::new(&example);
        let echoes = moved.commands.iter().filter_map(|command| command.strip_prefix("lychgate "));
        let _echoes: Vec<Running> = echoes
            .map(|arguments| {
                let mut arguments: Vec<&str> = arguments.split_whitespace().collect();
                if !arguments.contains(&"--http") {
                    // Its default may be taken.
                    arguments.extend(["--http", "127.0.0.1:0"]);
                }
                Running::start(lychgate(&arguments), " as ")
            })
            .collect();
        let gateway = Running::gateway(moved.dir.path(), &[]);
        assert_eq!(gateway.ask("/readyz").0, 200);
        assert!(moved.commands.iter().any(|command| command.starts_with("curl ")), "{}", example.display());
        if is_there("curl") && is_there("bash") {
            moved.run_script(&example);
        }
        moved.open_websockets();
    }
}
