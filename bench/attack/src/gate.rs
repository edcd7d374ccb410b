//! The gateway under attack: a process of its own, with echo servers behind it.

mod config;

pub(crate) use config::{changing, secret};

use anyhow::{Context, bail};
use config::Addresses;
use lychgate_testkit::{free_addrs, free_udp_addr};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// The path of large responses, from a backend of their own.
pub(crate) const LARGE: &str = "/large";

/// Where the gateway tells what it has to say; no reader of the configuration takes it for a part of it.
const LOG: &str = "gateway.log";

/// The longest that anything may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Gate {
    /// HTTP.
    pub(crate) at: SocketAddr,
    pub(crate) https: SocketAddr,
    /// TCP, to an echo.
    pub(crate) tcp: SocketAddr,
    /// UDP, to an echo.
    pub(crate) udp: SocketAddr,
    /// Where a backend may be that comes and goes.
    pub(crate) flapping: SocketAddr,
    program: PathBuf,
    admin: SocketAddr,
    lychgate: Child,
    echo: Child,
    large: Child,
    pid: u32,
    config: TempDir,
}

impl Gate {
    pub(crate) async fn start(lychgate: &Path) -> anyhow::Result<Self> {
        let [at, https, tcp, admin, echo_at, echo_tcp, large_at, flapping] = free_addrs();
        let (udp, echo_udp) = (free_udp_addr(), free_udp_addr());
        let config = tempfile::tempdir()?;
        let addresses =
            Addresses { http: at, https, tcp, udp, echo: echo_at, echo_tcp, echo_udp, large: large_at, flapping };
        std::fs::write(config.path().join("config.yaml"), config::objects(&addresses))?;
        std::fs::write(config.path().join("certificate.yaml"), secret())?;
        let start = |args: &[&str]| start(lychgate, args, Stdio::inherit());
        let [http, raw, datagrams] = [echo_at, echo_tcp, echo_udp].map(|at| at.to_string());
        let echo = start(&["echo", "--http", &http, "--tcp", &raw, "--udp", &datagrams])?;
        let large = start(&["echo", "--http", &large_at.to_string()])?;
        answers(echo_at).await?;
        answers(large_at).await?;
        let dir = config.path().to_string_lossy().into_owned();
        // What it says of those who misbehave is much, and is looked at for the worst alone.
        let log = std::fs::File::create(config.path().join(LOG))?;
        let args = ["run", "--config", &dir, "--admin", &admin.to_string(), "--drain", "1"];
        let child = self::start(lychgate, &args, log.into())?;
        let pid = child.id().context("the gateway ended at once")?;
        answers(at).await?;
        let program = lychgate.to_owned();
        Ok(Self { at, https, tcp, udp, flapping, program, admin, lychgate: child, echo, large, pid, config })
    }

    /// Starts the backend that comes and goes; it goes with this value.
    pub(crate) async fn start_flapping(&self) -> anyhow::Result<Child> {
        let child = start(&self.program, &["echo", "--http", &self.flapping.to_string()], Stdio::inherit())?;
        answers(self.flapping).await?;
        Ok(child)
    }

    /// Writes a file of the configuration, in one moment for whoever reads it.
    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let new = self.config.path().join(format!(".{name}"));
        std::fs::write(&new, text)?;
        Ok(std::fs::rename(&new, self.config.path().join(name))?)
    }

    /// Lines of its log that tell of a panic.
    pub(crate) fn panics(&self) -> anyhow::Result<Vec<String>> {
        let text = std::fs::read_to_string(self.config.path().join(LOG))?;
        Ok(text.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect())
    }

    /// Files that it has open.
    pub(crate) fn descriptors(&self) -> anyhow::Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.pid)).context("the gateway has ended")?.count())
    }

    /// Resident memory, in KiB.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).context("the gateway has ended")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// Seconds of processor time so far.
    pub(crate) fn processor(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).context("the gateway has ended")?;
        // User and system time in clock ticks of 10 ms, counted from behind the name, which may have spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        Ok((ticks(11) + ticks(12)) / 100.0)
    }

    /// What was refused so far, by reason.
    pub(crate) async fn refused(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let text = self.metrics().await?;
        let counted = text.lines().filter_map(|line| {
            let (reason, count) = line.strip_prefix("lychgate_refused_total{reason=\"")?.split_once("\"} ")?;
            Some((reason.to_owned(), count.parse().ok()?))
        });
        Ok(counted.collect())
    }

    /// Connections of clients that are open now.
    pub(crate) async fn open(&self) -> anyhow::Result<u64> {
        self.sum(&["lychgate_connections_open{"]).await
    }

    /// Connections to backends that are open now, in use or not.
    pub(crate) async fn open_to_backends(&self) -> anyhow::Result<u64> {
        self.sum(&["lychgate_backend_connections_open{"]).await
    }

    /// Requests and attempts that are not over.
    pub(crate) async fn in_flight(&self) -> anyhow::Result<u64> {
        self.sum(&["lychgate_listener_requests_in_flight{", "lychgate_backend_requests_in_flight{"]).await
    }

    /// All values of series that begin like this.
    async fn sum(&self, beginnings: &[&str]) -> anyhow::Result<u64> {
        let text = self.metrics().await?;
        let of = text.lines().filter(|line| beginnings.iter().any(|beginning| line.starts_with(beginning)));
        Ok(of.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        let mut tcp = TcpStream::connect(self.admin).await?;
        tcp.write_all(b"GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").await?;
        let mut text = String::new();
        tcp.read_to_string(&mut text).await?;
        Ok(text)
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.lychgate.kill().await?;
        self.echo.kill().await?;
        self.large.kill().await?;
        Ok(())
    }
}

fn start(program: &Path, args: &[&str], log: Stdio) -> anyhow::Result<Child> {
    let mut command = Command::new(program);
    command.args(["--log", "error"]).args(args).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    command.spawn().with_context(|| program.display().to_string())
}

async fn answers(at: SocketAddr) -> anyhow::Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(at).await.is_err() {
        if begun.elapsed() > PATIENCE {
            bail!("nobody listens on {at}");
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
