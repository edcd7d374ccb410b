//! One route that changes: how long until it is served.

use crate::http1;
use crate::peers::Peer;
use crate::process::Process;
use crate::scene::changed;
use crate::site::Site;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A route is changed so often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) times: u32,
}

/// A change that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(1);

/// Between two changes: whoever reads the time of a file would not see the second.
const SETTLED: Duration = Duration::from_millis(500);

impl Change {
    /// About how long it takes, if each change is served so soon.
    pub(crate) fn takes(self, served: Duration) -> Duration {
        (SETTLED + served) * self.times
    }

    /// Milliseconds until each change was served, from when its file was in place.
    pub(crate) async fn run(&self, peer: Peer, site: &Site, process: &Process) -> anyhow::Result<Vec<f64>> {
        let mut took = Vec::new();
        for version in 1..=self.times {
            sleep(SETTLED).await;
            peer.change(site, process, version)?;
            let begun = Instant::now();
            while !is_served(site, version).await {
                anyhow::ensure!(begun.elapsed() < PATIENCE, "{} does not serve change {version}", peer.name());
                sleep(PAUSE).await;
            }
            took.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(took)
    }
}

/// Over a connection of its own each time: a process that is replaced keeps those that it has. One that is refused is asked
/// again.
async fn is_served(site: &Site, version: u32) -> bool {
    let asking = async {
        let mut tcp = TcpStream::connect(site.http).await?;
        http1::is_there(&mut tcp, &changed(version)).await
    };
    asking.await.unwrap_or(false)
}
