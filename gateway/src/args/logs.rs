//! How to log.

use clap::{Args, ValueEnum};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// How to log.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logs, which go to standard error")]
pub struct LogArgs {
    /// How logs are written.
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// What is logged: a level, or levels by target, as in `info,lychgate_engine=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "LYCHGATE_LOG", default_value = "info")]
    log: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl LogArgs {
    /// From here on, logs are written.
    pub fn init(&self) {
        // Pingora logs what we log ourselves, in words of its own; its errors are enough.
        let filter = EnvFilter::try_new(format!("pingora_core=error,pingora_proxy=error,{}", self.log));
        let (filter, error) = match filter {
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
