//! What filters take of a request and its response, and what it takes to compile them.
#![allow(missing_docs, reason = "what the macros make")]
#![allow(clippy::unwrap_used, reason = "what is measured here was written here")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderName, HeaderValue, Request, Response, request, response};
use lychgate_filters::{Chain, ChainState, RequestView, Scheme};
use lychgate_ir::MatchedPath;
use lychgate_ir::filter::{Filter, HeaderModifier, PathRewrite, UrlRewrite};
use std::hint::black_box;

fn modifier() -> HeaderModifier {
    let pair = |name: &'static str| (HeaderName::from_static(name), HeaderValue::from_static("value"));
    HeaderModifier {
        set: vec![pair("x-a"), pair("x-b")],
        add: vec![pair("x-c")],
        remove: vec![HeaderName::from_static("x-d")],
    }
}

fn rewrite() -> Filter {
    let path = Some(PathRewrite::Prefix("/other".into()));
    Filter::Rewrite(UrlRewrite { hostname: Some("other.example.com".into()), path })
}

/// Each by its name, none first.
fn chains() -> [(&'static str, Vec<Filter>); 4] {
    let headers = || [Filter::RequestHeaders(modifier()), Filter::ResponseHeaders(modifier())];
    let all = headers().into_iter().chain([rewrite()]).collect();
    [("none", vec![]), ("headers", headers().into()), ("rewrite", vec![rewrite()]), ("all", all)]
}

/// As a browser sends it, more or less.
fn asked() -> request::Parts {
    let request = Request::get("/shop/basket?item=17")
        .header("host", "shop.example.com")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
        .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("accept-language", "en-US,en;q=0.5")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("cookie", "session=0123456789abcdef0123456789abcdef")
        .header("x-d", "1");
    request.body(()).unwrap().into_parts().0
}

fn answered() -> response::Parts {
    let response = Response::builder()
        .header("content-type", "text/html; charset=utf-8")
        .header("content-length", "1234")
        .header("cache-control", "no-store")
        .header("x-d", "1");
    response.body(()).unwrap().into_parts().0
}

fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chain");
    for (name, filters) in chains() {
        let chain = Chain::compile(&filters);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || (asked(), answered()),
                |(request, response)| {
                    let mut state = ChainState::default();
                    let matched = MatchedPath::Prefix(5);
                    let mut view = RequestView { head: request, scheme: Scheme::Https, listener_port: 443, matched };
                    let verdict = chain.request(&mut view, &mut state);
                    chain.response(response, &state);
                    black_box(verdict)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    for (name, filters) in chains() {
        group.bench_function(name, |bencher| bencher.iter(|| Chain::compile(black_box(&filters))));
    }
    group.finish();
}

criterion_group!(benches, run, compile);
criterion_main!(benches);
