//! The `lychgate-control` program: arguments, logs, signals.

mod args;

use anyhow::Context;
use args::Args;
use clap::Parser;
use lychgate_control::cluster;
use lychgate_control::lease::{Seat, Terms};
use lychgate_control::process::{Control, Options};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    args.init_logs();
    // Two providers may be linked; ours is this one everywhere.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads can be started")?;
    runtime.block_on(run(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let Args { kubeconfig, admin, namespace, lease, revision, identity, log_format: _, log: _ } = args;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let client = cluster::connect(kubeconfig.as_deref()).await?;
    let seat = Seat { namespace, name: lease, identity: identity.unwrap_or_else(lychgate_control::process::identity) };
    let options = Options { admin, seat, terms: Terms::default(), revision, provision: None };
    let control = Control::start(client, options).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("ending; once more to end at once");
    tokio::select! {
        () = control.stop() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
