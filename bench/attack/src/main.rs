//! Attacks a gateway on loopback, and measures what well-behaved clients beside it notice.
//!
//! It starts a `lychgate` of its own with its defaults, an echo server behind it, and clients that ask steadily. Each
//! attack of [`attack::ALL`] then runs for a while, bounded in connections and in what they send. The table says how fast
//! the others were served without and with it, whether any of them failed, what the gateway counted, and its memory
//! before, at its peak and after. It refuses any other target than what it started itself.

mod attack;
mod clients;
mod frames;
mod gate;
mod handshake;
mod report;

use anyhow::Context;
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;

/// Attacks a gateway of its own on loopback, and prints a table of what others noticed.
#[derive(Debug, Parser)]
struct Args {
    /// The `lychgate` to start. A release build, for a debug build is slow at everything.
    #[arg(long, value_name = "FILE", default_value = "target/release/lychgate")]
    lychgate: PathBuf,
    /// How long each attack lasts.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=120))]
    seconds: u64,
    /// Only attacks whose name has this in it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(args))
}

async fn run(Args { lychgate, seconds, only }: Args) -> anyhow::Result<()> {
    let lasting = Duration::from_secs(seconds);
    println!("{}", report::HEAD);
    for attack in attack::ALL.iter().filter(|attack| attack.name.contains(&only)) {
        // Each has a gateway of its own, so that none pays for another.
        let gate = gate::Gate::start(&lychgate).await.context("the gateway cannot be started")?;
        let row = report::measure(&gate, attack, lasting).await?;
        gate.stop().await?;
        println!("{row}");
    }
    Ok(())
}
