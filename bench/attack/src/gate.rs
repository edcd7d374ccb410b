//! The gateway under attack: a process of its own, with echo servers behind it.

use anyhow::{Context, bail};
use lychgate_testkit::{Authority, free_addrs};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// The path of large responses, from a backend of their own.
pub(crate) const LARGE: &str = "/large";

/// The longest that anything may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Gate {
    /// HTTP.
    pub(crate) at: SocketAddr,
    pub(crate) https: SocketAddr,
    admin: SocketAddr,
    lychgate: Child,
    echo: Child,
    large: Child,
    pid: u32,
    _config: TempDir,
}

impl Gate {
    pub(crate) async fn start(lychgate: &Path) -> anyhow::Result<Self> {
        let [at, https, admin, echo_at, large_at] = free_addrs();
        let config = tempfile::tempdir()?;
        std::fs::write(config.path().join("config.yaml"), yaml([at, https, echo_at, large_at]))?;
        let certificate = Authority::new("attack").server(&["a.example"]).secret("default", "certificate");
        std::fs::write(config.path().join("certificate.yaml"), certificate)?;
        let start = |args: &[&str]| {
            let mut command = Command::new(lychgate);
            command.args(["--log", "error"]).args(args).stdout(Stdio::null()).kill_on_drop(true);
            command.spawn().with_context(|| lychgate.display().to_string())
        };
        let echo = start(&["echo", "--http", &echo_at.to_string()])?;
        let large = start(&["echo", "--http", &large_at.to_string()])?;
        answers(echo_at).await?;
        answers(large_at).await?;
        let dir = config.path().to_string_lossy().into_owned();
        let child = start(&["run", "--config", &dir, "--admin", &admin.to_string(), "--drain", "1"])?;
        let pid = child.id().context("the gateway ended at once")?;
        answers(at).await?;
        Ok(Self { at, https, admin, lychgate: child, echo, large, pid, _config: config })
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

    /// Connections that are open now.
    pub(crate) async fn open(&self) -> anyhow::Result<u64> {
        let text = self.metrics().await?;
        let open = text.lines().filter(|line| line.starts_with("lychgate_connections_open{"));
        Ok(open.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
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

/// Two listeners, a backend for whoever asks properly, and one for [`LARGE`]: what attackers have of theirs is no measure
/// of the gateway.
fn yaml([http, https, echo, large]: [SocketAddr; 4]) -> String {
    let (http, https) = (http.port(), https.port());
    let route = format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: default}}
spec:
  gatewayClassName: lychgate
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners:
    - {{name: http, protocol: HTTP, port: {http}}}
    - {{name: https, protocol: HTTPS, port: {https}, tls: {{certificateRefs: [{{name: certificate}}]}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: it, namespace: default}}
spec:
  parentRefs: [{{name: gw}}]
  rules:
    - backendRefs: [{{name: it, port: 80}}]
    - matches: [{{path: {{type: PathPrefix, value: {LARGE}}}}}]
      backendRefs: [{{name: large, port: 80}}]
"
    );
    route + &backend("it", echo.port()) + &backend("large", large.port())
}

fn backend(name: &str, port: u16) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{{addresses: [127.0.0.1]}}]
ports: [{{name: http, port: {port}}}]
"
    )
}
