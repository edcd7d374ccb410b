//! Help, completions, man pages, and behaviour in pipes.

use crate::support::{is_there, lychgate, run_to, text};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

const COMMANDS: [&str; 7] = ["run", "check", "explain", "echo", "certs", "completions", "man"];

#[test]
fn every_command_has_help() {
    let all = run_to(0, &["--help"]).stdout;
    for command in COMMANDS {
        assert!(all.contains(&format!("\n  {command} ")), "{command} in {all}");
        for flag in ["-h", "--help"] {
            let help = run_to(0, &[command, flag]);
            assert!(help.stdout.contains(&format!("Usage: lychgate {command}")), "{}", help.stdout);
            assert!(!help.stdout.contains('\u{1b}'), "colours in a pipe: {}", help.stdout);
            assert_eq!(help.stderr, "");
        }
    }
    for command in ["run", "check", "explain", "certs", "completions"] {
        let help = run_to(0, &[command, "--help"]).stdout;
        assert!(help.contains("Examples:") && help.contains(&format!("    lychgate {command}")), "{help}");
    }
    assert!(!all.contains("reference"), "what is for makers is not shown to users: {all}");
}

#[test]
fn arguments_that_make_no_sense_end_with_2() {
    for args in [vec![], vec!["serve"], vec!["check"], vec!["explain", "."], vec!["run", "--admin", "here"]] {
        let ended = run_to(2, &args);
        assert!(ended.stderr.contains("--help"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn completions_are_valid() {
    for (shell, check) in [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")] {
        let script = run_to(0, &["completions", shell]).stdout;
        for command in COMMANDS {
            assert!(script.contains(command), "{command} for {shell}");
        }
        // The syntax is for the shell itself to judge, where it is installed.
        if !is_there(check) {
            continue;
        }
        let mut judge = Command::new(check).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        judge.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let judged = judge.wait_with_output().unwrap();
        assert!(judged.status.success(), "{shell}: {}", String::from_utf8_lossy(&judged.stderr));
    }
}

#[test]
fn man_pages_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("made/here");
    run_to(0, &["man", text(&pages)]);
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    assert!(page("lychgate.1").contains(".TH lychgate 1"), "{}", page("lychgate.1"));
    for command in COMMANDS {
        assert!(page(&format!("lychgate-{command}.1")).contains(".SH OPTIONS"), "{command}");
    }
    assert!(!pages.join("lychgate-reference.1").exists());
    // A file is in the way.
    let ended = run_to(1, &["man", text(&pages.join("lychgate.1"))]);
    assert!(ended.stderr.contains("lychgate.1"), "{}", ended.stderr);
}

#[test]
fn a_reader_may_have_seen_enough() {
    // Far more than a pipe holds, so that the command is still writing when its reader goes away.
    let mut child = lychgate(&["check", "--snapshot", "-o", "json"])
        .args(std::iter::repeat_n("examples/quickstart", 50))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn the_version_is_that_of_the_crate() {
    assert_eq!(run_to(0, &["--version"]).stdout, format!("lychgate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn certificates_are_made_for_a_config_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("gateway.yaml"), crate::yaml::gateway("gw", &[("https", "HTTPS", 8443)])).unwrap();
    let made = dir.path().join("certificate");
    run_to(1, &["check", text(dir.path())]);
    run_to(0, &["certs", text(&made), "--secret", "default/pair", "--client", "alice", "--config-map", "default/ca"]);
    run_to(0, &["check", text(dir.path())]);
    let ended = run_to(1, &["certs", text(&made)]);
    assert!(ended.stderr.contains("--force"), "{}", ended.stderr);
}
