//! How an endpoint is picked.

use super::endpoint::{EndpointList, EndpointState, InFlight};
use lychgate_ir::Balance;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An endpoint picked for one attempt, counted as busy until dropped.
#[derive(Debug)]
pub(crate) struct Picked(InFlight);

impl Picked {
    pub(crate) fn endpoint(&self) -> &Arc<EndpointState> {
        self.0.endpoint()
    }

    pub(crate) fn this(endpoint: Arc<EndpointState>) -> Self {
        Self(InFlight::new(endpoint))
    }
}

/// Where round robin stands; random at first, so that a fleet of gateways does not start on the same endpoint.
#[derive(Debug)]
pub(crate) struct Turn(AtomicUsize);

impl Turn {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(rand::random::<u32>() as usize))
    }
}

/// Picks among the endpoints that are ready (or else those that still serve), passing over those that this request has
/// already tried as long as there are others.
pub(crate) fn pick(
    list: &EndpointList,
    balance: Balance,
    turn: &Turn,
    tried: &[Arc<EndpointState>],
) -> Option<Arc<EndpointState>> {
    let candidates = if list.ready.is_empty() { &list.terminating } else { &list.ready };
    let fresh = |endpoint: &&Arc<EndpointState>| !tried.iter().any(|tried| tried.address == endpoint.address);
    let count = candidates.len();
    if count == 0 {
        return None;
    }
    match balance {
        Balance::RoundRobin => {
            let start = turn.0.fetch_add(1, Ordering::Relaxed) % count;
            let (before, after) = candidates.split_at(start);
            let mut in_turn = after.iter().chain(before);
            let first = after.first();
            in_turn.find(fresh).or(first).cloned()
        }
        Balance::LeastRequest => {
            let fresh: Vec<&Arc<EndpointState>> =
                if tried.is_empty() { Vec::new() } else { candidates.iter().filter(fresh).collect() };
            if fresh.is_empty() {
                let (a, b) = two_of(count);
                less_busy(candidates.get(a)?, candidates.get(b)?)
            } else {
                let (a, b) = two_of(fresh.len());
                less_busy(fresh.get(a)?, fresh.get(b)?)
            }
        }
    }
}

/// Picks in place of one that cannot be taken, among those that nothing is against; none if there is no such. At random for
/// every balance: in turn, the one behind a row of such would get all that the row does not.
pub(crate) fn instead(list: &EndpointList, is_out: impl Fn(&EndpointState) -> bool) -> Option<Arc<EndpointState>> {
    let candidates = if list.ready.is_empty() { &list.terminating } else { &list.ready };
    let others: Vec<&Arc<EndpointState>> = candidates.iter().filter(|endpoint| !is_out(endpoint)).collect();
    if others.is_empty() {
        return None;
    }
    let (a, b) = two_of(others.len());
    less_busy(others.get(a)?, others.get(b)?)
}

/// Two different numbers below `count`, or the only one twice.
fn two_of(count: usize) -> (usize, usize) {
    let first = rand::random_range(0..count);
    if count == 1 {
        return (first, first);
    }
    let second = rand::random_range(0..count - 1);
    (first, if second >= first { second + 1 } else { second })
}

fn less_busy(a: &Arc<EndpointState>, b: &Arc<EndpointState>) -> Option<Arc<EndpointState>> {
    Some(if b.in_flight() < a.in_flight() { b.clone() } else { a.clone() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::upstream::Pools;
    use std::collections::HashSet;
    use std::net::SocketAddr;

    fn list(ready: u8, terminating: u8) -> EndpointList {
        let address = |n: u8| SocketAddr::from(([10, 0, 0, n], 80));
        let ready: Vec<_> = (0..ready).map(address).collect();
        let terminating: Vec<_> = (100..100 + terminating).map(address).collect();
        EndpointList::rebuild(&EndpointList::default(), &ready, &terminating, &Pools::default())
    }

    #[test]
    fn round_robin_takes_turns() {
        let (list, turn) = (list(3, 2), Turn::new());
        let mut counts = [0; 3];
        for _ in 0..30 {
            let picked = pick(&list, Balance::RoundRobin, &turn, &[]).unwrap();
            counts[list.ready.iter().position(|e| e.address == picked.address).unwrap()] += 1;
        }
        assert_eq!(counts, [10, 10, 10]);
    }

    #[test]
    fn least_request_prefers_the_idle_one() {
        let (list, turn) = (list(2, 0), Turn::new());
        let _busy = Picked::this(list.ready[0].clone());
        for _ in 0..50 {
            let picked = pick(&list, Balance::LeastRequest, &turn, &[]).unwrap();
            assert_eq!(picked.address, list.ready[1].address);
        }
    }

    #[test]
    fn a_retry_goes_elsewhere_while_there_is_an_elsewhere() {
        for balance in [Balance::RoundRobin, Balance::LeastRequest] {
            let (list, turn) = (list(3, 0), Turn::new());
            for _ in 0..50 {
                let picked = pick(&list, balance, &turn, &list.ready[..2]).unwrap();
                assert_eq!(picked.address, list.ready[2].address);
            }
            assert!(pick(&list, balance, &turn, &list.ready).is_some());
        }
    }

    #[test]
    fn in_place_of_those_that_cannot_be_taken_all_others_are_and_none_of_them() {
        let list = list(4, 0);
        let is_out = |endpoint: &EndpointState| list.ready[..2].iter().any(|out| out.address == endpoint.address);
        let picked: HashSet<SocketAddr> = (0..100).map(|_| instead(&list, is_out).unwrap().address).collect();
        assert_eq!(picked, list.ready[2..].iter().map(|endpoint| endpoint.address).collect());
        assert!(instead(&list, |_| true).is_none());
    }

    #[test]
    fn terminating_endpoints_serve_only_when_nothing_is_ready() {
        let turn = Turn::new();
        let picked = pick(&list(0, 1), Balance::RoundRobin, &turn, &[]).unwrap();
        assert_eq!(picked.address, SocketAddr::from(([10, 0, 0, 100], 80)));
        assert!(pick(&list(0, 0), Balance::LeastRequest, &turn, &[]).is_none());
    }
}
