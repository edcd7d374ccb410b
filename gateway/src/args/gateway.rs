//! The arguments of `lychgate-gateway`.

use super::{AuditArgs, HeadersError, LimitArgs, LogArgs, TelemetryArgs};
use crate::cluster::Options;
use crate::process;
use clap::Parser;
use lychgate_feed::client::{Control, Options as FeedOptions, Pace};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A data plane of a cluster: serves what its control plane says.
///
/// It is usually started by the control plane, which sets all of these. While no control plane can be reached, it goes on
/// with what it had, and with what is in its cache after a start. SIGTERM lets requests finish; SIGUSR1 opens the access log
/// anew.
#[derive(Clone, Debug, Parser)]
#[command(name = "lychgate-gateway", version, max_term_width = 120)]
pub struct GatewayArgs {
    /// Where the control plane is: https://HOST[:PORT].
    #[arg(long, value_name = "URL", env = "LYCHGATE_CONTROL")]
    control: Control,
    /// The token of our ServiceAccount, which proves who we are; read again at each use.
    #[arg(long, value_name = "FILE", default_value = "/var/run/secrets/lychgate/token")]
    token_file: PathBuf,
    /// The authorities that the control plane's certificate may come from, PEM; read again at each connection.
    #[arg(long, value_name = "FILE", default_value = "/var/run/lychgate/ca/ca.crt")]
    trust_bundle: PathBuf,
    /// A folder that keeps the last config, so that a start without the control plane serves it. It holds private keys: a
    /// volume in memory is best.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// What this process is called among those of its data plane: the name of its pod.
    #[arg(long, value_name = "NAME", env = "POD_NAME", default_value = "lychgate-gateway")]
    instance: String,
    /// The node that it runs on.
    #[arg(long, value_name = "NAME", env = "NODE_NAME", default_value = "", hide_default_value = true)]
    node: String,
    /// Where the admin port listens (/livez, /readyz, /config, /metrics, /status). Keep it off the internet.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:9900")]
    admin: SocketAddr,
    /// How long requests may go on when the process is asked to end, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
    /// How long the process still accepts when it is asked to end, in seconds, while /readyz says 503 already: as long as
    /// load balancers take to notice.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    drain_delay: u64,
    /// How many threads serve requests, each its own connections; by default one for each processor.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(flatten)]
    audit: AuditArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    log: LogArgs,
}

impl GatewayArgs {
    /// From here on, logs are written.
    pub fn init_logs(&self) {
        self.log.init();
    }

    /// How many threads serve requests, if it was said.
    pub fn threads(&self) -> Option<u16> {
        self.threads
    }

    /// What to serve, and how.
    ///
    /// # Errors
    /// If the file with headers for collectors cannot be used.
    pub fn options(self) -> Result<Options, HeadersError> {
        let Self {
            control,
            token_file,
            trust_bundle,
            cache,
            instance,
            node,
            admin,
            drain,
            drain_delay,
            threads,
            telemetry,
            audit,
            limits,
            log: _,
        } = self;
        let feed = FeedOptions { control, token_file, trust_bundle, cache, instance, node, pace: Pace::default() };
        Ok(Options {
            feed,
            admin: Some(admin),
            drain: Duration::from_secs(drain),
            drain_delay: Duration::from_secs(drain_delay),
            workers: process::workers(threads),
            limits: limits.limits(),
            metrics: telemetry.metrics(),
            access_log: telemetry.access_log()?,
            trace: telemetry.trace()?,
            audit: audit.options(telemetry.audit()?),
        })
    }
}
