//! The arguments of `lychgate-control`.

use clap::{Parser, ValueEnum};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// The control plane of Lychgate: reads Gateway API objects of a cluster, tells data planes what to do, and writes
/// statuses.
#[derive(Clone, Debug, Parser)]
#[command(name = "lychgate-control", version, max_term_width = 120)]
pub(crate) struct Args {
    /// Which cluster, and who we are there. By default the pod's own, or what KUBECONFIG names.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Where the admin port listens (/livez, /readyz, /config, /metrics, /status). Keep it off the internet.
    #[arg(long, value_name = "ADDR", env = "LYCHGATE_ADMIN", default_value = "127.0.0.1:9900")]
    pub(crate) admin: SocketAddr,
    /// The namespace that the control plane is in: its Lease is there.
    #[arg(long, value_name = "NAMESPACE", env = "LYCHGATE_NAMESPACE", default_value = "lychgate-system")]
    pub(crate) namespace: String,
    /// The Lease by which replicas agree on who writes; the same for all of them, and another for each revision.
    #[arg(long, value_name = "NAME", default_value = "lychgate-control")]
    pub(crate) lease: String,
    /// Which of several control planes this is: it serves Gateways with the label `lychgate.dev/revision` of this value.
    /// Without one, those without that label.
    #[arg(long, value_name = "NAME", env = "LYCHGATE_REVISION")]
    pub(crate) revision: Option<String>,
    /// What this replica calls itself there, different from all others. By default the host's name and something random.
    #[arg(long, value_name = "NAME", env = "LYCHGATE_POD_NAME")]
    pub(crate) identity: Option<String>,
    /// How logs are written, which go to standard error.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or levels by target, as in `info,lychgate_control=debug`.
    #[arg(long, value_name = "FILTER", env = "LYCHGATE_LOG", default_value = "info")]
    pub(crate) log: String,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl Args {
    /// From here on, logs are written.
    pub(crate) fn init_logs(&self) {
        // What the client of the cluster meets is told by whoever asked it, with the object that it was about.
        let (filter, error) = match EnvFilter::try_new(format!("kube_client=off,kube_runtime=off,{}", self.log)) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new("info"), Some(error)),
        };
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
        if let Some(error) = error {
            tracing::warn!(filter = self.log, %error, "--log is no filter; logging at info");
        }
    }
}
