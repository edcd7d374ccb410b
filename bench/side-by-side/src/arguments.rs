//! The arguments of the command.

use crate::peers::Peer;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures Lychgate beside nginx, HAProxy, Envoy and bare Pingora.
#[derive(Debug, Parser)]
#[command(name = "lychgate-bench", max_term_width = 120)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Measure, print a table, and write bench.json, bench.md and pictures.
    Run(Run),
    /// Say what got slower from one bench.json to another, beyond what rounds differ by; fails if something did.
    Compare {
        /// The bench.json of before.
        before: PathBuf,
        /// The bench.json of now.
        after: PathBuf,
    },
    /// Write the tables and the pictures of a bench.json into the book.
    Publish {
        /// The bench.json.
        measured: PathBuf,
        /// The folder of the book.
        #[arg(default_value = "docs")]
        book: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// How long to measure: `full` takes a quarter of an hour, `quick` five minutes; `smoke` measures nothing and only asks
    /// everything once, to see that it works.
    #[arg(long, value_enum, default_value_t = Mode::Full)]
    pub(crate) mode: Mode,
    /// Only workloads whose key has one of these in it.
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Who is measured.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Peer::ALL)]
    pub(crate) peers: Vec<Peer>,
    /// The `lychgate` to measure: a release build, for a debug build is slow at everything.
    #[arg(long, value_name = "FILE", default_value = "target/release/lychgate")]
    pub(crate) lychgate: PathBuf,
    /// A second `lychgate` to measure beside it, as `other`: the one of before, say.
    #[arg(long, value_name = "FILE")]
    pub(crate) other: Option<PathBuf>,
    /// The bare Pingora, built as `lychgate` was.
    #[arg(long, value_name = "FILE", default_value = "target/release/lychgate-bare-pingora")]
    pub(crate) bare_pingora: PathBuf,
    /// Where tools are that PATH has not: `bench/prepare` puts them there.
    #[arg(long, value_name = "DIR", default_value = "target/bench-tools/bin")]
    pub(crate) tools: PathBuf,
    /// Where to write what was measured, after each workload.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub(crate) out: PathBuf,
    /// Measure what a run that ended early has not, with the same programs.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Only say what would be measured, and about how long it takes.
    #[arg(long)]
    pub(crate) plan: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    Full,
    Quick,
    Smoke,
}
