//! Walks a table as a lookup does, and keeps what it passes.

use super::{Condition, Considered, Explanation, Outcome, Winner};
use crate::precedence::{Criterion, compare};
use crate::request::RequestLine;
use crate::table::{Candidate, HostTable, RouteTable, Spot};
use lychgate_ir::{HostPattern, MatchedPath, PathMatch, RuleId};
use std::cmp::Reverse;
use std::collections::HashSet;

/// So many of those that lost are shown, and so many of those that did not match.
const SHOWN: usize = 10;
/// So many host names are shown when nothing answers.
const HOSTS_SHOWN: usize = 5;

impl<T> RouteTable<T> {
    /// Why a rule answers, and why the others do not. Looks at every match of the host, unlike a lookup.
    pub fn explain(&self, line: &RequestLine<'_>) -> Explanation {
        let mut walk = Walk::new(*line);
        for (host, table) in self.hosts.candidates(line.host) {
            walk.pass(host, table);
        }
        if walk.winner.is_none() {
            walk.pass_other_hosts(self);
        }
        walk.finish()
    }
}

struct Walk<'t, 'r, T> {
    line: RequestLine<'r>,
    winner: Option<(Passed<'t, T>, MatchedPath)>,
    lost: Vec<Passed<'t, T>>,
    /// With the conditions that failed beside the path.
    failed: Vec<(Passed<'t, T>, Vec<Condition>)>,
    /// Whose path does not match.
    elsewhere: Vec<Passed<'t, T>>,
    other_hosts: Vec<Passed<'t, T>>,
}

struct Passed<'t, T> {
    host: &'t HostPattern,
    candidate: &'t Candidate<T>,
}

impl<T> Clone for Passed<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Passed<'_, T> {}

impl<'t, 'r, T> Walk<'t, 'r, T> {
    fn new(line: RequestLine<'r>) -> Self {
        let (lost, failed, elsewhere, other_hosts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { line, winner: None, lost, failed, elsewhere, other_hosts }
    }

    /// The routes of one host name that matches; more specific ones have been passed.
    fn pass(&mut self, host: &'t HostPattern, table: &'t HostTable<T>) {
        let mut on_path = HashSet::new();
        for spot in table.spots(self.line.path) {
            let (matched, candidates) = match spot {
                Spot::Leaf(matched, leaf) => (matched, leaf.candidates()),
                Spot::Regexes(regexes) => (MatchedPath::Regex, regexes.candidates()),
            };
            for candidate in candidates.iter().filter(|candidate| candidate.path_matches(self.line.path)) {
                on_path.insert(std::ptr::from_ref(candidate));
                let failed = candidate.failed(&self.line);
                let passed = Passed { host, candidate };
                if !failed.is_empty() {
                    self.failed.push((passed, failed));
                } else if self.winner.is_none() {
                    self.winner = Some((passed, matched));
                } else {
                    self.lost.push(passed);
                }
            }
        }
        let elsewhere = table.candidates().filter(|candidate| !on_path.contains(&std::ptr::from_ref(*candidate)));
        self.elsewhere.extend(elsewhere.map(|candidate| Passed { host, candidate }));
    }

    /// One match for each host name that does not match.
    fn pass_other_hosts(&mut self, table: &'t RouteTable<T>) {
        let others = table.hosts.iter().filter(|(host, _)| !host.matches(self.line.host));
        let first = others.filter_map(|(host, table)| {
            let candidate = table.candidates().min_by_key(|candidate| (candidate.rule(), candidate.match_index()))?;
            Some(Passed { host, candidate })
        });
        self.other_hosts.extend(first);
    }

    fn finish(self) -> Explanation {
        let Self { line, winner, mut lost, mut failed, mut elsewhere, mut other_hosts } = self;
        let answers = |passed: &Passed<'_, T>| {
            winner.as_ref().is_some_and(|(winner, _)| winner.candidate.rule() == passed.candidate.rule())
        };
        lost.retain(|passed| !answers(passed));
        failed.retain(|(passed, _)| !answers(passed));
        elsewhere.retain(|passed| !answers(passed));

        // Sorts are stable: equals stay in the order in which a lookup passes them.
        failed.sort_by_key(|(_, failed)| failed.len());
        elsewhere.sort_by_cached_key(|passed| {
            let nearness = passed.candidate.source().map(|source| nearness(&source.path, line.path));
            (Reverse(nearness), Reverse(passed.host.clone()), passed.candidate.rule(), passed.candidate.match_index())
        });
        other_hosts.sort_by_cached_key(|passed| {
            (Reverse(common_suffix(&passed.host.to_string(), line.host)), Reverse(passed.host.clone()))
        });

        let mut more = lost.len().saturating_sub(SHOWN);
        more += (failed.len() + elsewhere.len()).saturating_sub(SHOWN);
        more += other_hosts.len().saturating_sub(HOSTS_SHOWN);
        let failed = failed.into_iter().map(|(passed, failed)| (passed, Outcome::DidNotMatch { failed }));
        let elsewhere = elsewhere.into_iter().map(|passed| {
            let outcome = off_path(passed.candidate, &line);
            (passed, outcome)
        });
        let other_hosts = other_hosts.into_iter().map(|passed| {
            let host = Condition::Host { wanted: passed.host.clone(), got: line.host.to_owned() };
            (passed, Outcome::DidNotMatch { failed: vec![host] })
        });
        let lost = lost.into_iter().map(|passed| {
            let outcome = lost_to(&passed, winner.as_ref().map(|(winner, _)| winner));
            (passed, outcome)
        });
        let won = winner.iter().map(|(winner, _)| (*winner, Outcome::Won));
        let considered = won
            .chain(lost.take(SHOWN))
            .chain(failed.chain(elsewhere).take(SHOWN))
            .chain(other_hosts.take(HOSTS_SHOWN))
            .filter_map(|(passed, outcome)| passed.considered(outcome))
            .collect();
        let winner = winner.and_then(|(Passed { host, candidate }, matched)| {
            Some(Winner {
                rule: candidate.rule().clone(),
                match_index: candidate.match_index(),
                host: host.clone(),
                path: candidate.source()?.path.clone(),
                matched,
            })
        });
        Explanation { winner, considered, more }
    }
}

impl<T> Passed<'_, T> {
    fn considered(&self, outcome: Outcome) -> Option<Considered> {
        let Self { host, candidate } = self;
        Some(Considered {
            rule: candidate.rule().clone(),
            match_index: candidate.match_index(),
            host: (*host).clone(),
            path: candidate.source()?.path.clone(),
            outcome,
        })
    }
}

fn lost_to<T>(passed: &Passed<'_, T>, winner: Option<&Passed<'_, T>>) -> Outcome {
    let order = |winner: &Passed<'_, T>| {
        compare((winner.host, winner.candidate.standing()?), (passed.host, passed.candidate.standing()?))
    };
    let because = winner.and_then(order).map_or(Criterion::RuleOrder, |(_, because)| because);
    let to: Option<&RuleId> = winner.map(|winner| winner.candidate.rule());
    Outcome::LostPrecedence { because, to: to.unwrap_or(passed.candidate.rule()).clone() }
}

fn off_path<T>(candidate: &Candidate<T>, line: &RequestLine<'_>) -> Outcome {
    if let Some(unusable) = candidate.unusable() {
        return Outcome::Unusable(unusable.clone());
    }
    let path = candidate.source().map(|source| &source.path);
    let path = path.map(|wanted| Condition::Path { wanted: wanted.clone(), got: line.path.to_owned() });
    Outcome::DidNotMatch { failed: path.into_iter().chain(candidate.failed(line)).collect() }
}

/// How near a path comes to what was asked for: what they have in common in front, whatever the case.
fn nearness(wanted: &PathMatch, path: &str) -> usize {
    let (PathMatch::Exact(wanted) | PathMatch::Prefix(wanted) | PathMatch::Regex(wanted)) = wanted;
    wanted.bytes().zip(path.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}

fn common_suffix(one: &str, other: &str) -> usize {
    one.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count()
}
