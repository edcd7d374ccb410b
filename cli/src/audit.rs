//! `lychgate audit verify DIR`

use crate::terminal::{Output, print};
use anyhow::Context;
use clap::{Args, Subcommand};
use lychgate_audit::{Digest, Report, VerifyOptions, VerifyingKey, verify};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Look into the audit log.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum AuditCommand {
    Verify(VerifyArgs),
}

const EXAMPLES: &str = "\
Examples:
  Held to the key that is known, and to a hash that was kept elsewhere:
    lychgate audit verify DIR --key audit.pub --contains HASH
  Where old segments were taken away on purpose:
    lychgate audit verify DIR --key audit.pub --first 12";

/// Find out whether an audit log is whole.
///
/// Finds the first line that was edited, dropped, repeated, moved or put in, and segments that are missing, and says where.
/// Exits with 1 if there is one. That the end was cut off right after a signature cannot be seen in the log itself: name a
/// later hash that is known from elsewhere.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
struct VerifyArgs {
    /// The directory of the log.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The public key that signs, in PEM; may repeat, where keys were changed. Without one, each segment is held to the
    /// key that it names itself, and whoever writes the whole log anew is not found.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// The first segment that has to be there.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    first: u64,
    /// The hash of a line that has to be there.
    #[arg(long, value_name = "HASH")]
    contains: Option<Digest>,
    /// How to print what is found.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Runs the command.
pub(crate) fn audit(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let AuditArgs { command } = args;
    match command {
        AuditCommand::Verify(args) => verify_dir(args),
    }
}

fn verify_dir(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let VerifyArgs { dir, keys, first, contains, output } = args;
    let keys: Vec<VerifyingKey> = keys.iter().map(|path| read_key(path)).collect::<Result<_, _>>()?;
    let are_keys_given = !keys.is_empty();
    let report = verify(dir, &VerifyOptions { keys, first: Some(*first), contains: *contains })?;
    print(&match output {
        Output::Text => text(&report, are_keys_given),
        Output::Json => serde_json::to_string_pretty(&report)? + "\n",
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn read_key(path: &Path) -> anyhow::Result<VerifyingKey> {
    let about = || path.display().to_string();
    let pem = std::fs::read_to_string(path).with_context(about)?;
    VerifyingKey::from_pem(&pem).with_context(about)
}

/// Writing to a String cannot fail.
fn text(report: &Report, are_keys_given: bool) -> String {
    let Report { segments, lines, records, dropped, unfinished, unsigned, keys, end } = report;
    let mut text = String::new();
    if let Some((first, last)) = segments {
        let _ = writeln!(text, "whole: segments {first} to {last}, {lines} lines, {records} records");
    }
    if *dropped > 0 {
        let _ = writeln!(text, "{dropped} records were dropped when they came, and the log says so");
    }
    for (segment, torn) in unfinished {
        let _ = writeln!(
            text,
            "segment {segment} was not closed ({torn} bytes of a line that is not whole): it is being written, or its writer crashed"
        );
    }
    if *unsigned > 0 {
        let _ = writeln!(text, "the last {unsigned} lines are not signed yet");
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let trust = if are_keys_given { "" } else { ", which is taken from the log itself: give --key" };
    let _ = writeln!(text, "signed by key {}{trust}", keys.join(", "));
    let _ = writeln!(text, "ends with {end}");
    text
}
