//! What is left when all has stopped: nothing should be, and no more after the last round than after the second.

use crate::gate::Gate;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Until connections that nobody has any more have to be gone, those to backends as well: an upstream that answers nobody is
/// given up by then, and idle connections are kept for a minute.
const GONE: Duration = Duration::from_secs(75);

/// Memory that is given back shows a moment later.
const SETTLED: Duration = Duration::from_secs(5);

/// What all of it takes, if nothing is stuck.
pub(super) const TAKES: Duration = Duration::from_secs(70);

/// Who has nothing to do takes no more of a processor than this.
const IDLE: f64 = 0.05;

/// Memory and descriptors differ by this much from one rest to the next, whatever the gateway does: allocators keep pages, and
/// who looks holds a connection.
const MEMORY: (f64, u64) = (1.1, 8 << 10);
const DESCRIPTORS: usize = 8;

/// What is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rest {
    /// KiB.
    pub(super) memory: u64,
    pub(super) descriptors: usize,
    /// Connections of clients, though there are none, and to backends, though none is kept for so long.
    pub(super) open: u64,
    /// Requests that are not over, though nobody waits for them.
    pub(super) in_flight: u64,
    /// The share of a processor.
    pub(super) processor: f64,
}

/// Waits until all is gone, and looks.
pub(super) async fn of(gate: &Gate) -> anyhow::Result<Rest> {
    let begun = Instant::now();
    while open(gate).await? + gate.in_flight().await? > 0 && begun.elapsed() < GONE {
        sleep(Duration::from_millis(100)).await;
    }
    let (before, begun) = (gate.processor()?, Instant::now());
    sleep(SETTLED).await;
    let processor = (gate.processor()? - before) / begun.elapsed().as_secs_f64();
    let (memory, descriptors) = (gate.memory()?, gate.descriptors()?);
    Ok(Rest { memory, descriptors, open: open(gate).await?, in_flight: gate.in_flight().await?, processor })
}

async fn open(gate: &Gate) -> anyhow::Result<u64> {
    Ok(gate.open().await? + gate.open_to_backends().await?)
}

/// What is wrong with the rests of all rounds, a line each. The first fills pools and caches.
pub(super) fn wrong(rests: &[Rest]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, rest) in (1..).zip(rests) {
        let Rest { memory: _, descriptors: _, open, in_flight, processor } = rest;
        if open + in_flight > 0 {
            wrong.push(format!("after round {number}, {open} connections and {in_flight} requests are left of nobody"));
        }
        if *processor > IDLE {
            wrong.push(format!("after round {number}, {:.0} % of a processor are taken for nobody", processor * 100.0));
        }
    }
    if let [_, second, .., last] = rests {
        let (times, more) = MEMORY;
        if last.memory as f64 > second.memory as f64 * times + more as f64 {
            wrong.push(format!("memory grows: {} KiB after the second round, {} at last", second.memory, last.memory));
        }
        if last.descriptors > second.descriptors + DESCRIPTORS {
            let (second, last) = (second.descriptors, last.descriptors);
            wrong.push(format!("open files grow: {second} after the second round, {last} at last"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::{Rest, wrong};

    const REST: Rest = Rest { memory: 60 << 10, descriptors: 50, open: 0, in_flight: 0, processor: 0.0 };

    #[test]
    fn what_comes_to_rest_is_right() {
        assert!(wrong(&[]).is_empty());
        let first = Rest { memory: 30 << 10, descriptors: 20, ..REST };
        assert!(wrong(&[first, REST, REST, Rest { memory: 65 << 10, descriptors: 55, ..REST }]).is_empty());
    }

    #[test]
    fn what_grows_is_told() {
        assert_eq!(wrong(&[REST, REST, Rest { memory: 90 << 10, ..REST }]).len(), 1);
        assert_eq!(wrong(&[REST, REST, Rest { descriptors: 60, ..REST }]).len(), 1);
    }

    #[test]
    fn what_is_stuck_is_told() {
        assert_eq!(wrong(&[REST, Rest { open: 1, ..REST }]).len(), 1);
        assert_eq!(wrong(&[REST, Rest { in_flight: 1, ..REST }]).len(), 1);
        assert_eq!(wrong(&[Rest { processor: 0.5, ..REST }]).len(), 1);
    }
}
