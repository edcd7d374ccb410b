//! A process, and what it takes: the processor and memory, its own and that of those that it started. It does not outlive us.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// The longest that anything may take to be there: 50,000 routes have to be read first.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Invocation {
    program: std::path::PathBuf,
    arguments: Vec<String>,
    /// Otherwise it runs where we do.
    processor: Option<usize>,
}

impl Invocation {
    pub(crate) fn new(program: &Path) -> Self {
        Self { program: program.to_owned(), arguments: Vec::new(), processor: None }
    }

    pub(crate) fn with<I: IntoIterator<Item = impl Into<String>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn with_path(self, path: &Path) -> Self {
        self.with([path.to_string_lossy()])
    }

    pub(crate) fn on(mut self, processor: Option<usize>) -> Self {
        self.processor = processor;
        self
    }

    fn command(&self) -> Command {
        let Self { program, arguments, processor } = self;
        // The kernel ends it with us, however we end. It is asked to end, so that it ends its own workers.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]);
        if let Some(processor) = processor {
            command.args(["taskset", "--cpu-list", &processor.to_string()]);
        }
        command.arg(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs it to its end beside us.
    pub(crate) async fn output(&self) -> anyhow::Result<String> {
        let output = self.command().output().await.with_context(|| self.program.display().to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "{} {:?}: {text}{said}", self.program.display(), self.arguments);
        // Some tell their version there.
        Ok(if text.is_empty() { said.into_owned() } else { text })
    }
}

/// A process that serves; it ends with this value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
}

impl Process {
    pub(crate) fn start(invocation: &Invocation, log: &Path) -> anyhow::Result<Self> {
        let out = std::fs::File::create(log).with_context(|| log.display().to_string())?;
        let mut command = invocation.command();
        command.stderr(out.try_clone()?).stdout(out);
        let child = command.spawn().with_context(|| invocation.program.display().to_string())?;
        let pid = child.id().context("it ended at once")?;
        Ok(Self { child, pid })
    }

    /// Waits until it accepts at `at`; `log` is where it tells why it does not.
    pub(crate) async fn accepts(&mut self, at: SocketAddr, log: &Path) -> anyhow::Result<()> {
        self.serves(at, log, async || TcpStream::connect(at).await.is_ok()).await
    }

    /// Waits until this is so.
    pub(crate) async fn serves(
        &mut self,
        at: SocketAddr,
        log: &Path,
        so: impl AsyncFn() -> bool,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !so().await {
            let ended = self.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > PATIENCE {
                anyhow::bail!("nobody listens on {at}: {}", std::fs::read_to_string(log)?);
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// The time that it spent on a processor so far, with its children.
    pub(crate) fn processor(&self) -> anyhow::Result<Duration> {
        self.all()?.into_iter().map(processor_of).sum()
    }

    /// Its memory in bytes, with its children; what is shared counts in parts.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        self.all()?.into_iter().map(memory_of).sum()
    }

    /// It, and all that it started.
    fn all(&self) -> anyhow::Result<Vec<u32>> {
        let mut all = vec![self.pid];
        let mut at = 0;
        while let Some(pid) = all.get(at).copied() {
            for task in std::fs::read_dir(format!("/proc/{pid}/task")).context("a proxy has ended")? {
                let children = std::fs::read_to_string(task?.path().join("children")).unwrap_or_default();
                all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
            at += 1;
        }
        Ok(all)
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("no pid")?;
        kill_process(pid, signal).context("a proxy has ended")
    }

    /// Ends it, and waits until it has ended: its memory is free then.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.kill();
        self.child.wait().await?;
        Ok(())
    }

    /// It first, and then those that it started: so that it starts no others.
    fn kill(&self) {
        for pid in self.all().unwrap_or_default() {
            // Who has ended already is right.
            let _ = i32::try_from(pid).ok().and_then(Pid::from_raw).map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be another's.
        if self.child.id().is_some() {
            self.kill();
        }
    }
}

fn processor_of(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("a proxy has ended")?;
    // User and system time in clock ticks, counted from behind the name, which may have spaces.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or_default()).sum::<u64>();
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn memory_of(pid: u32) -> anyhow::Result<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("a proxy has ended")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? << 10)
}

#[cfg(test)]
mod tests {
    use super::{Invocation, Process};
    use rustix::process::{Pid, Signal, WaitOptions, waitpid};
    use std::path::Path;
    use std::time::Duration;

    /// A shell, and a child of it, which waits until its input ends: never.
    async fn family(dir: &Path) -> Process {
        let waits = dir.join("waits");
        // What the shell does itself: another program would be a child of it for a while.
        let script = format!("sleep 1000 & echo $! >{}; wait", waits.display());
        let shell = Invocation::new(Path::new("sh")).with(["-c", &script]);
        let mut process = Process::start(&shell, &dir.join("log")).unwrap();
        let at = ([127, 0, 0, 1], 0).into();
        process.serves(at, &dir.join("log"), async || waits.exists()).await.unwrap();
        process
    }

    fn is_there(pid: u32) -> bool {
        // Who has ended and was not yet waited for has no command line.
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|text| !text.is_empty())
    }

    #[tokio::test]
    async fn what_it_started_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let process = family(dir.path()).await;
        let all = process.all().unwrap();
        assert_eq!(all.len(), 2, "{all:?}");
        drop(process);
        let gone = async {
            while all.iter().any(|pid| is_there(*pid)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    }

    /// The kernel tells a child when the thread that started it ends: here a thread, in a run that is killed the only one.
    #[test]
    fn it_is_told_when_we_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let killed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let process = runtime.block_on(family(&path));
            let all = process.all().unwrap();
            // As if we were killed: nobody drops anything.
            std::mem::forget(process);
            all
        });
        let all = killed.join().unwrap();
        let [shell, waiting]: [u32; 2] = all.try_into().unwrap();
        let ended = waitpid(Pid::from_raw(i32::try_from(shell).unwrap()), WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(ended.1.terminating_signal(), Some(Signal::TERM.as_raw()));
        // A shell does not end those that it started, as nginx and HAProxy do.
        let _ = rustix::process::kill_process(Pid::from_raw(i32::try_from(waiting).unwrap()).unwrap(), Signal::KILL);
    }
}
