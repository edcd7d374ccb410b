//! Rounds: each peer in turn, again and again, so that what changes with time changes for all.

use crate::arguments::Mode;
use crate::backend::MESSAGES;
use crate::load::{Done, Idle, Latency, Load, Steady};
use crate::peers::Peer;
use crate::process::Process;
use crate::report::{Measured, median};
use crate::scene::Scene;
use crate::site::Site;
use crate::tools::Tools;
use crate::workloads::{Unit, Work, Workload};
use std::time::Duration;
use tokio::time::sleep;

/// A peer at work.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) peer: Peer,
    pub(crate) site: Site,
    pub(crate) process: Process,
    /// From its start until it accepted.
    pub(crate) started: Duration,
}

/// How often and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// So many rounds at least, and then until they agree ([`AGREED`]), but no more than these.
    rounds: (u32, u32),
    lasting: Duration,
    /// Not measured: connections to backends open, caches fill.
    warm_up: Duration,
    /// At a fixed rate: so many rounds, of so long each.
    steady: Option<(u32, Duration)>,
}

/// Rounds agree where half of what they differ by is no more than this part of their median: `compare` calls nothing slower
/// for less.
pub(crate) const AGREED: f64 = 0.03;

/// Memory of connections that went is given back a moment later, and of those that came is there.
pub(crate) const SETTLED: Duration = Duration::from_millis(1500);

impl Pace {
    pub(crate) fn of(mode: Mode, workload: &Workload) -> Self {
        let (rounds, warm_up, steady) = match (mode, workload.scene) {
            // There are many of them, and each is one of a row.
            (Mode::Full, Scene::Routes(_) | Scene::Filtered(_)) => ((3, 3), 1, None),
            (Mode::Full, _) => ((3, 4), 1, Some((5, 1))),
            (Mode::Quick, _) => ((2, 2), 0, Some((1, 1))),
            (Mode::Smoke, _) => ((1, 1), 0, None),
        };
        let seconds = Duration::from_secs;
        let steady = steady.map(|(rounds, lasting)| (rounds, seconds(lasting)));
        Self { rounds, lasting: seconds(1), warm_up: seconds(warm_up), steady }
    }

    /// The least and the most that one peer takes, with this for the start of each tool.
    pub(crate) fn takes(self, tool: Duration, at_a_rate: bool) -> [Duration; 2] {
        let Self { rounds: (least, most), lasting, warm_up, steady } = self;
        let steady = steady.filter(|_| at_a_rate);
        let steady = steady.map_or(Duration::ZERO, |(rounds, lasting)| (lasting + tool) * rounds);
        [least, most].map(|rounds| warm_up + steady + (lasting + tool) * rounds)
    }

    /// Whether there is nothing to be learned from another round.
    fn is_enough(self, rounds: u32, all: &[Measured]) -> bool {
        let (least, most) = self.rounds;
        rounds >= most || rounds >= least && all.iter().all(|one| one.noise() <= AGREED)
    }
}

/// One workload by all peers.
pub(crate) async fn measure(
    workload: &Workload,
    running: &[Running],
    tools: &Tools,
    pace: Pace,
) -> anyhow::Result<Vec<Measured>> {
    let mut all: Vec<Measured> = running.iter().map(|one| empty(workload, one)).collect();
    match workload.work {
        Work::Idle(idle) => {
            for (one, measured) in running.iter().zip(&mut all) {
                measured.figures.push(each_takes(&idle, one).await?);
            }
        }
        Work::Change(change) => {
            for (one, measured) in running.iter().zip(&mut all) {
                measured.figures = change.run(one.peer, &one.site, &one.process).await?;
            }
        }
        Work::Load(load, steady) => {
            if pace.warm_up > Duration::ZERO {
                for one in running {
                    load.run(tools, &one.site, pace.warm_up).await?;
                }
            }
            let mut rounds = 0;
            while !pace.is_enough(rounds, &all) {
                for (one, measured) in running.iter().zip(&mut all) {
                    round(workload.unit, &load, one, tools, pace.lasting, measured).await?;
                }
                rounds += 1;
            }
            if let (Some(steady), Some(pace)) = (steady, pace.steady) {
                latencies(steady, running, tools, pace, &mut all).await?;
            }
        }
    }
    for (one, measured) in running.iter().zip(&mut all) {
        measured.memory = one.process.memory()? as f64 / f64::from(1 << 20);
    }
    Ok(all)
}

fn empty(workload: &Workload, one: &Running) -> Measured {
    let figure = match workload.work {
        Work::Load(..) => "µs of processor",
        Work::Idle(_) => "KiB of memory",
        Work::Change(_) => "ms until served",
    };
    Measured {
        workload: workload.key.clone(),
        title: workload.title.clone(),
        figure: format!("{figure} a {}", workload.unit.name()),
        peer: one.peer,
        figures: Vec::new(),
        rates: Vec::new(),
        failed: 0,
        latency: None,
        memory: 0.0,
        started: one.started.as_secs_f64() * 1e3,
    }
}

async fn round(
    unit: Unit,
    load: &Load,
    one: &Running,
    tools: &Tools,
    lasting: Duration,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let before = one.process.processor()?;
    let Done { count, failed, took } = load.run(tools, &one.site, lasting).await?;
    let spent = one.process.processor()?.saturating_sub(before);
    measured.failed += failed;
    if count > 0 {
        let each = match unit {
            Unit::Message => MESSAGES as f64,
            Unit::Request
            | Unit::Connection
            | Unit::Handshake
            | Unit::Call
            | Unit::Mebibyte
            | Unit::Echo
            | Unit::Datagram
            | Unit::Change => 1.0,
        };
        let count = count as f64 * each;
        measured.figures.push(spent.as_secs_f64() * 1e6 / count);
        measured.rates.push(count / took.as_secs_f64());
    }
    Ok(())
}

/// Half of what the slowest can do is what all have to do well. In rounds as well: where few processors are shared, a single
/// hiccup of the machine is the slowest hundredth of a whole round.
async fn latencies(
    steady: Steady,
    running: &[Running],
    tools: &Tools,
    (rounds, lasting): (u32, Duration),
    all: &mut [Measured],
) -> anyhow::Result<()> {
    let slowest = all.iter().map(|one| median(&one.rates)).fold(f64::INFINITY, f64::min);
    let rate = if slowest.is_finite() { (slowest / 2.0) as u64 } else { return Ok(()) };
    let mut of_rounds: Vec<Vec<Latency>> = vec![Vec::new(); running.len()];
    for _ in 0..rounds {
        for (one, latencies) in running.iter().zip(&mut of_rounds) {
            latencies.push(steady.run(tools, &one.site, rate.max(1), lasting).await?);
        }
    }
    for (measured, latencies) in all.iter_mut().zip(&of_rounds) {
        measured.latency = Latency::median(latencies);
        measured.failed += measured.latency.map_or(0, |latency| latency.failed);
    }
    Ok(())
}

/// KiB of memory for each idle connection.
async fn each_takes(idle: &Idle, one: &Running) -> anyhow::Result<f64> {
    let before = one.process.memory()?;
    let open = idle.open(&one.site).await?;
    sleep(SETTLED).await;
    let with = one.process.memory()?;
    // Whoever served them is stopped after this.
    drop(open);
    Ok(with.saturating_sub(before) as f64 / 1024.0 / f64::from(idle.count))
}
