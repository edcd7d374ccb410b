//! The `lychgate-gateway` program: arguments, logs, signals.

use clap::Parser;
use lychgate_gateway::args::GatewayArgs;
use lychgate_gateway::cluster::Cluster;
use lychgate_gateway::process::{Signals, raise_descriptors, runtime};
use std::error::Error;
use std::process::ExitCode;

/// Gives back to the system what an attack made it take, which the system's own does not (docs/decisions/0010).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = GatewayArgs::parse();
    args.init_logs();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "nothing is served");
            ExitCode::FAILURE
        }
    }
}

fn run(args: GatewayArgs) -> Result<(), Box<dyn Error>> {
    raise_descriptors();
    let runtime = runtime(args.threads())?;
    let ended = runtime.block_on(serve(args));
    // Whatever still runs is not waited for.
    runtime.shutdown_background();
    ended
}

async fn serve(args: GatewayArgs) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new()?;
    let cluster = Cluster::start(args.options()?).await?;
    tracing::info!(admin = ?cluster.admin(), "started");
    while signals.end_or_rotate().await {
        cluster.reopen_access_log();
    }
    tracing::info!("letting requests finish; a second signal ends at once");
    tokio::select! {
        left = cluster.stop() => {
            if left > 0 {
                tracing::warn!(connections = left, "cut at the deadline");
            }
        }
        () = signals.end() => {}
    }
    Ok(())
}
