//! Random routes and requests over small alphabets, so that they collide.
#![allow(clippy::unwrap_used)]

mod common;
mod reference;

use common::{Built, Request, like, listener, on, rebuilt, route_of, rule};
use http::{HeaderMap, Method};
use lychgate_ir::{HeaderMatch, Match, ObjectName, PathMatch, QueryMatch, Route, RouteId, RouteKind, Rule, ValueMatch};
use lychgate_router::{Outcome, RouteTable};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

const HOSTS: &[&str] = &["", "com", "a.com", "b.a.com", "*.com", "*.a.com", "*.b.a.com", "b.com"];
const REQUEST_HOSTS: &[&str] = &["", "com", "a.com", "b.a.com", "c.b.a.com", "b.com", "c.com", "org"];
const PATHS: &[&str] = &["/", "/a", "/b", "/a/", "/a/b", "/a/b/a", "/ab", "/a//b", "/b/a"];
const REGEXES: &[&str] = &["/.*", "/a|/b", "/[ab]+", "/a/.+", "/", "(/a)+(/b)*", ".*b", "/a("];
const VALUES: &[&str] = &["0", "1", "2", "3", "4", "5"];

fn path() -> impl Strategy<Value = PathMatch> {
    prop_oneof![
        3 => select(PATHS).prop_map(|path| PathMatch::Exact(path.into())),
        4 => select(PATHS).prop_map(|path| PathMatch::Prefix(path.trim_end_matches('/').into())),
        2 => select(REGEXES).prop_map(|text| PathMatch::Regex(text.into())),
    ]
}

fn value() -> impl Strategy<Value = ValueMatch> {
    prop_oneof![
        6 => select(VALUES).prop_map(common::is),
        1 => select(vec!["[0-2]", ".*", "1|1,2", "[5"]).prop_map(like),
    ]
}

fn conditions(names: &'static [&'static str]) -> impl Strategy<Value = Vec<(&'static str, ValueMatch)>> {
    let none = Just(Vec::new());
    let some = subsequence(names, 0..=names.len())
        .prop_flat_map(|names| names.into_iter().map(|name| (Just(name), value())).collect::<Vec<_>>());
    prop_oneof![2 => none, 3 => some]
}

fn a_match() -> impl Strategy<Value = Match> {
    let method = prop::option::weighted(0.25, select(vec!["GET", "POST"]));
    (path(), method, conditions(&["x-a", "x-b"]), conditions(&["p", "q"])).prop_map(|(path, method, headers, query)| {
        let headers =
            headers.into_iter().map(|(name, value)| HeaderMatch { name: name.parse().unwrap(), value }).collect();
        let query = query.into_iter().map(|(name, value)| QueryMatch { name: name.into(), value }).collect();
        Match { method: method.map(Into::into), headers, query, ..on(path) }
    })
}

fn a_route() -> impl Strategy<Value = Arc<Route>> {
    let name = (select(vec!["n", "n-a"]), select((0..30).collect::<Vec<u32>>()), prop::bool::weighted(0.1));
    let rules = prop::collection::vec(prop::collection::vec(a_match(), 1..4), 1..4);
    let created = prop::option::of(0..3_i64);
    (name, created, subsequence(HOSTS, 1..=3), rules).prop_map(|((namespace, name, grpc), created, hosts, rules)| {
        let kind = if grpc { RouteKind::Grpc } else { RouteKind::Http };
        let id = RouteId { kind, name: ObjectName::new(namespace, format!("r{name}")) };
        let rules = (0_u32..).zip(rules).map(|(index, matches)| rule(&id, index, matches)).collect();
        route_of(id, created, &hosts, rules)
    })
}

/// As in a snapshot: by id, one route each.
type Routes = BTreeMap<RouteId, Arc<Route>>;

fn routes(most: usize) -> impl Strategy<Value = Routes> {
    prop::collection::vec(a_route(), 0..most)
        .prop_map(|routes| routes.into_iter().map(|route| (route.id.clone(), route)).collect())
}

/// Routes of one host, all by the prefix `/` or by one of many expressions, to make long lists of candidates.
fn crowd(size: std::ops::Range<usize>) -> impl Strategy<Value = Routes> {
    let by = prop::option::of(0..20_u32);
    prop::collection::vec((0..100_u32, a_match(), by), size).prop_map(|matches| {
        let to_route = |(number, mut matched, by): (u32, Match, Option<u32>)| {
            matched.path = match by {
                None => PathMatch::Prefix("".into()),
                Some(any) if any % 2 == 0 => PathMatch::Regex(format!("/.{{0,{any}}}").into()),
                Some(few) => PathMatch::Regex(format!("/[ab/]{{{few}}}").into()),
            };
            let route = common::route(&format!("r{number}"), None, &["a.com"], vec![vec![matched]]);
            (route.id.clone(), route)
        };
        matches.into_iter().map(to_route).collect()
    })
}

fn request() -> impl Strategy<Value = Request> {
    let path = prop_oneof![9 => select(PATHS), 1 => Just("*")];
    let headers = prop::collection::vec((select(vec!["x-a", "x-b"]), select(VALUES)), 0..4);
    let pairs = prop::collection::vec((select(vec!["p", "q", "%70"]), select(VALUES)), 0..4);
    let method = select(vec![Method::GET, Method::POST, Method::PUT]);
    (select(REQUEST_HOSTS), method, path, headers, prop::option::of(pairs)).prop_map(
        |(host, method, path, lines, pairs)| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, value.parse().unwrap());
            }
            let query =
                pairs.map(|pairs| pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>());
            let query = query.map(|pairs| pairs.join("&"));
            Request { host: host.to_owned(), method, path: path.to_owned(), query, headers }
        },
    )
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    prop::collection::vec(request(), 1..20)
}

fn build(routes: &Routes, previous: Option<Built<'_, u32>>, made: &mut u32) -> RouteTable<u32> {
    let make: &mut dyn FnMut(&Arc<Rule>) -> u32 = &mut |_| {
        *made += 1;
        *made
    };
    let (table, unusable) = rebuilt(&listener("http"), routes.values(), previous, make);
    assert_eq!(unusable, table.unusable());
    table
}

fn check(routes: &Routes, requests: &[Request]) -> Result<(), TestCaseError> {
    let table = build(routes, None, &mut 0);
    for request in requests {
        let found = table.find(&request.line());
        let found = found.map(|hit| (hit.rule.clone(), hit.match_index, hit.host.clone(), hit.matched));
        let expected = reference::find(routes.values(), request);
        let told = expected.as_ref().map(|expected| {
            let reference::Found { rule, match_index, host, matched } = expected;
            (rule.clone(), *match_index, host.clone(), *matched)
        });
        prop_assert_eq!(&found, &told, "{:?}", request);

        let explanation = table.explain(&request.line());
        let winner = explanation.winner.map(|winner| (winner.rule, winner.match_index, winner.host, winner.matched));
        prop_assert_eq!(&winner, &found, "{:?}", request);
        for considered in explanation.considered {
            let place = (considered.rule, considered.match_index, considered.host);
            let holds = reference::holds(routes.values(), request, &place);
            match considered.outcome {
                Outcome::Won => {
                    prop_assert!(found.as_ref().is_some_and(|found| (&found.0, found.1) == (&place.0, place.1)))
                }
                Outcome::LostPrecedence { because, to } => {
                    prop_assert!(holds);
                    let winner =
                        found.as_ref().map(|(rule, match_index, host, _)| (rule.clone(), *match_index, host.clone()));
                    prop_assert_eq!(Some(&to), winner.as_ref().map(|winner| &winner.0));
                    let expected = reference::criterion(&routes.values(), &winner.unwrap(), &place);
                    prop_assert_eq!(Some(because), expected);
                }
                Outcome::DidNotMatch { failed } => {
                    prop_assert!(!failed.is_empty());
                    prop_assert!(!holds);
                }
                Outcome::Unusable(_) => prop_assert!(!holds),
            }
        }
    }
    Ok(())
}

/// In each step one route goes and some come or change.
fn check_steps(first: Routes, steps: &[(Routes, Index)], requests: &[Request]) -> Result<(), TestCaseError> {
    let mut routes = first;
    let mut made = 0;
    let mut table = build(&routes, None, &mut made);
    for (changed, removed) in steps {
        let earlier: Vec<Arc<Route>> = routes.values().cloned().collect();
        if let Some(id) =
            (!routes.is_empty()).then(|| routes.keys().nth(removed.index(routes.len()))).flatten().cloned()
        {
            routes.remove(&id);
        }
        routes.extend(changed.clone());
        let before = made;
        table = build(&routes, Some((&earlier, &table)), &mut made);
        let new: u32 = changed.values().map(|route| u32::try_from(route.rules.len()).unwrap()).sum();
        prop_assert_eq!(made - before, new, "a payload is made for each new rule, and for no other");

        let fresh = build(&routes, None, &mut 0);
        prop_assert_eq!(table.len(), fresh.len());
        let unusable =
            |table: &RouteTable<u32>| table.unusable().iter().map(ToString::to_string).collect::<HashSet<_>>();
        prop_assert_eq!(unusable(&table), unusable(&fresh));
        for request in requests {
            prop_assert_eq!(table.explain(&request.line()), fresh.explain(&request.line()));
            let [found, expected] = [&table, &fresh].map(|table| {
                table
                    .find(&request.line())
                    .map(|hit| (hit.rule.clone(), hit.match_index, hit.host.clone(), hit.matched))
            });
            prop_assert_eq!(found, expected);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, rng_seed: RngSeed::Fixed(20), ..ProptestConfig::default() })]

    #[test]
    fn a_lookup_finds_what_trying_everything_finds((routes, requests) in (routes(16), requests())) {
        check(&routes, &requests)?;
    }

    #[test]
    fn long_lists_of_candidates_do_too((routes, mut requests) in (crowd(20..60), requests())) {
        for request in &mut requests {
            request.host = "a.com".to_owned();
        }
        check(&routes, &requests)?;
    }

    #[test]
    fn a_table_built_on_another_is_the_same((first, steps, requests) in
        (routes(12), prop::collection::vec((routes(4), any::<Index>()), 1..5), requests()))
    {
        check_steps(first, &steps, &requests)?;
    }

    #[test]
    fn long_lists_built_on_others_are_the_same((first, steps, mut requests) in
        (crowd(20..60), prop::collection::vec((crowd(1..3), any::<Index>()), 1..4), requests()))
    {
        for request in &mut requests {
            request.host = "a.com".to_owned();
        }
        check_steps(first, &steps, &requests)?;
    }
}
