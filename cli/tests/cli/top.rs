//! `lychgate top`, at a gateway that runs.

use crate::support::{PATIENCE, Running, dir, free_ports, get, lychgate, repository, run_to};
use crate::yaml::{gateway, route};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;
use tempfile::TempDir;

/// A gateway that is asked again and again.
struct Busy {
    gateway: Running,
    enough: Arc<AtomicBool>,
    asking: Option<JoinHandle<()>>,
    _dir: TempDir,
}

impl Busy {
    fn new() -> Self {
        let [port] = free_ports();
        let dir = dir(&[("site.yaml", &(gateway("gw", &[("http", "HTTP", port)]) + &route("moved", "gw")))]);
        let gateway = Running::gateway(dir.path(), &[]);
        let enough = Arc::new(AtomicBool::new(false));
        let (done, address) = (enough.clone(), SocketAddr::from(([127, 0, 0, 1], port)));
        let asking = std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(get(address, "/old").0, 302);
            }
        });
        Self { gateway, enough, asking: Some(asking), _dir: dir }
    }

    fn admin(&self) -> String {
        format!("http://{}", self.gateway.admin())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
        if let Some(asking) = self.asking.take() {
            asking.join().unwrap();
        }
    }
}

/// The numbers of a row.
fn row<'t>(table: &'t str, name: &str) -> Vec<&'t str> {
    let row = table.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in\n{table}"));
    row.split_whitespace().collect()
}

#[test]
fn a_pipe_gets_one_plain_table() {
    let busy = Busy::new();
    let ended = run_to(0, &["top", "--once", "--interval", "0.5", "--admin", &busy.admin()]);
    let table = ended.stdout;
    assert!(!table.contains('\u{1b}'), "{table}");
    for name in ["default/gw/http", "HTTPRoute/default/moved#moved"] {
        let [rate, errors, p50, p99, ..] = row(&table, name)[..] else { panic!("{table}") };
        assert!(rate.parse::<f64>().unwrap() > 0.0, "{table}");
        assert_eq!(errors, "-", "{table}");
        assert!(p50.ends_with("ms") && p99.ends_with('s'), "{table}");
    }
    for title in ["listeners", "routes", "backends"] {
        assert!(table.lines().any(|line| line.starts_with(title) && line.contains("rate/s")), "{table}");
    }
}

#[test]
fn a_pipe_gets_a_table_each_time() {
    let busy = Busy::new();
    let admin = busy.admin();
    let mut command = lychgate(&["top", "--interval", "0.1", "--sort", "name", "--admin", &admin]);
    command.stdout(std::process::Stdio::piped());
    let mut watching = Watching(command.spawn().unwrap());
    let mut out = watching.0.stdout.take().unwrap();
    let mut text = String::new();
    let mut piece = [0; 4096];
    while text.matches("backends").count() < 3 {
        let size = out.read(&mut piece).unwrap();
        assert!(size > 0, "it ended: {text}");
        text += std::str::from_utf8(&piece[..size]).unwrap();
    }
    assert!(text.contains("by name") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_gateway_that_is_not_there_is_told() {
    let [port] = free_ports();
    let admin = format!("http://127.0.0.1:{port}");
    let ended = run_to(1, &["top", "--once", "--admin", &admin]);
    assert!(ended.stderr.contains(&admin) && ended.stderr.contains("--admin"), "{}", ended.stderr);
    run_to(2, &["top", "--admin", "https://127.0.0.1"]);
    run_to(2, &["top", "--interval", "0"]);
}

/// A command that ends with this at the latest.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A terminal of this size, and what is drawn on it.
struct Terminal {
    keyboard: File,
    /// The other end, which the command has.
    line: File,
    drawn: Arc<Mutex<String>>,
}

impl Terminal {
    fn new(columns: u16, lines: u16) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let line = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let keyboard = File::from(keyboard);
        tcsetwinsize(&keyboard, Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let drawn = Arc::new(Mutex::new(String::new()));
        let (mut screen, text) = (keyboard.try_clone().unwrap(), drawn.clone());
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // An error is the end: nobody has the other end any more.
            while let Ok(size) = screen.read(&mut piece) {
                *text.lock().unwrap() += &String::from_utf8_lossy(&piece[..size]);
            }
        });
        Self { keyboard, line, drawn }
    }

    fn run(&self, args: &[&str]) -> Watching {
        let mut command: Command = lychgate(args);
        let end = || self.line.try_clone().unwrap();
        Watching(command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap())
    }

    fn drawn(&self) -> String {
        self.drawn.lock().unwrap().clone()
    }

    fn until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !holds(&self.drawn()) {
            assert!(begun.elapsed() < PATIENCE, "{what} was never drawn: {:#?}", frame(&self.drawn()));
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
    }

    fn reads_keys(&self) -> bool {
        !tcgetattr(&self.line).unwrap().local_modes.contains(LocalModes::ICANON)
    }
}

/// The last whole frame, without its escape codes.
fn frame(drawn: &str) -> Vec<String> {
    let frames: Vec<&str> = drawn.split("\u{1b}[H").filter(|frame| frame.contains("\u{1b}[J")).collect();
    let frame = frames.last().copied().unwrap_or_default().split("\u{1b}[J").next().unwrap();
    let mut text = String::new();
    let mut rest = frame;
    while let Some((before, code)) = rest.split_once('\u{1b}') {
        text += before;
        rest = code.split_once(|each: char| each.is_ascii_alphabetic()).unwrap().1;
    }
    (text + rest).split("\r\n").map(str::to_owned).collect()
}

#[test]
fn a_terminal_is_filled_and_given_back() {
    let busy = Busy::new();
    for quit in ["q", "signal"] {
        let terminal = Terminal::new(60, 12);
        assert!(!terminal.reads_keys());
        let mut command = terminal.run(&["top", "--interval", "0.1", "--admin", &busy.admin()]);
        terminal.until("a row", |drawn| frame(drawn).iter().any(|line| line.contains("moved#moved")));
        assert!(terminal.reads_keys() && terminal.drawn().contains("\u{1b}[?1049h"));
        let lines = frame(&terminal.drawn());
        assert!(lines.len() <= 12, "{lines:#?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 60), "{lines:#?}");
        assert!(lines[0].contains("by rate"), "{lines:#?}");
        (&terminal.keyboard).write_all(b"s").unwrap();
        terminal.until("another order", |drawn| drawn.contains("by errors"));
        match quit {
            "q" => (&terminal.keyboard).write_all(b"q").unwrap(),
            _ => {
                let kill = format!("kill -TERM {}", command.0.id());
                assert!(Command::new("sh").args(["-c", &kill]).current_dir(repository()).status().unwrap().success());
            }
        }
        assert_eq!(command.0.wait().unwrap().code(), Some(0), "{quit}");
        assert!(!terminal.reads_keys(), "{quit}: the terminal is not as it was");
        terminal.until("the end", |drawn| drawn.ends_with("\u{1b}[?25h\u{1b}[?1049l"));
    }
}
