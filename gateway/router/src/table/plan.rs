//! How the first candidate that holds is found among many of one place.
//!
//! Thousands of rules may share a path and differ in the value of one header (a tenant, a version). Trying them in turn
//! would cost as many comparisons; instead those that ask for an exact value are looked up by the value sent, and only
//! the others are tried. Positions keep the order of precedence, so the lowest that holds is the answer.

use super::candidate::Candidate;
use crate::request::RequestLine;
use http::header::HeaderName;
use lychgate_ir::{Match, ValueMatch};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Up to here, trying costs less than looking up.
const FEW: usize = 8;
/// Fewer different values are not worth a lookup.
const VALUES: usize = 4;

/// Which candidates to try, by position.
pub(super) enum Plan {
    One(u32),
    /// In ascending order.
    Each(Box<[u32]>),
    ByValue(Box<Split>),
}

pub(super) struct Split {
    key: Key,
    /// Those that ask for this very value.
    values: HashMap<Box<[u8]>, Plan>,
    /// Those that do not ask for one value.
    rest: Plan,
}

/// What is looked up.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Header(HeaderName),
    Query(Arc<str>),
}

impl Plan {
    pub(super) fn new<T>(candidates: &[Candidate<T>]) -> Self {
        let positions: Vec<_> = (0_u32..).zip(candidates).map(|(position, _)| position).collect();
        let source = |position: u32| candidates.get(position as usize).and_then(Candidate::source);
        Self::of(positions, &source, &mut Vec::new())
    }

    fn of<'m>(positions: Vec<u32>, source: &dyn Fn(u32) -> Option<&'m Match>, used: &mut Vec<Key>) -> Self {
        let key = if positions.len() > FEW { best_key(&positions, source, used) } else { None };
        let Some(key) = key else {
            return match *positions {
                [only] => Self::One(only),
                _ => Self::Each(positions.into()),
            };
        };
        let mut values: HashMap<Box<[u8]>, Vec<u32>> = HashMap::new();
        let mut rest = Vec::new();
        for position in positions {
            match source(position).and_then(|source| key.wanted(source)) {
                Some(value) => values.entry(value.as_bytes().into()).or_default().push(position),
                None => rest.push(position),
            }
        }
        let rest = Self::of(rest, source, used);
        used.push(key.clone());
        let values = values.into_iter().map(|(value, positions)| (value, Self::of(positions, source, used))).collect();
        used.pop();
        Self::ByValue(Box::new(Split { key, values, rest }))
    }

    /// The lowest position that holds.
    pub(super) fn first(&self, line: &RequestLine<'_>, holds: &dyn Fn(u32) -> bool) -> Option<u32> {
        self.first_below(u32::MAX, line, holds)
    }

    fn first_below(&self, bound: u32, line: &RequestLine<'_>, holds: &dyn Fn(u32) -> bool) -> Option<u32> {
        match self {
            Self::One(only) => (*only < bound && holds(*only)).then_some(*only),
            Self::Each(positions) => {
                positions.iter().copied().take_while(|position| *position < bound).find(|position| holds(*position))
            }
            Self::ByValue(split) => {
                let Split { key, values, rest } = &**split;
                let asked = key.with_sent(line, |value| values.get(value));
                let found = asked.and_then(|plan| plan.first_below(bound, line, holds));
                rest.first_below(found.unwrap_or(bound), line, holds).or(found)
            }
        }
    }
}

impl Key {
    /// The exact value that a match asks for.
    fn wanted<'m>(&self, source: &'m Match) -> Option<&'m Arc<str>> {
        let value = match self {
            Self::Header(name) => source.headers.iter().find(|header| header.name == *name).map(|header| &header.value),
            Self::Query(name) => source.query.iter().find(|query| query.name == *name).map(|query| &query.value),
        };
        value.and_then(exact)
    }

    /// Looks up what the request sends.
    fn with_sent<R>(&self, line: &RequestLine<'_>, look_up: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
        match self {
            Self::Header(name) => line.header(name).and_then(|value| look_up(&value)),
            Self::Query(name) => line.parameter(name).and_then(|value| look_up(value.as_bytes())),
        }
    }
}

fn exact(value: &ValueMatch) -> Option<&Arc<str>> {
    match value {
        ValueMatch::Exact(text) => Some(text),
        ValueMatch::Regex(_) => None,
    }
}

/// What most different values are asked of.
fn best_key<'m>(positions: &[u32], source: &dyn Fn(u32) -> Option<&'m Match>, used: &[Key]) -> Option<Key> {
    let mut headers: HashMap<&HeaderName, HashSet<&str>> = HashMap::new();
    let mut parameters: HashMap<&Arc<str>, HashSet<&str>> = HashMap::new();
    for source in positions.iter().filter_map(|position| source(*position)) {
        for header in &source.headers {
            headers.entry(&header.name).or_default().extend(exact(&header.value).map(|value| &**value));
        }
        for query in &source.query {
            parameters.entry(&query.name).or_default().extend(exact(&query.value).map(|value| &**value));
        }
    }
    let headers = headers.into_iter().map(|(name, values)| (Key::Header(name.clone()), values.len()));
    let parameters = parameters.into_iter().map(|(name, values)| (Key::Query(name.clone()), values.len()));
    headers
        .chain(parameters)
        .filter(|(key, values)| *values >= VALUES && !used.contains(key))
        .max_by_key(|(_, values)| *values)
        .map(|(key, _)| key)
}
