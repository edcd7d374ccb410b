//! `lychgate egress`: what leaves, learned, compared, asked about, tried.

mod diff;
mod explain;
mod learn;
mod log;
mod policies;
mod report;
mod test;
mod verify;
mod who;

pub(crate) use explain::{explain, is_about_leaving};
pub(crate) use who::WhoArgs;

use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Find out what leaves, what may, and what would.
///
/// From the audit log: `learn` writes the smallest policies for what left, `report` says what would be refused if all were
/// enforced, `diff` what would change under other policies. Without it: `test` says whether something may leave, and `verify` tries to escape.
#[derive(Clone, Debug, Args)]
pub(crate) struct EgressArgs {
    #[command(subcommand)]
    command: EgressCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum EgressCommand {
    Learn(learn::LearnArgs),
    Diff(diff::DiffArgs),
    Report(report::ReportArgs),
    Test(test::TestArgs),
    Verify(verify::VerifyArgs),
}

/// Runs the command.
pub(crate) fn egress(args: &EgressArgs) -> anyhow::Result<ExitCode> {
    let EgressArgs { command } = args;
    match command {
        EgressCommand::Learn(args) => learn::learn(args),
        EgressCommand::Diff(args) => diff::diff(args),
        EgressCommand::Report(args) => report::report(args),
        EgressCommand::Test(args) => test::test(args),
        EgressCommand::Verify(args) => verify::verify(args),
    }
}
