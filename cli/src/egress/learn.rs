//! `lychgate egress learn AUDIT_DIR`

use super::log::{LogArgs, Since};
use crate::cluster::GatewayName;
use crate::terminal::{complain, print};
use anyhow::{Context, bail};
use clap::Args;
use lychgate_replay::learn::{Fold, LearnOptions, Lesson, Lessons, as_yaml};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  What left in the last week, as one file for each workload:
    lychgate egress learn AUDIT_DIR --since 7d -o policies/
  One workload; ten buckets or more become one name with a star:
    lychgate egress learn AUDIT_DIR --workload shop/cart --fold 10";

/// Write the smallest policies that would have let through what left.
///
/// One EgressPolicy in shadow for each workload, with how often and when each host was seen. What was refused is left out,
/// and so are exceptions: what would need one is said in a comment. Exits with 1 if there is nothing to learn from.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct LearnArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Only this workload: NAMESPACE/SERVICEACCOUNT, a namespace, a SPIFFE ID, or `unknown`.
    #[arg(long, value_name = "WORKLOAD")]
    workload: Option<String>,
    /// Only what came since: a time (RFC 3339) or how long ago (30m, 36h, 7d).
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Learn what was refused as well.
    #[arg(long)]
    include_denied: bool,
    /// Fold names into `*.parent` where at least so many share it.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(2..))]
    fold: Option<u16>,
    /// The Gateway to attach to, where the log does not tell.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    gateway: Option<GatewayName>,
    /// Write a file for each workload into this directory instead of all to standard output. Files that are there are not
    /// overwritten.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn learn(args: &LearnArgs) -> anyhow::Result<ExitCode> {
    let LearnArgs { log, workload, since, include_denied, fold, gateway, output } = args;
    let mut lessons = Lessons::new(LearnOptions {
        workload: workload.clone(),
        since: since.map(|Since(time)| time),
        include_denied: *include_denied,
        fold: fold.map(|names| Fold { names: usize::from(names) }),
        gateway: gateway.clone().map(|GatewayName(id)| id),
    });
    log.read(&mut |record| lessons.take(&record))?;
    if lessons.refused() > 0 {
        complain(&format!("{} refusals were not learned; --include-denied learns them\n", lessons.refused()));
    }
    if lessons.unreadable() > 0 {
        complain(&format!("{} records tell neither a host nor an address\n", lessons.unreadable()));
    }
    let lessons = lessons.lessons();
    if lessons.is_empty() {
        bail!("there is nothing to learn from: no record fits");
    }
    let policies: Vec<(&Lesson, String)> = lessons
        .iter()
        .map(|lesson| {
            let text = as_yaml(lesson);
            let hint = || format!("the records of {} do not tell their Gateway: name it with --gateway", lesson.who);
            text.map(|text| (lesson, text)).with_context(hint)
        })
        .collect::<Result<_, _>>()?;
    match output {
        None => {
            print(&policies.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("---\n"))?;
        }
        Some(dir) => {
            for (lesson, text) in policies {
                print(&format!("{}\n", write(dir, lesson, &text)?.display()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(dir: &Path, lesson: &Lesson, text: &str) -> anyhow::Result<PathBuf> {
    let name = lesson.policy().context("a policy without a name; this is a bug of ours")?;
    std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let path = dir.join(format!("{}.{}.yaml", name.namespace, name.name));
    // What somebody changed since it was learned is not lost.
    let mut file = std::fs::File::create_new(&path)
        .with_context(|| format!("{} is not overwritten; take it away first", path.display()))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(|| path.display().to_string())?;
    Ok(path)
}
