//! One run against an earlier one: what got slower, beyond what rounds differ by.
//!
//! Machines and their neighbours change between runs, and then all proxies do. So what counts is Lychgate against the
//! others of the same run: they are what did not change.

use super::Report;
use crate::peers::Peer;
use crate::rounds::AGREED;
use std::fmt::Write as _;

/// What became of it.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) text: String,
    pub(crate) slower: bool,
}

pub(crate) fn compare(before: &Report, after: &Report) -> Compared {
    let mut text = "| workload | before | now | difference | noise | |\n|---|---|---|---|---|---|\n".to_owned();
    let mut slower = false;
    for workload in after.workloads() {
        let key = &workload.workload;
        let (Some(old), Some(new)) = (before.of(key, Peer::Lychgate), after.of(key, Peer::Lychgate)) else { continue };
        let difference = new.median() / old.median() / drift(before, after, key) - 1.0;
        let noise = (old.noise() + new.noise()).max(AGREED);
        let verdict = match () {
            () if difference > noise => "slower",
            () if difference < -noise => "faster",
            () => "",
        };
        slower |= verdict == "slower";
        let _ = writeln!(
            text,
            "| {} | {:.1} | {:.1} | {:+.1} % | {:.1} % | {verdict} |",
            workload.title,
            old.median(),
            new.median(),
            difference * 100.0,
            noise * 100.0
        );
    }
    Compared { text, slower }
}

/// By how much the others changed: the median of their ratios. One, if there are none.
fn drift(before: &Report, after: &Report, key: &str) -> f64 {
    let others = after.peers().filter(|peer| !matches!(peer, Peer::Lychgate | Peer::Other));
    let ratios: Vec<f64> =
        others.filter_map(|peer| Some(after.of(key, peer)?.median() / before.of(key, peer)?.median())).collect();
    if ratios.is_empty() { 1.0 } else { super::median(&ratios) }
}

#[cfg(test)]
mod tests {
    use super::compare;
    use crate::machine::Machine;
    use crate::peers::Peer;
    use crate::report::{Measured, Report};

    fn report(lychgate: [f64; 3], nginx: [f64; 3]) -> Report {
        let one = |peer, figures: [f64; 3]| Measured {
            workload: "h1".to_owned(),
            title: "HTTP/1.1".to_owned(),
            figure: "µs of processor a request".to_owned(),
            peer,
            figures: figures.into(),
            rates: Vec::new(),
            failed: 0,
            latency: None,
            memory: 1.0,
            started: 1.0,
        };
        Report {
            date: String::new(),
            mode: String::new(),
            machine: Machine {
                processor: String::new(),
                processors: 2,
                kernel: String::new(),
                congestion_control: String::new(),
            },
            versions: [(Peer::Lychgate, String::new()), (Peer::Nginx, String::new())].into(),
            measured: vec![one(Peer::Lychgate, lychgate), one(Peer::Nginx, nginx)],
        }
    }

    #[test]
    fn what_is_slower_than_noise_is_said() {
        let before = report([50.0, 51.0, 52.0], [40.0, 40.0, 40.0]);
        assert!(!compare(&before, &report([51.0, 52.0, 53.0], [40.0, 40.0, 40.0])).slower);
        assert!(compare(&before, &report([59.0, 60.0, 61.0], [40.0, 40.0, 40.0])).slower);
    }

    #[test]
    fn a_slower_machine_is_no_slower_gate() {
        let before = report([50.0, 51.0, 52.0], [40.0, 40.0, 40.0]);
        assert!(!compare(&before, &report([100.0, 102.0, 104.0], [80.0, 80.0, 80.0])).slower);
        assert!(compare(&before, &report([51.0, 51.0, 51.0], [30.0, 30.0, 30.0])).slower);
    }
}
