//! `lychgate blame ID|LINE`

mod config;
mod running;
mod search;
mod verdict;

use crate::admin::AdminUrl;
use crate::terminal::{Output, complain, print};
use anyhow::{Context, bail};
use clap::Args;
use config::Config;
use lychgate_gateway::AccessLine;
use running::Running;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use verdict::Verdict;

/// A longer line is none of ours.
const LONGEST: u64 = 4 * 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  A client complains about a 503, and has the id of its request from the answer:
    lychgate blame 2e8ffb0f6abf9e7a7f9b4c5d3e1f0a6b --access-log access.log --config DIR
  The last failures, one by one:
    grep '\"status\":5' access.log | tail -n 5 | lychgate blame - --config DIR";

/// Say which object decided a request, and who is to blame for how it ended.
///
/// Takes a line of the access log, as JSON or as text, or the id of a request and the log to look in. Says which rule of
/// which object decided, in which generation; if the request failed, why, who has to do something about it, and what to
/// try; and where the time went. With --config it also says where the object is written, whether it has changed since,
/// and what would become of the same request now. Exits with 1 if nothing was found.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct BlameArgs {
    /// The id of a request, or a line of the access log; `-` reads lines from standard input.
    #[arg(value_name = "ID|LINE", allow_hyphen_values = true)]
    what: String,
    /// The access log to look for the id in, from its end; if it is not there, in FILE.1, as rotation leaves it.
    #[arg(short = 'l', long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// The directory that is served.
    #[arg(short, long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// The admin port of the running gateway: says which generation of the object it serves now.
    #[arg(long, value_name = "URL")]
    admin: Option<AdminUrl>,
    /// How to print the answer.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(crate) fn blame(args: &BlameArgs) -> anyhow::Result<ExitCode> {
    let BlameArgs { what, access_log, config, admin, output } = args;
    let config = config.as_deref().map(Config::read).transpose()?;
    let running = admin.as_ref().map(Running::ask).transpose()?;
    let mut found = 0;
    let mut tell = |line: AccessLine| {
        let verdict = Verdict::of(&line, config.as_ref(), running.as_ref());
        let gap = if found > 0 && *output == Output::Text { "\n" } else { "" };
        found += 1;
        print(&match output {
            Output::Text => format!("{gap}{verdict}"),
            Output::Json => format!("{:#}\n", verdict.to_value()),
        })
    };
    if what == "-" {
        each_line(io::stdin().lock(), &mut tell)?;
    } else if let Some(line) = AccessLine::parse(what) {
        tell(line)?;
    } else if let Some(log) = access_log {
        let line = search::find(log, what).with_context(|| format!("{} cannot be read", log.display()))?;
        line.map(&mut tell).transpose()?;
    } else {
        bail!(
            "`{what}` is no line of an access log; if it is the id of a request, say with --access-log where to look"
        );
    }
    if found == 0 {
        complain("lychgate: nothing was found\n");
    }
    Ok(if found > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads lines one by one, and passes over those that are none of an access log.
fn each_line(mut from: impl BufRead, tell: &mut dyn FnMut(AccessLine) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for number in 1_u64.. {
        let mut line = Vec::new();
        if from.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        match AccessLine::parse(&String::from_utf8_lossy(&line)) {
            Some(line) => tell(line)?,
            None => complain(&format!("lychgate: line {number} is no line of an access log\n")),
        }
    }
    Ok(())
}
