//! Attacks a gateway on loopback, and measures what well-behaved clients beside it notice; or soaks it: everything at once,
//! for long.
//!
//! It starts a `lychgate` of its own with its defaults, an echo server behind it, and clients that ask steadily.
//!
//! - `attack`: each attack of [`attack::ALL`] runs for a while, bounded in connections and in what it sends. The table says
//!   how fast the others were served without and with it, whether any of them failed, what the gateway counted, and its
//!   memory before, at its peak and after.
//! - `soak` ([`soak`]): clients of every protocol, all attacks in turn, clients that are slow or gone, backends that fail and
//!   a reload every second. The table says whether anything failed, and what did not come back.
//!
//! It refuses any other target than what it started itself.

mod attack;
mod clients;
mod frames;
mod gate;
mod handshake;
mod report;
mod soak;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Attacks or soaks a gateway of its own on loopback, and prints a table of what others noticed.
#[derive(Debug, Parser)]
struct Arguments {
    /// The `lychgate` to start. A release build, for a debug build is slow at everything.
    #[arg(long, value_name = "FILE", default_value = "target/release/lychgate", global = true)]
    lychgate: PathBuf,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// One attack after the other, each on a gateway of its own.
    Attack(Attacks),
    /// Everything at once, for long, on one gateway; fails if something failed, or did not come back.
    Soak {
        /// How long.
        #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=10_080))]
        minutes: u64,
    },
}

#[derive(Debug, Args)]
struct Attacks {
    /// How long each attack lasts.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=120))]
    seconds: u64,
    /// Only attacks whose name has this in it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

fn main() -> anyhow::Result<()> {
    let Arguments { lychgate, task } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match task {
            Task::Attack(attacks) => attack_all(&lychgate, &attacks).await,
            Task::Soak { minutes } => soak::run(&lychgate, Duration::from_secs(minutes * 60)).await,
        }
    })
}

async fn attack_all(lychgate: &Path, Attacks { seconds, only }: &Attacks) -> anyhow::Result<()> {
    let lasting = Duration::from_secs(*seconds);
    println!("{}", report::HEAD);
    for attack in attack::ALL.iter().filter(|attack| attack.name.contains(only.as_str())) {
        // Each has a gateway of its own, so that none pays for another.
        let gate = gate::Gate::start(lychgate).await.context("the gateway cannot be started")?;
        let row = report::measure(&gate, attack, lasting).await?;
        gate.stop().await?;
        println!("{row}");
    }
    Ok(())
}
