//! A backend that comes, and goes without a word. Beside it another stays, and what failed is tried again.

use super::Round;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// It is there, or gone, for so long.
const WHILE: Duration = Duration::from_secs(3);

pub(super) async fn run(Round { gate, end }: &Round) -> anyhow::Result<()> {
    while Instant::now() + WHILE < *end {
        let mut backend = gate.start_flapping().await?;
        sleep(WHILE).await;
        backend.kill().await?;
        sleep(WHILE.min(end.saturating_duration_since(Instant::now()))).await;
    }
    Ok(())
}
