//! The `lychgate-control` program: arguments, logs, signals.

mod args;

use anyhow::Context;
use args::Args;
use clap::Parser;
use lychgate_control::cluster;
use lychgate_control::observe::{Admin, Metrics, Source};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
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
    let Args { kubeconfig, admin, log_format: _, log: _ } = args;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let client = cluster::connect(kubeconfig.as_deref()).await?;
    let view = Arc::new(View { metrics: Metrics::new()? });
    let port = Admin::bind(admin, view).await.with_context(|| {
        format!("the admin port {admin} cannot be bound; end what uses it, or choose another with --admin")
    })?;
    tracing::info!(admin = %port.address(), "started");
    match client.apiserver_version().await {
        Ok(version) => tracing::info!(version = version.git_version, "the API server answers"),
        Err(error) => tracing::warn!(%error, "the API server does not answer"),
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// What the admin port sees.
struct View {
    metrics: Arc<Metrics>,
}

impl Source for View {
    fn not_ready(&self) -> Option<String> {
        Some("nothing is watched".to_owned())
    }

    fn config(&self) -> Value {
        json!({})
    }

    fn status(&self) -> Value {
        json!({})
    }

    fn metrics(&self) -> String {
        self.metrics.render()
    }
}
