//! About how long a run takes: what is fixed is added up, and what depends on the machine is what it took on two processors.

use super::Plan;
use crate::load::Kind;
use crate::rounds::{Pace, SETTLED};
use crate::scene::Scene;
use crate::workloads::{Work, Workload};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A proxy started and stopped, and a tool for each round.
const START: Duration = Duration::from_millis(150);
const TOOL: Duration = Duration::from_millis(50);

/// Configuration written and read, for each route.
const ROUTE: Duration = Duration::from_micros(60);

/// From the least to the most.
pub(super) type Span = RangeInclusive<Duration>;

/// What a run takes.
#[derive(Debug)]
pub(crate) struct Estimate {
    workloads: usize,
    takes: Span,
    /// By workload: its key, who takes part, how long.
    rows: Vec<(String, usize, Span)>,
}

impl Plan {
    /// About how long all of it takes.
    pub(crate) fn estimate(&self) -> Estimate {
        let mut rows = Vec::new();
        for of_scene in self.workloads.chunk_by(Workload::may_follow) {
            for (number, one) in of_scene.iter().enumerate() {
                let peers = self.able(one.scene).count();
                let start = if number == 0 { START + routes(one.scene) } else { Duration::ZERO };
                let each = each(one, Pace::of(self.mode, one));
                let all = |each: &Duration| (start + *each) * u32::try_from(peers).unwrap_or(u32::MAX);
                rows.push((one.key.clone(), peers, all(each.start())..=all(each.end())));
            }
        }
        let sum = |of: fn(&Span) -> &Duration| rows.iter().map(|(_, _, span)| *of(span)).sum::<Duration>();
        let takes = sum(Span::start)..=sum(Span::end);
        Estimate { workloads: rows.len(), takes, rows }
    }
}

impl Estimate {
    /// The most that it takes.
    #[cfg(test)]
    pub(crate) fn most(&self) -> Duration {
        *self.takes.end()
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workloads, takes, rows } = self;
        if f.alternate() {
            for (key, peers, span) in rows {
                writeln!(f, "{key:<24} {peers} proxies  {}", Seconds(span))?;
            }
        }
        write!(f, "{workloads} workloads, about {}", Seconds(takes))
    }
}

struct Seconds<'a>(&'a Span);

impl fmt::Display for Seconds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, most] = [self.0.start(), self.0.end()].map(Duration::as_secs);
        if least == most { write!(f, "{least} s") } else { write!(f, "{least} to {most} s") }
    }
}

/// One peer's part of a workload.
fn each(workload: &Workload, pace: Pace) -> Span {
    match workload.work {
        Work::Load(_, steady) => {
            let [least, most] = pace.takes(TOOL, steady.is_some());
            least..=most
        }
        Work::Idle(idle) => {
            let one = match idle.kind {
                Kind::Plain => Duration::from_micros(150),
                Kind::Tls | Kind::Http2 => Duration::from_micros(1300),
            };
            let all = SETTLED + one * idle.count;
            all..=all
        }
        Work::Change(change) => {
            let all = change.takes(routes(workload.scene) / 2);
            all..=all
        }
    }
}

/// What so many routes take to be read.
fn routes(scene: Scene) -> Duration {
    let count = match scene {
        Scene::Routes(routes) => routes.count,
        Scene::Changing(count) => count,
        Scene::Plain
        | Scene::Logged
        | Scene::Grpc
        | Scene::Passed
        | Scene::Tunnelled
        | Scene::Filtered(_)
        | Scene::Endpoints(_)
        | Scene::WebSocket
        | Scene::Datagrams
        | Scene::Traced => 1,
    };
    ROUTE * count
}

#[cfg(test)]
mod tests {
    use crate::arguments::{Arguments, Task};
    use crate::plan::Plan;
    use clap::Parser;
    use std::time::Duration;

    fn plan(mode: &str) -> Plan {
        let Task::Run(run) = Arguments::parse_from(["lychgate-bench", "run", "--mode", mode]).task else {
            unreachable!("that is what was asked for")
        };
        Plan::of(&run).unwrap()
    }

    #[test]
    fn modes_keep_to_their_time() {
        assert!(plan("full").estimate().most() < Duration::from_secs(18 * 60), "{:#}", plan("full").estimate());
        assert!(plan("quick").estimate().most() < Duration::from_secs(5 * 60), "{:#}", plan("quick").estimate());
    }
}
