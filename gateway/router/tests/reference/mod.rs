//! The semantics once more, with nothing clever about them: every match is tried, and those that hold are sorted.

use crate::common::Request;
use lychgate_ir::{HostPattern, Match, PathMatch, Route, RouteKind, RuleId, ValueMatch};
use lychgate_router::{Criterion, MatchedPath};
use regex::Regex;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

pub(crate) struct Found {
    pub(crate) rule: RuleId,
    pub(crate) match_index: usize,
    pub(crate) host: HostPattern,
    pub(crate) matched: MatchedPath,
}

/// A match under a host name, by which a test names it.
pub(crate) type Name = (RuleId, usize, HostPattern);

/// Greater goes first.
type Host = (u8, usize);
type Path = (u8, usize);
type Conditions = (bool, usize, usize);
type Tie = Reverse<(i64, String, RouteKind, u32, usize)>;

fn all<'r>(
    routes: impl Iterator<Item = &'r Arc<Route>>,
) -> impl Iterator<Item = (&'r Arc<Route>, &'r HostPattern, &'r RuleId, usize, &'r Match)> {
    routes.flat_map(|route| {
        route.attachments[0].hostnames.iter().flat_map(move |host| {
            route.rules.iter().flat_map(move |rule| {
                let matches = rule.matches.iter().enumerate();
                matches.map(move |(index, matched)| (route, host, &rule.id, index, matched))
            })
        })
    })
}

fn key(
    route: &Route,
    host: &HostPattern,
    rule: &RuleId,
    index: usize,
    matched: &Match,
) -> (Host, Path, Conditions, Tie) {
    let host = match host {
        HostPattern::Any => (0, 0),
        HostPattern::Wildcard(name) => (1, name.len()),
        HostPattern::Exact(name) => (2, name.len()),
    };
    let path = match &matched.path {
        PathMatch::Exact(_) => (3, 0),
        PathMatch::Prefix(prefix) if !prefix.is_empty() => (2, prefix.len()),
        PathMatch::Regex(_) => (1, 0),
        PathMatch::Prefix(_) => (0, 0),
    };
    let conditions = (matched.method.is_some(), matched.headers.len(), matched.query.len());
    let name = format!("{}/{}", route.id.name.namespace, route.id.name.name);
    let tie = Reverse((route.created.unwrap_or(i64::MAX), name, route.id.kind, rule.index, index));
    (host, path, conditions, tie)
}

/// Compiled once: they are few, and random cases are many.
fn compiled(text: &str) -> Option<Regex> {
    static COMPILED: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut all = COMPILED.lock().unwrap();
    let whole = || Regex::new(text).ok().map(|_| Regex::new(&format!("^(?:{text})$")).unwrap());
    all.entry(text.to_owned()).or_insert_with(whole).clone()
}

fn is_whole(text: &str, got: &str) -> bool {
    compiled(text).is_some_and(|regex| regex.is_match(got))
}

fn value_holds(wanted: &ValueMatch, got: Option<&String>) -> bool {
    match wanted {
        ValueMatch::Exact(text) => got.is_some_and(|got| got == &**text),
        ValueMatch::Regex(text) => got.is_some_and(|got| is_whole(text, got)),
    }
}

fn is_unusable(matched: &Match) -> bool {
    let values = matched.headers.iter().map(|header| &header.value);
    let values = values.chain(matched.query.iter().map(|query| &query.value));
    let bad = |text: &str| compiled(text).is_none();
    let bad_value = |value: &ValueMatch| matches!(value, ValueMatch::Regex(text) if bad(text));
    values.into_iter().any(bad_value) || matches!(&matched.path, PathMatch::Regex(text) if bad(text))
}

fn match_holds(matched: &Match, request: &Request) -> Option<MatchedPath> {
    let path = match &matched.path {
        PathMatch::Exact(path) => (**path == *request.path).then_some(MatchedPath::Exact),
        PathMatch::Prefix(prefix) => {
            let holds =
                prefix.is_empty() || *request.path == **prefix || request.path.starts_with(&format!("{prefix}/"));
            holds.then_some(MatchedPath::Prefix(prefix.len()))
        }
        PathMatch::Regex(text) => is_whole(text, &request.path).then_some(MatchedPath::Regex),
    }?;
    let method = matched.method.as_deref().is_none_or(|method| method == request.method.as_str());
    let headers = matched.headers.iter().all(|header| {
        let lines: Vec<_> = request.headers.get_all(&header.name).iter().map(|line| line.to_str().unwrap()).collect();
        value_holds(&header.value, (!lines.is_empty()).then(|| lines.join(",")).as_ref())
    });
    let mut parameters = HashMap::new();
    for pair in request.query.iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap();
        // The only encoding that the requests use.
        parameters.entry(key.replace("%70", "p")).or_insert_with(|| value.to_owned());
    }
    let query = matched.query.iter().all(|query| value_holds(&query.value, parameters.get(&*query.name)));
    (method && headers && query && !is_unusable(matched)).then_some(path)
}

pub(crate) fn find<'r>(routes: impl Iterator<Item = &'r Arc<Route>>, request: &Request) -> Option<Found> {
    all(routes)
        .filter(|(_, host, ..)| host.matches(&request.host))
        .filter_map(|(route, host, rule, index, matched)| {
            let path = match_holds(matched, request)?;
            Some((key(route, host, rule, index, matched), (rule, index, host, path)))
        })
        .max_by(|(one, _), (other, _)| one.cmp(other))
        .map(|(_, (rule, match_index, host, matched))| Found {
            rule: rule.clone(),
            match_index,
            host: host.clone(),
            matched,
        })
}

fn named<'r>(
    routes: impl Iterator<Item = &'r Arc<Route>>,
    (rule, index, host): &Name,
) -> (&'r Arc<Route>, &'r HostPattern, &'r RuleId, usize, &'r Match) {
    all(routes).find(|(_, h, r, i, _)| (*h, *r, i) == (host, rule, index)).unwrap()
}

pub(crate) fn holds<'r>(routes: impl Iterator<Item = &'r Arc<Route>>, request: &Request, name: &Name) -> bool {
    let (_, host, _, _, matched) = named(routes, name);
    host.matches(&request.host) && match_holds(matched, request).is_some()
}

/// The first point in which the winner is ahead.
pub(crate) fn criterion<'r>(
    routes: &(impl Iterator<Item = &'r Arc<Route>> + Clone),
    winner: &Name,
    loser: &Name,
) -> Option<Criterion> {
    let of = |name: &Name| {
        let (route, host, rule, index, matched) = named(routes.clone(), name);
        key(route, host, rule, index, matched)
    };
    let (host, path, conditions, Reverse(tie)) = of(winner);
    let (other_host, other_path, other_conditions, Reverse(other_tie)) = of(loser);
    let points = [
        (host > other_host, Criterion::LessSpecificHost),
        (path.0 > other_path.0, Criterion::PathKind),
        (path.1 > other_path.1, Criterion::ShorterPrefix),
        (conditions.0 && !other_conditions.0, Criterion::NoMethod),
        (conditions.1 > other_conditions.1, Criterion::FewerHeaders),
        (conditions.2 > other_conditions.2, Criterion::FewerQueries),
        (tie.0 < other_tie.0, Criterion::Younger),
        ((&tie.1, &tie.2) < (&other_tie.1, &other_tie.2), Criterion::NameOrder),
        ((tie.3, tie.4) < (other_tie.3, other_tie.4), Criterion::RuleOrder),
    ];
    points.into_iter().find(|(ahead, _)| *ahead).map(|(_, criterion)| criterion)
}
