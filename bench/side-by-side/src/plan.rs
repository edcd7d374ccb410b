//! A run: all workloads, scene by scene, each by all peers.

use crate::arguments::{Mode, Run};
use crate::backend::Backends;
use crate::machine::Machine;
use crate::peers::Peer;
use crate::report::Report;
use crate::rounds::{Pace, Running, measure};
use crate::scene::Scene;
use crate::site::{HOST, Identity, Site};
use crate::tools::Tools;
use crate::workloads::{self, Workload};
use anyhow::Context;
use lychgate_testkit::Authority;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use time::OffsetDateTime;

/// Measures all that is asked for, with proxies on this processor.
pub(crate) async fn run(run: &Run, proxies: Option<usize>) -> anyhow::Result<Report> {
    let tools = Tools::new(run, proxies);
    let dir = tempfile::tempdir()?;
    let identity = Identity::write(&Authority::new("bench").server(&[HOST]), dir.path())?;
    let backends = Backends::start(&tools, dir.path(), &identity).await?;
    let mut peers = run.peers.clone();
    peers.extend(tools.other.as_ref().map(|_| Peer::Other));
    let mut versions = BTreeMap::new();
    for peer in &peers {
        versions.insert(*peer, peer.version(&tools).await.with_context(|| peer.name())?);
    }
    let wanted = |one: &Workload| run.only.is_empty() || run.only.iter().any(|text| one.key.contains(text.as_str()));
    let all: Vec<Workload> = workloads::all(run.mode).into_iter().filter(wanted).collect();
    anyhow::ensure!(!all.is_empty(), "no workload has any of {:?} in its key", run.only);
    let mut measured = Vec::new();
    for of_scene in all.chunk_by(Workload::may_follow) {
        let Some(scene) = of_scene.first().map(|one| one.scene) else { continue };
        let running = start(scene, &peers, &tools, dir.path(), &backends, &identity).await?;
        for workload in of_scene {
            eprintln!("{}: {}", workload.key, workload.title);
            measured.extend(measure(workload, &running, &tools, Pace::of(run.mode, workload)).await?);
        }
        for one in running {
            one.process.stop().await?;
            std::fs::remove_dir_all(&one.site.dir)?;
        }
    }
    if run.mode == Mode::Smoke {
        let failed: Vec<_> = measured.iter().filter(|one| one.failed > 0 || one.figures.is_empty()).collect();
        anyhow::ensure!(failed.is_empty(), "requests that failed: {failed:?}");
    }
    let date = OffsetDateTime::now_utc().date().to_string();
    Ok(Report { date, mode: format!("{:?}", run.mode).to_lowercase(), machine: Machine::this()?, versions, measured })
}

/// Starts all peers that can do what the scene asks for.
async fn start(
    scene: Scene,
    peers: &[Peer],
    tools: &Tools,
    dir: &Path,
    backends: &Backends,
    identity: &Identity,
) -> anyhow::Result<Vec<Running>> {
    let mut running = Vec::new();
    for peer in peers {
        let site = Site::new(scene, dir.join(format!("{peer:?}")), backends, identity)?;
        let begun = Instant::now();
        let process = peer.start(tools, &site).await.with_context(|| format!("{} for {scene:?}", peer.name()))?;
        let started = begun.elapsed();
        match process {
            Some(process) => running.push(Running { peer: *peer, site, process, started }),
            None => std::fs::remove_dir_all(&site.dir)?,
        }
    }
    Ok(running)
}
