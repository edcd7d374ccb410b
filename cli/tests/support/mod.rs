//! The command as users have it: a process, its output, its exit code.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod netns;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test waits longer for anything; nothing is expected to take so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The command, without what this shell has set for it.
pub(crate) fn lychgate(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lychgate"));
    command.args(args).current_dir(repository());
    for name in ["LYCHGATE_LOG", "NO_COLOR", "CLICOLOR_FORCE", "NAMESPACE", "INGRESS_NAME", "SERVICE_NAME", "POD_NAME"]
    {
        command.env_remove(name);
    }
    command
}

/// What it printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs it to its end.
pub(crate) fn run(args: &[&str]) -> Ended {
    lychgate(args).stdin(Stdio::null()).output().unwrap().into()
}

/// Runs it to its end with this on standard input.
pub(crate) fn run_with(input: &str, args: &[&str]) -> Ended {
    let mut command = lychgate(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // It may write while it reads.
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let ended = child.wait_with_output().unwrap().into();
    writing.join().unwrap().unwrap();
    ended
}

/// Runs it, and holds it to an exit code.
pub(crate) fn run_to(code: i32, args: &[&str]) -> Ended {
    let ended = run(args);
    assert_eq!(ended.code, Some(code), "{args:?}: {ended:#?}");
    ended
}

/// A directory with these files.
pub(crate) fn dir(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Different free ports of loopback, which nobody is given who binds port 0 meanwhile.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    lychgate_testkit::free_addrs().map(|address| address.port())
}

/// A process that runs until this is dropped.
pub(crate) struct Running {
    child: Child,
    /// What it printed until it was ready.
    pub(crate) printed: String,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts it, and waits until it has printed a line with `ready` in it.
    pub(crate) fn start(mut command: Command, ready: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while !printed.lines().last().is_some_and(|line| line.contains(ready)) {
            if lines.read_line(&mut printed).unwrap() == 0 {
                let status = child.wait().unwrap();
                panic!("it ended with {status} before it was ready: {printed}\n{}", stderr.join().unwrap());
            }
        }
        // Read on, or a full pipe would stop it.
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            lines.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, printed, stdout: Some(stdout), stderr: Some(stderr) }
    }

    /// `lychgate run` on a directory, with an admin port of its own.
    pub(crate) fn gateway(dir: &Path, more: &[&str]) -> Self {
        let mut command = lychgate(&["run", "--admin", "127.0.0.1:0", "--config", text(dir)]);
        command.args(more);
        Self::start(command, "/livez")
    }

    /// Where its admin port is.
    pub(crate) fn admin(&self) -> SocketAddr {
        let line = self.printed.lines().find(|line| line.contains("/livez")).unwrap();
        let (_, rest) = line.split_once("http://").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Asks its admin port.
    pub(crate) fn ask(&self, path: &str) -> (u16, String) {
        get(self.admin(), path)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end.
    pub(crate) fn signal(&self) {
        self.send("TERM");
    }

    /// Sends it a signal by name.
    pub(crate) fn send(&self, name: &str) {
        send(&self.child, name);
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(self) -> Ended {
        self.signal();
        self.ended()
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) -> Ended {
        let code = self.child.wait().unwrap().code();
        let stdout = self.stdout.take().unwrap().join().unwrap();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        Ended { code, stdout: self.printed.clone() + &stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(child: &Child, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(status.success());
}

/// One request on a connection of its own: status and body.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split_whitespace().nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Asks again until it holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never held: {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Whether a program is on this machine.
pub(crate) fn is_there(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
