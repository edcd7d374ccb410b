//! What was measured, and how it is shown.

mod chart;
mod compare;
mod goals;
mod publish;
mod table;

pub(crate) use compare::compare;
pub(crate) use publish::publish;
pub(crate) use table::markdown;

use crate::load::Latency;
use crate::machine::Machine;
use crate::peers::Peer;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What is read again.
pub(crate) const FILE: &str = "bench.json";

/// A run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    pub(crate) mode: String,
    pub(crate) machine: Machine,
    pub(crate) versions: BTreeMap<Peer, String>,
    pub(crate) measured: Vec<Measured>,
}

/// One workload by one peer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Measured {
    pub(crate) workload: String,
    pub(crate) title: String,
    /// What the figures are: less is better, always.
    pub(crate) figure: String,
    pub(crate) peer: Peer,
    /// One a round.
    pub(crate) figures: Vec<f64>,
    /// What was done a second; one a round.
    pub(crate) rates: Vec<f64>,
    pub(crate) failed: u64,
    pub(crate) latency: Option<Latency>,
    /// After it, in MiB.
    pub(crate) memory: f64,
    /// From the start of the process until it accepted, in milliseconds.
    pub(crate) started: f64,
}

impl Measured {
    pub(crate) fn median(&self) -> f64 {
        median(&self.figures)
    }

    /// The least and the most.
    pub(crate) fn range(&self) -> (f64, f64) {
        let least = self.figures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (least, most)
    }

    /// Half of what rounds differ by, as a part of their median. Nothing was measured: nothing differs.
    pub(crate) fn noise(&self) -> f64 {
        let (least, most) = self.range();
        if self.figures.is_empty() { 0.0 } else { (most - least) / 2.0 / self.median() }
    }
}

impl Report {
    /// Whether what both measured may stand in one table.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        let Self { date: _, mode, machine, versions, measured: _ } = self;
        (mode, machine, versions) == (&other.mode, &other.machine, &other.versions)
    }

    /// Workloads in the order of the run: key, title, figure.
    pub(crate) fn workloads(&self) -> Vec<&Measured> {
        let mut seen = std::collections::BTreeSet::new();
        self.measured.iter().filter(|one| seen.insert(&one.workload)).collect()
    }

    pub(crate) fn of(&self, workload: &str, peer: Peer) -> Option<&Measured> {
        self.measured.iter().find(|one| one.workload == workload && one.peer == peer && !one.figures.is_empty())
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.versions.keys().copied()
    }
}

/// Not a number if there is none.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle), middle.checked_sub(1).and_then(|below| sorted.get(below))) {
        (1, Some(one), _) => *one,
        (_, Some(above), Some(below)) => f64::midpoint(*above, *below),
        _ => f64::NAN,
    }
}

/// Writes all forms of it into a folder.
pub(crate) fn write(dir: &Path, report: &Report) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join(FILE), serde_json::to_string_pretty(report)? + "\n")?;
    std::fs::write(dir.join("bench.md"), markdown(report))?;
    for chart in chart::all(report) {
        std::fs::write(dir.join(&chart.name), chart.svg)?;
    }
    Ok(())
}

/// Reads a `bench.json`.
pub(crate) fn read(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| format!("{} is no bench.json of this version", path.display()))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!(median(&[]).is_nan());
        assert!((median(&[3.0, 1.0, 9.0]) - 3.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < f64::EPSILON);
    }
}
