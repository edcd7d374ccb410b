//! `lychgate egress report AUDIT_DIR`

use super::log::LogArgs;
use crate::terminal::{Output, paint, print};
use clap::Args;
use lychgate_replay::would_deny::{Refusal, WouldDeny};
use lychgate_replay::{Seen, Who};
use serde_json::json;
use std::fmt::Write;
use std::process::ExitCode;

/// Say what would be refused if all policies were enforced, by workload.
///
/// Counts what left only because a policy, or the default of its Gateway, is in shadow. A workload for which nothing would
/// be refused is ready to be enforced. Exits with 1 if anything would be refused.
#[derive(Clone, Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    log: LogArgs,
    /// How to print it.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let ReportArgs { log, output } = args;
    let mut would_deny = WouldDeny::default();
    log.read(&mut |record| would_deny.take(&record))?;
    let workloads = would_deny.by_workload();
    print(&match output {
        Output::Text => text(&workloads),
        Output::Json => {
            let one = |(who, left, refusals): &(Who, u64, Vec<Refusal>)| json!({ "workload": who, "left": left, "wouldDeny": refusals });
            format!("{:#}\n", json!(workloads.iter().map(one).collect::<Vec<_>>()))
        }
    })?;
    let is_ready = workloads.iter().all(|(_, _, refusals)| refusals.is_empty());
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writing to a String cannot fail.
fn text(workloads: &[(Who, u64, Vec<Refusal>)]) -> String {
    let paint = paint();
    let mut text = String::new();
    for (who, left, refusals) in workloads {
        let denied: u64 = refusals.iter().map(|refusal| refusal.seen.count).sum();
        let verdict = match denied {
            0 => paint.good("nothing would be refused"),
            _ => paint.bad(&format!("{denied} would be refused")),
        };
        let _ = writeln!(text, "{who}: {left} left, {verdict}");
        for Refusal { who: _, place, seen } in refusals {
            let seen: &Seen = seen;
            let _ = writeln!(text, "    {place}: {seen}");
        }
    }
    if workloads.is_empty() {
        text.push_str("Nothing left.\n");
    }
    text
}
