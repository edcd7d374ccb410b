//! Which of two matches goes first.
//!
//! The one place that writes the order: tables are sorted by it and explanations quote it.

use lychgate_ir::{HostPattern, Match, PathMatch, RouteId};
use serde::Serialize;
use std::cmp::Ordering;
use std::fmt;

/// Why a match that holds comes after another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Criterion {
    /// The other route's host name is more specific.
    LessSpecificHost,
    /// Exact paths go before prefixes, those before regular expressions, and the prefix `/` comes last.
    PathKind,
    /// The other prefix is longer.
    ShorterPrefix,
    /// Only the other asks for a method.
    NoMethod,
    /// The other asks for more headers.
    FewerHeaders,
    /// The other asks for more query parameters.
    FewerQueries,
    /// The other route is older.
    Younger,
    /// The other route's `namespace/name` comes first in the alphabet.
    NameOrder,
    /// The other is written first in the same route.
    RuleOrder,
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LessSpecificHost => "its host name is more specific",
            Self::PathKind => {
                "an exact path goes before a prefix, a prefix before a regular expression, and the prefix / comes last"
            }
            Self::ShorterPrefix => "its path prefix is longer",
            Self::NoMethod => "it asks for a method",
            Self::FewerHeaders => "it asks for more headers",
            Self::FewerQueries => "it asks for more query parameters",
            Self::Younger => "its route is older",
            Self::NameOrder => "its route's namespace/name comes first in the alphabet",
            Self::RuleOrder => "it is written first in the route",
        })
    }
}

/// One match of a route, with all that precedence looks at.
#[derive(Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) matched: &'a Match,
    pub(crate) created: Option<i64>,
    pub(crate) route: &'a RouteId,
    /// Rule, then match within it.
    pub(crate) position: (u32, u32),
}

/// Compares two matches that hold for one request: `Less` goes first. `None` for a match and itself.
pub(crate) fn compare(
    (host, one): (&HostPattern, Standing<'_>),
    (other_host, other): (&HostPattern, Standing<'_>),
) -> Option<(Ordering, Criterion)> {
    decide(other_host.cmp(host), Criterion::LessSpecificHost)
        .or_else(|| by_path(&one.matched.path, &other.matched.path))
        .or_else(|| by_conditions(one.matched, other.matched))
        .or_else(|| by_age_and_name(one, other))
}

/// Compares two matches of one host and one path.
pub(crate) fn within_place(one: Standing<'_>, other: Standing<'_>) -> Ordering {
    by_conditions(one.matched, other.matched)
        .or_else(|| by_age_and_name(one, other))
        .map_or(Ordering::Equal, |(order, _)| order)
}

fn by_path(one: &PathMatch, other: &PathMatch) -> Option<(Ordering, Criterion)> {
    let kind = |path: &PathMatch| match path {
        PathMatch::Exact(_) => 0,
        PathMatch::Prefix(prefix) if !prefix.is_empty() => 1,
        PathMatch::Regex(_) => 2,
        PathMatch::Prefix(_) => 3,
    };
    let length = |path: &PathMatch| match path {
        PathMatch::Prefix(prefix) => prefix.len(),
        PathMatch::Exact(_) | PathMatch::Regex(_) => 0,
    };
    decide(kind(one).cmp(&kind(other)), Criterion::PathKind)
        .or_else(|| decide(length(other).cmp(&length(one)), Criterion::ShorterPrefix))
}

fn by_conditions(one: &Match, other: &Match) -> Option<(Ordering, Criterion)> {
    decide(other.method.is_some().cmp(&one.method.is_some()), Criterion::NoMethod)
        .or_else(|| decide(other.headers.len().cmp(&one.headers.len()), Criterion::FewerHeaders))
        .or_else(|| decide(other.query.len().cmp(&one.query.len()), Criterion::FewerQueries))
}

fn by_age_and_name(one: Standing<'_>, other: Standing<'_>) -> Option<(Ordering, Criterion)> {
    let age = |standing: Standing<'_>| standing.created.unwrap_or(i64::MAX);
    decide(age(one).cmp(&age(other)), Criterion::Younger)
        .or_else(|| decide(by_name(one.route, other.route), Criterion::NameOrder))
        .or_else(|| decide(one.position.cmp(&other.position), Criterion::RuleOrder))
}

/// By the text `namespace/name`, in which `a-b/x` comes before `a/x`; routes of two kinds may share it.
fn by_name(one: &RouteId, other: &RouteId) -> Ordering {
    fn text(route: &RouteId) -> impl Iterator<Item = u8> {
        route.name.namespace.bytes().chain([b'/']).chain(route.name.name.bytes())
    }
    let names = if one.name.namespace == other.name.namespace {
        one.name.name.cmp(&other.name.name)
    } else {
        text(one).cmp(text(other))
    };
    names.then_with(|| one.kind.cmp(&other.kind))
}

fn decide(order: Ordering, criterion: Criterion) -> Option<(Ordering, Criterion)> {
    order.is_ne().then_some((order, criterion))
}
