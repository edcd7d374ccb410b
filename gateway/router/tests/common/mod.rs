//! Short ways to write routes and requests.
#![allow(clippy::unwrap_used, dead_code)]

use http::{HeaderMap, Method};
use lychgate_ir::{
    Attachment, Forward, GatewayId, HeaderMatch, HostPattern, ListenerId, ListenerOwner, Match, ObjectName, PathMatch,
    QueryMatch, Route, RouteId, RouteKind, Rule, RuleId, Timeouts, ValueMatch,
};
use lychgate_persistent::OrdMap;
use lychgate_router::{RequestLine, RouteTable, Unusable};
use std::sync::Arc;

pub(crate) fn listener(section: &str) -> ListenerId {
    let gateway = GatewayId(ObjectName::new("infra", "gate"));
    ListenerId { gateway, owner: ListenerOwner::Gateway, section: section.into() }
}

pub(crate) fn host(text: &str) -> HostPattern {
    HostPattern::parse(text).unwrap()
}

pub(crate) fn route_id(name: &str) -> RouteId {
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    RouteId { kind: RouteKind::Http, name: ObjectName::new(namespace, name) }
}

pub(crate) fn rule(route: &RouteId, index: u32, matches: Vec<Match>) -> Arc<Rule> {
    let id = RuleId { route: route.clone(), generation: 1, index, name: None };
    let forward = Forward { backends: vec![], timeouts: Timeouts::default(), retry: None, persistence: None };
    Arc::new(Rule { id, matches, filters: vec![], forward: Ok(Arc::new(forward)) })
}

/// A route for [`listener`]`("http")` with these rules.
pub(crate) fn route_of(id: RouteId, created: Option<i64>, hosts: &[&str], rules: Vec<Arc<Rule>>) -> Arc<Route> {
    let hostnames =
        if hosts.is_empty() { vec![HostPattern::Any] } else { hosts.iter().map(|text| host(text)).collect() };
    let attachments = [Attachment { listener: listener("http"), hostnames }].into();
    Arc::new(Route { id, created, attachments, rules })
}

/// A route with one rule for each list of matches.
pub(crate) fn route(name: &str, created: Option<i64>, hosts: &[&str], rules: Vec<Vec<Match>>) -> Arc<Route> {
    let id = route_id(name);
    let rules = (0_u32..).zip(rules).map(|(index, matches)| rule(&id, index, matches)).collect();
    route_of(id, created, hosts, rules)
}

pub(crate) fn on(path: PathMatch) -> Match {
    Match { path, method: None, headers: vec![], query: vec![] }
}

pub(crate) fn exact(path: &str) -> Match {
    on(PathMatch::Exact(path.into()))
}

pub(crate) fn prefix(path: &str) -> Match {
    on(PathMatch::Prefix(path.trim_end_matches('/').into()))
}

pub(crate) fn regex(text: &str) -> Match {
    on(PathMatch::Regex(text.into()))
}

pub(crate) trait With: Sized {
    fn method(self, method: &str) -> Self;
    fn header(self, name: &str, value: ValueMatch) -> Self;
    fn query(self, name: &str, value: ValueMatch) -> Self;
}

impl With for Match {
    fn method(mut self, method: &str) -> Self {
        self.method = Some(method.into());
        self
    }

    fn header(mut self, name: &str, value: ValueMatch) -> Self {
        self.headers.push(HeaderMatch { name: name.parse().unwrap(), value });
        self
    }

    fn query(mut self, name: &str, value: ValueMatch) -> Self {
        self.query.push(QueryMatch { name: name.into(), value });
        self
    }
}

pub(crate) fn is(value: &str) -> ValueMatch {
    ValueMatch::Exact(value.into())
}

pub(crate) fn like(text: &str) -> ValueMatch {
    ValueMatch::Regex(text.into())
}

/// A table whose payloads are the rules' names.
pub(crate) fn table(routes: &[Arc<Route>]) -> RouteTable<String> {
    RouteTable::build(&listener("http"), routes, &mut |rule| rule.id.to_string()).0
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) host: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
}

impl Request {
    pub(crate) fn get(host: &str, path_and_query: &str) -> Self {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path_and_query, None),
        };
        let (host, path) = (host.to_owned(), path.to_owned());
        Self { host, method: Method::GET, path, query, headers: HeaderMap::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn line(&self) -> RequestLine<'_> {
        let Self { host, method, path, query, headers } = self;
        RequestLine { host, method, path, query: query.as_deref(), headers }
    }
}

/// Routes, and their table.
pub(crate) type Built<'t, T> = (&'t [Arc<Route>], &'t RouteTable<T>);

/// A table of these routes: of nothing, or of the one before with what is different.
pub(crate) fn rebuilt<'r, T>(
    listener: &ListenerId,
    routes: impl IntoIterator<Item = &'r Arc<Route>>,
    previous: Option<Built<'_, T>>,
    make: &mut dyn FnMut(&Arc<Rule>) -> T,
) -> (RouteTable<T>, Vec<Unusable>) {
    let Some((before, previous)) = previous else { return RouteTable::build(listener, routes, make) };
    let by_id = |route: &Arc<Route>| (route.id.clone(), route.clone());
    let before: OrdMap<RouteId, Arc<Route>> = before.iter().map(by_id).collect();
    let now: OrdMap<RouteId, Arc<Route>> = routes.into_iter().map(by_id).collect();
    previous.edited(now.changes(&before, Arc::ptr_eq), make)
}
