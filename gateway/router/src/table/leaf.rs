//! The candidates of one place, in order of precedence.

use super::candidate::Candidate;
use super::plan::Plan;
use crate::precedence::within_place;
use crate::request::RequestLine;
use std::cmp::Ordering;

/// The candidates of one place, in order of precedence; at least one.
pub(crate) enum Leaf<T> {
    /// As in most places.
    One(Candidate<T>),
    Several(Box<Several<T>>),
}

/// More than one candidate.
pub(crate) struct Several<T> {
    candidates: Box<[Candidate<T>]>,
    plan: Plan,
}

impl<T> Leaf<T> {
    /// None where nothing is left.
    pub(super) fn new(candidates: Vec<Candidate<T>>) -> Option<Self> {
        let candidates = match <[Candidate<T>; 1]>::try_from(candidates) {
            Ok([only]) => return Some(Self::One(only)),
            Err(candidates) if candidates.is_empty() => return None,
            Err(candidates) => candidates,
        };
        let plan = Plan::new(&candidates);
        Some(Self::Several(Box::new(Several { candidates: candidates.into(), plan })))
    }

    pub(crate) fn candidates(&self) -> &[Candidate<T>] {
        match self {
            Self::One(only) => std::slice::from_ref(only),
            Self::Several(several) => &several.candidates,
        }
    }

    /// The first that holds.
    pub(super) fn first(&self, line: &RequestLine<'_>) -> Option<&Candidate<T>> {
        match self {
            Self::One(only) => only.holds(line).then_some(only),
            Self::Several(several) => {
                let Several { candidates, plan } = &**several;
                let holds = |index: u32| candidates.get(index as usize).is_some_and(|candidate| candidate.holds(line));
                candidates.get(plan.first(line, &holds)? as usize)
            }
        }
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
