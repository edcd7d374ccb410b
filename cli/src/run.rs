//! `lychgate run --config DIR`

use crate::quickstart::Quickstart;
use crate::terminal::{complain, paint, print};
use anyhow::Context;
use clap::Args;
use lychgate_echo::cli::EchoArgs;
use lychgate_gateway::Bind;
use lychgate_gateway::args::{AuditArgs, LimitArgs, TelemetryArgs};
use lychgate_gateway::process::{Signals, raise_descriptors, runtime, workers};
use lychgate_gateway::standalone::{Options, Report, Standalone, StartError};
use lychgate_gateway::status::{Paint, as_text};
use lychgate_ir::{Listener, Protocol};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  The quickstart, with backends of its own, on http://127.0.0.1:8080 and https://127.0.0.1:8443:
    lychgate run
  A directory of yours, with logs for machines:
    lychgate run --config DIR --log-format json
  What is served, and what is not, and why:
    curl http://127.0.0.1:9900/status";

/// Serve a directory of Gateway API objects.
///
/// The directory is watched: a valid change is live at once, an invalid one harms only its own object, and nothing that
/// is connected is closed. What is wrong is logged, and on the admin port under /status. SIGTERM and Ctrl-C let requests
/// finish; the second one ends at once. Exits with 1 if nothing at all can be served.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// The directory; its folders are read, too. Without one, a quickstart is served, with backends of its own.
    #[arg(short, long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Where the admin port listens (/livez, /readyz, /config, /metrics, /status). Keep it off the internet.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9900")]
    admin: SocketAddr,
    /// How often to look for changes that the system did not tell of, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    poll: u64,
    /// How long requests may go on when the process is asked to end, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
    /// How long the process still accepts when it is asked to end, in seconds, while /readyz says 503 already: as long as
    /// load balancers take to notice.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    drain_delay: u64,
    /// Take the listening sockets over from the process that was started with the same path, if one runs, and be found there
    /// by the next: an upgrade without a lost connection attempt. A socket of this name is made.
    #[arg(long, value_name = "PATH", requires = "config")]
    handover: Option<PathBuf>,
    /// How many threads serve requests, each its own connections; by default one for each processor.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(flatten)]
    audit: AuditArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    raise_descriptors();
    let runtime = runtime(args.threads).context("no threads can be started")?;
    let ended = runtime.block_on(serve(args));
    // Whatever still runs is not waited for, be it a directory that is being read.
    runtime.shutdown_background();
    ended
}

/// Runs echo servers until the process is asked to end.
pub(crate) fn echo(args: EchoArgs) -> anyhow::Result<ExitCode> {
    raise_descriptors();
    let runtime = runtime(None).context("no threads can be started")?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        lychgate_echo::cli::run(args, &mut std::io::stdout(), signals.end()).await?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn serve(args: RunArgs) -> anyhow::Result<ExitCode> {
    let RunArgs { config, admin, poll, drain, drain_delay, handover, threads, telemetry, audit, limits } = args;
    let mut signals = Signals::new()?;
    let (config, quickstart) = match config {
        Some(config) => (config, None),
        None => {
            let quickstart = Quickstart::start().await?;
            (quickstart.dir().to_owned(), Some(quickstart))
        }
    };
    let options = Options {
        config,
        admin: Some(admin),
        poll: Duration::from_millis(poll),
        drain: Duration::from_secs(drain),
        drain_delay: Duration::from_secs(drain_delay),
        handover,
        workers: workers(threads),
        limits: limits.limits(),
        metrics: telemetry.metrics(),
        access_log: telemetry.access_log()?,
        trace: telemetry.trace()?,
        audit: audit.options(telemetry.audit()?),
    };
    let started = tokio::select! {
        started = Standalone::start(options) => started,
        () = signals.end() => return Ok(ExitCode::SUCCESS),
    };
    let standalone = match started {
        Ok(standalone) => standalone,
        Err(StartError::Nothing { config, report }) => {
            complain(&as_text(&report.statuses, Paint::Plain));
            for (bind, why) in &report.unbound {
                complain(&format!("{bind}: cannot listen ({why}); end what uses the port, or change the listener\n"));
            }
            anyhow::bail!("nothing in {} can be served; the reasons are above", config.display());
        }
        Err(StartError::Unfit { report }) => {
            report.diagnostics.iter().for_each(|each| complain(&format!("{}: {each}\n", each.severity)));
            anyhow::bail!("{}; mend what is named above, then start again", StartError::Unfit { report });
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(quickstart) = &quickstart {
        print(&format!("The quickstart is in {} until this ends: change it, and see.\n", quickstart.dir().display()))?;
    }
    let serving = summary(&standalone.reports().borrow(), standalone.admin());
    print(&serving)?;
    let why = loop {
        tokio::select! {
            rotate = signals.end_or_rotate() => match rotate {
                true => standalone.reopen_access_log(),
                false => break "once more to end at once",
            },
            () = standalone.handed_over() => break "another process has taken over",
        }
    };
    complain(&format!("lychgate: letting requests finish; {why}\n"));
    tokio::select! {
        left = standalone.stop() => {
            if left > 0 {
                let were = if left == 1 { "connection was" } else { "connections were" };
                complain(&format!("lychgate: {left} {were} cut at the deadline\n"));
            }
        }
        () = signals.end() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// What is served, and where.
fn summary(report: &Report, admin: Option<SocketAddr>) -> String {
    let paint = paint();
    let mut lines = vec![paint.strong("Lychgate serves")];
    for listener in report.snapshot.listeners.values() {
        let Listener { id, addresses, port, protocol, hostname, .. } = &**listener;
        let scheme = match protocol {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Tls => "tls",
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Proxy => "proxy",
            Protocol::Transparent => "transparent",
            Protocol::Dns => "dns",
            Protocol::DnsOverTcp => "dns+tcp",
        };
        let attached =
            |route: &&std::sync::Arc<lychgate_ir::Route>| route.attachments.iter().any(|a| a.listener == *id);
        let carried = |route: &&std::sync::Arc<lychgate_ir::StreamRoute>| {
            route.attachments.iter().any(|attachment| attachment.listener == *id)
        };
        let routes = report.snapshot.routes.values().filter(attached).count()
            + report.snapshot.stream_routes.values().filter(carried).count();
        let binds = match addresses.as_slice() {
            [] => vec![Bind { address: None, port: *port, transport: protocol.transport() }],
            some => some
                .iter()
                .map(|address| Bind { address: Some(*address), port: *port, transport: protocol.transport() })
                .collect(),
        };
        for bind in binds {
            let state = match report.unbound.get(&bind) {
                Some(why) => paint.bad(&format!("cannot listen: {why}")),
                None => format!("{routes} route{}", if routes == 1 { "" } else { "s" }),
            };
            lines.push(format!("  {scheme}://{}  host {hostname}  {state}  ({id})", url(bind)));
        }
    }
    if let Some(admin) = admin {
        lines.push(format!("  http://{admin}  admin: /livez /readyz /config /metrics /status"));
    }
    let problems = report.statuses.problems().count();
    if problems > 0 || !report.diagnostics.is_empty() {
        lines.push(paint.bad(&format!(
            "{problems} conditions and {} remarks on files say what is not served as written: see /status",
            report.diagnostics.len()
        )));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn url(bind: Bind) -> String {
    match bind.address {
        Some(address) => SocketAddr::new(address, bind.port).to_string(),
        None => format!("localhost:{}", bind.port),
    }
}
