//! Prints what builds, changes and lookups cost at a size given as argument (50,000 routes by default).
//!
//! `cargo run --release -p lychgate-router --example timing`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use http::{HeaderMap, HeaderValue, Method};
use lychgate_ir::{
    Attachment, Forward, GatewayId, HeaderMatch, HostPattern, ListenerId, ListenerOwner, Match, ObjectName, PathMatch,
    Route, RouteId, RouteKind, Rule, RuleId, Timeouts, ValueMatch,
};
use lychgate_persistent::OrdMap;
use lychgate_router::{RequestLine, RouteTable};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CHANGES: usize = 20;
const LOOKUPS: usize = 200_000;

fn main() {
    let size = std::env::args().nth(1).and_then(|size| size.parse().ok()).unwrap_or(50_000);
    println!("{size} routes   {:>10} {:>12} {:>12}", "build", "one change", "one lookup");
    measure("one host each", size, |n| (format!("host-{n}.example.com"), PathMatch::Prefix("".into()), None));
    measure("a wildcard each", size, |n| (format!("*.host-{n}.example.com"), PathMatch::Prefix("".into()), None));
    measure("one host, a prefix each", size, |n| {
        ("example.com".to_owned(), PathMatch::Prefix(format!("/api/service-{n}").into()), None)
    });
    measure("one host, an exact path each", size, |n| {
        ("example.com".to_owned(), PathMatch::Exact(format!("/api/service-{n}/x").into()), None)
    });
    measure("one path, a header value each", size, |n| {
        ("example.com".to_owned(), PathMatch::Prefix("/api".into()), Some(format!("tenant-{n}")))
    });
    measure("one host, 200 expressions", 200, |n| {
        ("example.com".to_owned(), PathMatch::Regex(format!("/api/[a-z]+-{n}/.*").into()), None)
    });
}

type Asks = (String, PathMatch, Option<String>);

fn measure(what: &str, size: usize, asks: impl Fn(usize) -> Asks) {
    let listener = listener();
    let number = |number| route(number, asks(number));
    let mut routes: OrdMap<_, _> = (0..size).map(number).map(|route| (route.id.clone(), route)).collect();
    let make = &mut |rule: &Arc<Rule>| rule.id.index;
    let start = Instant::now();
    let (mut table, _) = RouteTable::build(&listener, routes.values(), make);
    let built = start.elapsed();

    let mut changed = Duration::ZERO;
    for change in 0..CHANGES {
        let route = number(change * 7919 % size);
        let start = Instant::now();
        let before = routes.clone();
        routes.insert(route.id.clone(), route);
        table = table.edited(routes.changes(&before, Arc::ptr_eq), make).0;
        changed += start.elapsed();
    }

    let requests: Vec<_> = (0..1000).map(|step| request(asks(step * 104_729 % size))).collect();
    let start = Instant::now();
    let mut found = 0;
    for (host, path, headers) in requests.iter().cycle().take(LOOKUPS) {
        let line = RequestLine { host, method: &Method::GET, path, query: None, headers };
        found += usize::from(black_box(table.find(&line)).is_some());
    }
    let looked_up = start.elapsed();
    assert_eq!(found, LOOKUPS);
    println!(
        "{what:30} {:>8.1?} {:>10.1?} {:>10.0?}",
        built,
        changed / u32::try_from(CHANGES).unwrap(),
        looked_up / u32::try_from(LOOKUPS).unwrap()
    );
}

fn request((host, path, tenant): Asks) -> (String, String, HeaderMap) {
    let (PathMatch::Exact(path) | PathMatch::Prefix(path) | PathMatch::Regex(path)) = path;
    let path = path.replace("[a-z]+", "service").replace(".*", "x");
    let path = if path.is_empty() { "/index.html".to_owned() } else { path };
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static("timing"));
    if let Some(tenant) = tenant {
        headers.insert("x-tenant", tenant.parse().unwrap());
    }
    (host.replace('*', "www"), path, headers)
}

fn listener() -> ListenerId {
    let gateway = GatewayId(ObjectName::new("infra", "gate"));
    ListenerId { gateway, owner: ListenerOwner::Gateway, section: "http".into() }
}

fn route(number: usize, (host, path, tenant): Asks) -> Arc<Route> {
    let id = RouteId { kind: RouteKind::Http, name: ObjectName::new("default", format!("route-{number:06}")) };
    let value = |tenant: String| ValueMatch::Exact(tenant.into());
    let header = |tenant| HeaderMatch { name: "x-tenant".parse().unwrap(), value: value(tenant) };
    let matched = Match { path, method: None, headers: tenant.map(header).into_iter().collect(), query: vec![] };
    let rule = Rule {
        id: RuleId { route: id.clone(), generation: 1, index: 0, name: None },
        matches: vec![matched],
        filters: vec![],
        forward: Ok(Arc::new(Forward {
            backends: vec![],
            timeouts: Timeouts::default(),
            retry: None,
            persistence: None,
        })),
    };
    let attachments = [Attachment { listener: listener(), hostnames: vec![HostPattern::parse(&host).unwrap()] }].into();
    Arc::new(Route { id, created: Some(1_700_000_000), attachments, rules: vec![Arc::new(rule)] })
}
