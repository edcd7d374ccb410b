//! Any routes and any requests: the router agrees with the reference, and nothing panics.
//!
//! The corpus is beside this, in `__fuzz__`. CONTRIBUTING.md says how to look for longer.
#![allow(clippy::unwrap_used)]

mod common;
#[allow(dead_code)]
mod reference;

use common::{Built, Request, listener, on, rebuilt, route_id, route_of, rule};
use http::uri::Authority;
use http::{HeaderMap, Method};
use lychgate_ir::{HeaderMatch, HostPattern, Match, PathMatch, QueryMatch, Route, ValueMatch};
use lychgate_router::{RouteTable, normalize_host};
use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

const HOSTS: &[&str] = &["", "com", "a.com", "b.a.com", "*.com", "*.a.com", "*.b.a.com", "xn--a.com"];
const PATHS: &[&str] = &["/", "/a", "/a/", "/a/b", "/ab", "/a//b", "/%2F", "/a/b/a/b"];
const REGEXES: &[&str] = &["/.*", "/a|/b", "/[ab]+", "/", "(/a)+(/b)*", "/(", ".{0,3}"];
const VALUES: &[&str] = &["", "0", "1", "1,2", "2"];

/// Choices, made by the input. When it ends, everything is the first choice.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, end: u8) -> u8 {
        self.0.next().map_or(0, |byte| byte % end)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.below(u8::try_from(all.len()).unwrap()))]
    }

    fn some<T>(&mut self, most: u8, mut each: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| each(self)).collect()
    }

    /// Text of these characters.
    fn text(&mut self, most: u8, letters: &[char]) -> String {
        self.some(most, |choices| choices.of(letters)).into_iter().collect()
    }

    fn path(&mut self) -> String {
        if self.below(2) == 0 {
            self.of(PATHS).to_owned()
        } else {
            format!("/{}", self.text(6, &['/', 'a', 'b', '%', '.', 'é']))
        }
    }

    fn host(&mut self) -> String {
        if self.below(4) > 0 {
            self.of(HOSTS).replace('*', "c")
        } else {
            self.text(8, &['a', 'b', '.', '*', ':', '[', 'é', '-'])
        }
    }

    fn value(&mut self) -> ValueMatch {
        match self.below(4) {
            0 => ValueMatch::Regex(self.of(&["[0-2]", ".*", "1|1,2", "[5"]).into()),
            _ => ValueMatch::Exact(self.of(VALUES).into()),
        }
    }

    fn a_match(&mut self) -> Match {
        let path = match self.below(3) {
            0 => PathMatch::Exact(self.path().into()),
            1 => PathMatch::Prefix(self.path().trim_end_matches('/').into()),
            _ => PathMatch::Regex(self.of(REGEXES).into()),
        };
        let method = self.of(&[None, Some("GET"), Some("POST")]).map(Into::into);
        let mut named = |names: &[&'static str]| {
            let all = self.some(2, |choices| (choices.of(names), choices.value()));
            // A header or parameter is asked for once.
            all.into_iter().collect::<BTreeMap<_, _>>()
        };
        let (headers, query) = (named(&["x-a", "x-b"]), named(&["p", "q"]));
        let headers = headers.into_iter().map(|(name, value)| HeaderMatch { name: name.parse().unwrap(), value });
        let query = query.into_iter().map(|(name, value)| QueryMatch { name: name.into(), value });
        Match { method, headers: headers.collect(), query: query.collect(), ..on(path) }
    }

    fn route(&mut self) -> Arc<Route> {
        let id = route_id(&format!("r{}", self.below(16)));
        let created = self.of(&[None, Some(0), Some(1)]);
        let mut hosts = self.some(3, |choices| choices.of(HOSTS));
        hosts.sort_unstable();
        hosts.dedup();
        let matches = self.some(3, |choices| [vec![choices.a_match()], choices.some(2, Self::a_match)].concat());
        let rules = (0_u32..).zip(matches).map(|(index, matches)| rule(&id, index, matches)).collect();
        route_of(id, created, &hosts, rules)
    }

    fn request(&mut self) -> Request {
        let mut headers = HeaderMap::new();
        for (name, value) in self.some(3, |choices| (choices.of(&["x-a", "x-b"]), choices.of(VALUES))) {
            headers.append(name, value.parse().unwrap());
        }
        let pairs = self.some(3, |choices| format!("{}={}", choices.of(&["p", "q", "%70"]), choices.of(VALUES)));
        let query = (!pairs.is_empty()).then(|| pairs.join("&"));
        let method = self.of(&[Method::GET, Method::POST, Method::PUT].each_ref()).clone();
        let path = if self.below(16) == 15 { "*".to_owned() } else { self.path() };
        Request { host: self.host(), method, path, query, headers }
    }
}

type Routes = BTreeMap<String, Arc<Route>>;

fn build(routes: &Routes, previous: Option<Built<'_, ()>>) -> RouteTable<()> {
    rebuilt(&listener("http"), routes.values(), previous, &mut |_| ()).0
}

/// A table finds what trying everything finds, and explains just that.
fn agrees(table: &RouteTable<()>, routes: &Routes, request: &Request) {
    let found = table.find(&request.line());
    let found = found.map(|hit| (hit.rule.clone(), hit.match_index, hit.host.clone(), hit.matched));
    let expected = reference::find(routes.values(), request).map(|expected| {
        let reference::Found { rule, match_index, host, matched } = expected;
        (rule, match_index, host, matched)
    });
    assert_eq!(found, expected, "{request:?}");
    let winner = table.explain(&request.line()).winner;
    let winner = winner.map(|winner| (winner.rule, winner.match_index, winner.host, winner.matched));
    assert_eq!(winner, found, "{request:?}");
}

#[test]
fn fuzz_matching() {
    bolero::check!().with_max_len(1024).for_each(|bytes| {
        let mut choices = Choices(bytes.iter());
        let mut routes = Routes::new();
        let mut previous: Option<(Vec<Arc<Route>>, RouteTable<()>)> = None;
        for _ in 0..2 {
            for route in choices.some(6, Choices::route) {
                routes.insert(route.id.to_string(), route);
            }
            let table = build(&routes, previous.as_ref().map(|(routes, table)| (&**routes, table)));
            for request in [vec![choices.request()], choices.some(8, Choices::request)].concat() {
                agrees(&table, &routes, &request);
            }
            previous = Some((routes.values().cloned().collect(), table));
        }
    });
}

/// Texts in the places where a client writes: nothing is assumed of them.
#[test]
fn fuzz_request() {
    let route = |name, host, path| common::route(name, None, &[host], vec![vec![on(path)]]);
    let mut matched = on(PathMatch::Prefix("/a".into()));
    matched.query = vec![QueryMatch { name: "q".into(), value: ValueMatch::Regex("[0-9]+".into()) }];
    let table = common::table(&[
        route("exact", "a.com", PathMatch::Exact("/a".into())),
        route("regex", "*.com", PathMatch::Regex("/(a|é)+.*".into())),
        route("prefix", "", PathMatch::Prefix("".into())),
        common::route("query", None, &["b.com"], vec![vec![matched]]),
    ]);
    bolero::check!().with_type::<(String, String, Option<String>)>().for_each(|(host, path, query)| {
        let (method, headers) = (Method::GET, HeaderMap::new());
        let request = Request {
            host: normalize_host(host).into_owned(),
            method,
            path: path.clone(),
            query: query.clone(),
            headers,
        };
        let hit = table.find(&request.line());
        assert!(hit.is_some(), "the prefix `/` takes every request");
    });
}

#[test]
fn fuzz_authority() {
    bolero::check!().for_each(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        one_form(&text);
        // Half of what is sent there is nearly one.
        let letters = ['a', 'Z', '.', ':', '8', '0', '[', ']', '-', '@'];
        one_form(&bytes.iter().map(|byte| letters[usize::from(*byte) % letters.len()]).collect::<String>());
    });
}

/// What is a host name once is one form of it, and the one that another library reads.
fn one_form(authority: &str) {
    let host = normalize_host(authority);
    assert!(!host.bytes().any(|byte| byte.is_ascii_uppercase()), "{authority:?} -> {host:?}");
    assert!(authority.to_ascii_lowercase().contains(&*host), "{authority:?} -> {host:?}: nothing is made up");
    if HostPattern::parse(&host).is_ok() {
        assert_eq!(normalize_host(&host), host, "{authority:?}");
        let upper = host.to_ascii_uppercase();
        for written in [upper.clone(), format!("{upper}."), format!("{upper}:1"), format!("{upper}.:65535")] {
            assert_eq!(normalize_host(&written), host, "{written:?}");
        }
    }
    // The library is lenient with what stands beside a host. Users are refused before anybody asks for the host.
    let Ok(parsed) = authority.parse::<Authority>() else { return };
    let rest = authority.strip_prefix(parsed.host());
    let port = rest.and_then(|rest| if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':') });
    if port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit())) {
        let expected = parsed.host().to_ascii_lowercase();
        let expected = expected.strip_suffix('.').unwrap_or(&expected);
        let is_address =
            || expected.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok());
        if HostPattern::parse(expected).is_ok() || is_address().is_some() {
            assert_eq!(host, expected, "{authority:?}");
        }
    }
}
