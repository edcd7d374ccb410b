//! What is written where: results to standard output, all else to standard error, colours only to a terminal.

use anyhow::Context;
use clap::{Args, ValueEnum};
use lychgate_gateway::status::Paint;
use std::io::{self, IsTerminal, Write};
use tracing_subscriber::EnvFilter;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Sentences.
    Text,
    /// JSON.
    Json,
}

/// How to log.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logs, which go to standard error")]
pub(crate) struct LogArgs {
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
    pub(crate) fn init(&self) {
        // Pingora logs what we log ourselves, in words of its own; its errors are enough.
        let filter = EnvFilter::try_new(format!("pingora_core=error,pingora_proxy=error,{}", self.log));
        let filter = filter.unwrap_or_else(|error| {
            complain(&format!("lychgate: --log {:?} is no filter ({error}); logging at info\n", self.log));
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

/// Prints a result. Who reads it through a pipe and has seen enough ends it without an error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output takes nothing"),
    }
}

/// Says what is wrong.
pub(crate) fn complain(text: &str) {
    // Nobody is there to be told.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
