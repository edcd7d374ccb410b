//! What it takes to find a rule, and to build the table that it is found in.
#![allow(missing_docs, reason = "what the macros make")]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Request, With as _, is, prefix, regex, route, table};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lychgate_ir::Route;
use lychgate_persistent::OrdMap;
use std::hint::black_box;
use std::sync::Arc;

const COUNTS: [usize; 4] = [1, 100, 10_000, 50_000];

/// Enough of them to be no longer what the processor remembers.
const ASKED: usize = 1_000;

fn name(number: usize) -> String {
    format!("r{number}")
}

fn paths(count: usize) -> Vec<Arc<Route>> {
    (0..count).map(|at| route(&name(at), None, &[], vec![vec![prefix(&format!("/r{at}"))]])).collect()
}

fn hosts(count: usize) -> Vec<Arc<Route>> {
    (0..count).map(|at| route(&name(at), None, &[&format!("h{at}.example.com")], vec![vec![prefix("/")]])).collect()
}

fn headers(count: usize) -> Vec<Arc<Route>> {
    let one = |at| route(&name(at), None, &[], vec![vec![prefix("/").header("x-route", is(&name(at)))]]);
    (0..count).map(one).collect()
}

fn regexes(count: usize) -> Vec<Arc<Route>> {
    (0..count).map(|at| route(&name(at), None, &[], vec![vec![regex(&format!("/r{at}/[0-9]+"))]])).collect()
}

/// In a fixed disorder.
fn asked(count: usize, one: impl Fn(usize) -> Request) -> Vec<Request> {
    (0..ASKED).map(|at| one(at * 7919 % count)).collect()
}

fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    group.throughput(Throughput::Elements(ASKED as u64));
    let mut run = |kind: &str, count: usize, routes: &[Arc<Route>], requests: Vec<Request>| {
        let table = table(routes);
        group.bench_function(BenchmarkId::new(kind, count), |bencher| {
            bencher.iter(|| requests.iter().filter(|request| table.find(&black_box(request).line()).is_some()).count());
        });
    };
    for count in COUNTS {
        run("path", count, &paths(count), asked(count, |at| Request::get("a.example", &format!("/r{at}/it"))));
        run("host", count, &hosts(count), asked(count, |at| Request::get(&format!("h{at}.example.com"), "/")));
    }
    for count in [1, 100] {
        let by_header = |at| Request::get("a.example", "/").header("x-route", &name(at));
        run("header", count, &headers(count), asked(count, by_header));
        run("regex", count, &regexes(count), asked(count, |at| Request::get("a.example", &format!("/r{at}/17"))));
    }
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    group.sample_size(10);
    for count in [100, 50_000] {
        let routes = paths(count);
        group.bench_function(BenchmarkId::new("from nothing", count), |bencher| {
            bencher.iter(|| table(black_box(&routes)));
        });
        let before = table(&routes);
        let routes: OrdMap<_, _> = routes.into_iter().map(|route| (route.id.clone(), route)).collect();
        let changed = route(&name(count - 1), None, &[], vec![vec![prefix("/changed")]]);
        let mut after = routes.clone();
        after.insert(changed.id.clone(), changed);
        group.bench_function(BenchmarkId::new("one changed", count), |bencher| {
            bencher.iter(|| {
                let make = &mut |rule: &Arc<lychgate_ir::Rule>| rule.id.to_string();
                before.edited(black_box(&after).changes(&routes, Arc::ptr_eq), make)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, find, build);
criterion_main!(benches);
