//! The references of the program are the program's own words: `LYCHGATE_BLESS=1 cargo test -p lychgate-control --test
//! reference` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clap::builder::StyledStr;
use clap::{Arg, CommandFactory};
use lychgate_control::args::Args;
use lychgate_control::observe::Metrics;
use std::fmt::Write;
use std::path::Path;

const HOW: &str = "<!-- Made from the program; a test holds it to it. To write it anew:\n     LYCHGATE_BLESS=1 cargo test \
                   -p lychgate-control --test reference -->";

fn hold(page: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(page);
    if std::env::var_os("LYCHGATE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(there, text, "{page} is not what the program says; LYCHGATE_BLESS=1 writes it anew");
}

#[test]
fn of_metrics() {
    let mut text = format!(
        "# Metrics of the control plane\n\n{HOW}\n\nServed by `lychgate-control` on its admin port under `/metrics`, in the \
         text format of Prometheus.\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n"
    );
    for doc in Metrics::docs() {
        let labels: Vec<String> = doc.labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(text, "| `{}` | {} | {} | {} |", doc.name, doc.kind, labels.join(" "), doc.help).unwrap();
    }
    hold("control-metrics.md", &text);
}

#[test]
fn of_arguments() {
    let mut command = Args::command();
    command.build();
    let about = command.get_about().map(StyledStr::to_string).unwrap_or_default();
    let mut text = format!("# lychgate-control\n\n{HOW}\n\n{about}\n\n| argument | meaning |\n|---|---|\n");
    for arg in command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
        text.push_str(&row(arg));
    }
    hold("control.md", &text);
}

fn row(arg: &Arg) -> String {
    let value = arg.get_value_names().filter(|_| arg.get_action().takes_values()).and_then(|names| names.first());
    let value = value.map(|name| format!(" <{name}>")).unwrap_or_default();
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(StyledStr::to_string).unwrap_or_default();
    let mut help = help.trim().replace('|', "\\|").replace('<', "\\<").replace('\n', " ");
    if !help.ends_with('.') {
        help.push('.');
    }
    if arg.get_action().takes_values() {
        let values: Vec<String> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if !values.is_empty() {
            write!(help, " One of {}.", values.join(", ")).unwrap();
        }
        if let [default] = arg.get_default_values() {
            write!(help, " Default: `{}`.", default.to_string_lossy()).unwrap();
        }
        if let Some(name) = arg.get_env() {
            write!(help, " Environment: `{}`.", name.to_string_lossy()).unwrap();
        }
    }
    format!("| `--{}{value}` | {help} |\n", arg.get_long().unwrap_or_default())
}
