//! References as Markdown, made from the programs themselves: `docs/reference/cli.md`, `docs/reference/gateway.md`,
//! `docs/reference/metrics.md`, the tables of `docs/errors.md`.

use crate::Cli;
use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory, ValueEnum};
use lychgate_gateway::args::GatewayArgs;
use lychgate_gateway::{AboutReason, MetricDoc, Metrics, Reason};
use std::fmt::Write;
use std::process::ExitCode;

/// What there is a reference of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Of {
    /// The commands.
    #[default]
    Commands,
    /// The data plane of a cluster: `lychgate-gateway`.
    Gateway,
    /// The metrics.
    Metrics,
    /// The reasons of refusals and failures: the rows of the table.
    Reasons,
}

/// Prints it.
pub(crate) fn print(of: Of) -> anyhow::Result<ExitCode> {
    crate::terminal::print(&match of {
        Of::Commands => markdown(),
        Of::Gateway => gateway(),
        Of::Metrics => metrics(),
        Of::Reasons => reasons(),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The texts are those of `/metrics` itself.
fn metrics() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         <!-- Made by `lychgate reference metrics`; a test holds it to the program. To write it anew:\n     \
         cargo run -p lychgate-cli -- reference metrics > docs/reference/metrics.md -->\n\n\
         Served on the admin port under `/metrics`, in the text format of Prometheus. Series go with what they count. So \
         many listeners, rules and backends (`--metrics-scopes`, 100 of each) have series of their own; the rest of each \
         kind shares one, labelled `_other`. The first ten rules and the first ten backends that are asked for anything \
         have theirs at once, others with their thousandth request, attempt or stream \
         ([why](../decisions/0020-series.md)).\n\n\
         | metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for MetricDoc { name, kind, labels, help } in Metrics::docs() {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(" "));
    }
    text
}

/// Rows of two tables: those that clients see with a status, then those that only logs have.
fn reasons() -> String {
    let row = |reason: &Reason| {
        let AboutReason { word, status, blame, meaning, hint } = reason.about();
        match status {
            Some(status) => format!("| {status} | `{word}` | {blame} | {meaning} | {hint} |\n"),
            None => format!("| `{word}` | {blame} | {meaning} | {hint} |\n"),
        }
    };
    Reason::ALL.iter().map(row).collect()
}

fn markdown() -> String {
    let mut root = Cli::command();
    // Fills in what clap adds by itself, so that usages are complete.
    root.build();
    let mut text = String::from(
        "# Commands\n\n\
         <!-- Made by `lychgate reference`; a test holds it to the program. To write it anew:\n     \
         cargo run -p lychgate-cli -- reference > docs/reference/cli.md -->\n\n",
    );
    describe(&mut text, &root, Name::AsTyped, false);
    describe_subcommands(&mut text, &root);
    text
}

/// The subcommands of a command, each with its own right after it.
fn describe_subcommands(text: &mut String, command: &Command) {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        describe(text, command, Name::AsTyped, true);
        describe_subcommands(text, command);
    }
}

/// How a command is called: clap joins a command and its subcommand with a hyphen.
#[derive(Clone, Copy)]
enum Name {
    AsItIs,
    AsTyped,
}

fn gateway() -> String {
    let mut root = GatewayArgs::command();
    root.build();
    let mut text = String::from(
        "# Data planes of a cluster\n\n\
         <!-- Made by `lychgate reference gateway`; a test holds it to the program. To write it anew:\n     \
         cargo run -p lychgate-cli -- reference gateway > docs/reference/gateway.md -->\n\n\
         How the config comes to it: [the feed](../feed.md).\n\n",
    );
    describe(&mut text, &root, Name::AsItIs, false);
    text
}

/// One command: what it is for, how it is called, what it takes. Writing to a String cannot fail.
fn describe(text: &mut String, command: &Command, name: Name, is_subcommand: bool) {
    let of = command.get_display_name().unwrap_or_else(|| command.get_name());
    let name = match name {
        Name::AsItIs => of,
        Name::AsTyped => command.get_bin_name().unwrap_or(of),
    };
    let _ = writeln!(text, "## {name}\n");
    let about = command.get_long_about().or_else(|| command.get_about()).map(plain).unwrap_or_default();
    // Indented lines are columns, which Markdown would run together.
    match about.lines().any(|line| line.starts_with(' ')) {
        true => fenced(text, &about),
        false => {
            let _ = writeln!(text, "{}\n", escaped(&about));
        }
    }
    let usage = plain(&command.clone().render_usage());
    fenced(text, usage.trim_start_matches("Usage: ").trim());
    let arguments = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
        // They are the same for all.
        .filter(|arg| !(is_subcommand && arg.is_global_set()));
    let mut rows = arguments.map(row).peekable();
    if rows.peek().is_some() {
        text.push_str("| argument | meaning |\n|---|---|\n");
        rows.for_each(|row| text.push_str(&row));
        text.push('\n');
    }
    if let Some(after) = command.get_after_long_help().map(plain) {
        fenced(text, &after);
    }
}

fn row(arg: &Arg) -> String {
    let takes_value = arg.get_action().takes_values();
    let value = match arg.get_value_names() {
        Some(names) if takes_value => names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" "),
        Some(_) | None => String::new(),
    };
    let names = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long} {value}"),
        (Some(short), None) => format!("-{short} {value}"),
        (None, Some(long)) => format!("--{long} {value}"),
        (None, None) => value,
    };
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(plain).unwrap_or_default();
    let mut help = escaped(help.trim()).replace('\n', " ");
    if !help.ends_with('.') {
        help.push('.');
    }
    if takes_value {
        more(&mut help, arg);
    }
    format!("| `{}` | {help} |\n", names.trim())
}

/// Values, default, environment.
fn more(help: &mut String, arg: &Arg) {
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({})", value.get_name(), plain(help).trim_end_matches('.')),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !values.is_empty() {
        let _ = write!(help, " One of {}.", escaped(&values.join(", ")));
    }
    let defaults: Vec<String> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into()).collect();
    if !defaults.is_empty() && !arg.is_hide_default_value_set() {
        let _ = write!(help, " Default: `{}`.", defaults.join(" "));
    }
    if let Some(name) = arg.get_env() {
        let _ = write!(help, " Environment: `{}`.", name.to_string_lossy());
    }
}

fn fenced(text: &mut String, content: &str) {
    let _ = writeln!(text, "```text\n{content}\n```\n");
}

fn plain(text: &StyledStr) -> String {
    text.to_string()
}

/// What Markdown would take for markup.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "\\<").replace('*', "\\*")
}
