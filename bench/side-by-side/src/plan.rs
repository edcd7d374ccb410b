//! A run: all workloads, scene by scene, each by all peers that can do it.
//!
//! - [`Plan`]: what is measured, and about how long that takes ([`estimate`]).
//! - [`run`]: measures it. What was measured is written after each workload, so that a run that ends early keeps it.

mod estimate;

use crate::arguments::{Mode, Run};
use crate::backend::Backends;
use crate::machine::Machine;
use crate::peers::Peer;
use crate::report::{self, Report};
use crate::rounds::{Pace, Running, measure};
use crate::scene::Scene;
use crate::site::{HOST, Identity, Site};
use crate::tools::Tools;
use crate::workloads::{self, Workload};
use anyhow::Context;
use lychgate_testkit::Authority;
use std::path::Path;
use std::time::Instant;
use time::OffsetDateTime;

/// What is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    mode: Mode,
    peers: Vec<Peer>,
    /// Those of one scene together.
    workloads: Vec<Workload>,
}

impl Plan {
    pub(crate) fn of(run: &Run) -> anyhow::Result<Self> {
        let wanted =
            |one: &Workload| run.only.is_empty() || run.only.iter().any(|text| one.key.contains(text.as_str()));
        let workloads: Vec<Workload> = workloads::all(run.mode).into_iter().filter(wanted).collect();
        anyhow::ensure!(!workloads.is_empty(), "no workload has any of {:?} in its key", run.only);
        let other = run.other.as_ref().map(|_| Peer::Other);
        Ok(Self { mode: run.mode, peers: run.peers.iter().copied().chain(other).collect(), workloads })
    }

    /// Who takes part in a scene.
    fn able(&self, scene: Scene) -> impl Iterator<Item = Peer> + '_ {
        self.peers.iter().copied().filter(move |peer| peer.can(scene))
    }
}

/// Measures all that is asked for, with proxies on this processor.
pub(crate) async fn run(run: &Run, proxies: Option<usize>) -> anyhow::Result<Report> {
    let mut plan = Plan::of(run)?;
    let tools = Tools::new(run, proxies);
    let mut report = begin(run, &plan, &tools).await?;
    plan.workloads.retain(|one| report.measured.iter().all(|measured| measured.workload != one.key));
    eprintln!("{}", plan.estimate());
    let begun = Instant::now();
    let dir = tempfile::tempdir()?;
    let identity = Identity::write(&Authority::new("bench").server(&[HOST]), dir.path())?;
    let backends = Backends::start(&tools, dir.path(), &identity).await?;
    for of_scene in plan.workloads.chunk_by(Workload::may_follow) {
        let Some(scene) = of_scene.first().map(|one| one.scene) else { continue };
        let running = start(scene, &plan, &tools, dir.path(), &backends, &identity).await?;
        for workload in of_scene {
            eprintln!("{:>5} s  {}: {}", begun.elapsed().as_secs(), workload.key, workload.title);
            report.measured.extend(measure(workload, &running, &tools, Pace::of(run.mode, workload)).await?);
            report::write(&run.out, &report)?;
        }
        for one in running {
            one.process.stop().await?;
            std::fs::remove_dir_all(&one.site.dir)?;
        }
    }
    eprintln!("{:>5} s  all is measured", begun.elapsed().as_secs());
    if run.mode == Mode::Smoke {
        let failed: Vec<_> = report.measured.iter().filter(|one| one.failed > 0 || one.figures.is_empty()).collect();
        anyhow::ensure!(failed.is_empty(), "requests that failed: {failed:?}");
    }
    Ok(report)
}

/// A report of nothing yet; or, if a run is to be resumed, what that has measured.
async fn begin(run: &Run, plan: &Plan, tools: &Tools) -> anyhow::Result<Report> {
    let mut versions = std::collections::BTreeMap::new();
    for peer in &plan.peers {
        versions.insert(*peer, peer.version(tools).await.with_context(|| peer.name())?);
    }
    let date = OffsetDateTime::now_utc().date().to_string();
    let mode = format!("{:?}", run.mode).to_lowercase();
    let machine = Machine::this()?;
    if let Some(warning) = machine.warning() {
        eprintln!("lychgate-bench: {warning}");
    }
    let new = Report { date, mode, machine, versions, measured: Vec::new() };
    let before = run.out.join(report::FILE);
    if !run.resume || !before.exists() {
        return Ok(new);
    }
    let measured = report::read(&before)?;
    anyhow::ensure!(
        measured.is_of(&new),
        "{} is of another mode, another machine or other versions: measure anew, without --resume",
        before.display()
    );
    Ok(measured)
}

/// Starts all peers that can do what the scene asks for.
async fn start(
    scene: Scene,
    plan: &Plan,
    tools: &Tools,
    dir: &Path,
    backends: &Backends,
    identity: &Identity,
) -> anyhow::Result<Vec<Running>> {
    let mut running = Vec::new();
    for peer in plan.able(scene) {
        let site = Site::new(scene, peer.connects(scene), dir.join(format!("{peer:?}")), backends, identity)?;
        let begun = Instant::now();
        let process = peer.start(tools, &site).await.with_context(|| format!("{} for {scene:?}", peer.name()))?;
        running.push(Running { peer, site, process, started: begun.elapsed() });
    }
    Ok(running)
}
