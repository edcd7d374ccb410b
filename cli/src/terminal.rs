//! What is written where: results to standard output, all else to standard error, colours only to a terminal.

use anyhow::Context;
use clap::ValueEnum;
use lychgate_gateway::status::Paint;
use std::io::{self, IsTerminal, Write};

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Sentences.
    Text,
    /// JSON.
    Json,
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
