//! `lychgate egress diff AUDIT_DIR --config DIR`

use super::log::LogArgs;
use super::policies;
use crate::cluster::ClusterArgs;
use crate::terminal::{Output, paint, print};
use clap::Args;
use lychgate_replay::Seen;
use lychgate_replay::replay::{Change, Counts, Fate, Replay};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  Would these policies refuse anything that left so far?
    lychgate egress diff AUDIT_DIR --config DIR
  For a pipeline:
    lychgate egress diff AUDIT_DIR --config DIR -o json | jq '.changes[] | select(.fate == \"newlyDenied\")'";

/// Replay the audit log against other policies, and show what would change.
///
/// Reads a directory as `check` and `run` do, decides about each record anew, at its own time, and shows what would be newly
/// denied and newly allowed, by workload, destination and rule. Exits with 1 if something that left would be denied.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    log: LogArgs,
    /// The directory of the policies, with their Gateway; its folders are read, too.
    #[arg(short, long, value_name = "DIR", required_unless_present_any = ["cluster", "kubeconfig"], conflicts_with_all = ["cluster", "kubeconfig"])]
    config: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How to print what would change.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn diff(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let DiffArgs { log, config, cluster, output } = args;
    let snapshot = policies::of_objects(config.as_deref(), cluster)?;
    let gateways = policies::all(&snapshot)?;
    let mut replay = Replay::new(&gateways);
    log.read(&mut |record| replay.take(&record))?;
    let changes: Vec<(&Change, &Seen)> = replay.changes().collect();
    print(&match output {
        Output::Text => text(&changes, replay.counts()),
        Output::Json => {
            let one = |(change, seen): &(&Change, &Seen)| {
                let mut value = json!(change);
                value["seen"] = json!(seen);
                value
            };
            let changes: Vec<_> = changes.iter().map(one).collect();
            format!("{:#}\n", json!({ "changes": changes, "counts": replay.counts() }))
        }
    })?;
    let breaks = changes.iter().any(|(change, _)| change.fate == Fate::NewlyDenied);
    Ok(if breaks { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Writing to a String cannot fail.
fn text(changes: &[(&Change, &Seen)], counts: Counts) -> String {
    let paint = paint();
    let mut text = String::new();
    for (Change { fate, who, place, before, now }, seen) in changes {
        let fate = match fate {
            Fate::NewlyDenied => paint.bad("- newly denied"),
            Fate::NewlyAllowed => paint.good("+ newly allowed"),
            Fate::MayBeAllowed => paint.strong("? may be allowed"),
        };
        let _ = writeln!(text, "{fate}: {who} to {place}, {seen}\n    was: {before}\n    now: {now}");
    }
    let Counts { replayed, changed, of_other_gateways, unreadable } = counts;
    let _ = writeln!(text, "{replayed} records were replayed, and {changed} of them would end otherwise.");
    if of_other_gateways > 0 {
        let _ = writeln!(text, "{of_other_gateways} are of Gateways that are not there, and were not replayed.");
    }
    if unreadable > 0 {
        let _ = writeln!(text, "{unreadable} tell neither a host nor an address, and were not replayed.");
    }
    text
}
