//! A run that ends before it is over takes with it all that it started.
//!
//! Told to end (SIGINT, SIGTERM), it lets go of every process, which kills it ([`crate::process`]). Killed, it can do nothing
//! any more: so the kernel tells its children, who have asked for it.

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

/// What comes of it, unless somebody wants us to end.
pub(crate) async fn unless_told_to_end<T>(doing: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        done = doing => done,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("told to end"),
    }
}
