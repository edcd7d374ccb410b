//! The candidates of one place, in order of precedence.

use super::candidate::Candidate;
use super::plan::Plan;
use crate::precedence::within_place;
use crate::request::RequestLine;
use std::cmp::Ordering;

/// The candidates of one place, in order of precedence; at least one.
pub(crate) struct Leaf<T> {
    candidates: Box<[Candidate<T>]>,
    plan: Plan,
}

impl<T> Leaf<T> {
    /// None where nothing is left.
    pub(super) fn new(candidates: Vec<Candidate<T>>) -> Option<Self> {
        let plan = Plan::new(&candidates);
        (!candidates.is_empty()).then(|| Self { candidates: candidates.into(), plan })
    }

    pub(crate) fn candidates(&self) -> &[Candidate<T>] {
        &self.candidates
    }

    /// The first that holds.
    pub(super) fn first(&self, line: &RequestLine<'_>) -> Option<&Candidate<T>> {
        let holds = |index: u32| self.candidates.get(index as usize).is_some_and(|candidate| candidate.holds(line));
        self.candidates.get(self.plan.first(line, &holds)? as usize)
    }
}

/// The candidates of before whose route is not `gone` (addresses, sorted), with those added, in order of precedence.
pub(super) fn merged<T>(old: &[Candidate<T>], mut added: Vec<Candidate<T>>, gone: &[usize]) -> Vec<Candidate<T>> {
    let stays = |candidate: &&Candidate<T>| gone.binary_search(&candidate.attached().address()).is_err();
    let mut all: Vec<_> = old.iter().filter(stays).cloned().collect();
    if added.len() * 16 < all.len() {
        for candidate in added {
            let at = all.partition_point(|other| order(other, &candidate).is_lt());
            all.insert(at, candidate);
        }
    } else {
        all.append(&mut added);
        all.sort_by(order);
    }
    all
}

fn order<T>(one: &Candidate<T>, other: &Candidate<T>) -> Ordering {
    match (one.standing(), other.standing()) {
        (Some(one), Some(other)) => within_place(one, other),
        // Every candidate is made of a match.
        _ => Ordering::Equal,
    }
}
