//! What is written where: logs to standard error, colours only to a terminal.

use clap::{Args, ValueEnum};
use lychgate_gateway::status::Paint;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// How to log.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogArgs {
    /// How logs are written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
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
    pub(crate) fn init(&self) {
        // Pingora logs what we log ourselves, in words of its own; its errors are enough.
        let filter = EnvFilter::try_new(format!("pingora_core=error,pingora_proxy=error,{}", self.log));
        let filter = filter.unwrap_or_else(|error| {
            eprintln!("lychgate: --log {:?} is no filter ({error}); logging at info", self.log);
            EnvFilter::new("info")
        });
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
    }
}

/// Whether standard output may be painted (<https://no-color.org>).
pub(crate) fn paint() -> Paint {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && std::io::stdout().is_terminal() { Paint::Colours } else { Paint::Plain }
}
