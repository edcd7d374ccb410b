//! What many routes cost: `cargo run --release -p lychgate-translate --example scale -- 10000`.
//!
//! One Gateway, and so many routes, each with its own hostname, two rules, a Service and an EndpointSlice.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use lychgate_api::{Kind, Object, Objects, ObjectsBuilder};
use lychgate_translate::{Options, Translation, translate};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn object(kind: Kind, value: Value) -> Object {
    Object::decode(kind, value).unwrap()
}

fn route(index: usize, path: &str) -> Object {
    let service = format!("svc-{index}");
    object(
        Kind::HttpRoute,
        json!({
            "metadata": {"name": format!("route-{index}"), "namespace": "scale", "generation": 1},
            "spec": {
                "parentRefs": [{"name": "edge"}],
                "hostnames": [format!("host-{index}.example.com")],
                "rules": [
                    {"matches": [{"path": {"value": path}}], "backendRefs": [{"name": service, "port": 80}]},
                    {"matches": [{"path": {"value": "/static"}}], "backendRefs": [{"name": service, "port": 80}],
                     "filters": [{"type": "RequestHeaderModifier",
                                  "requestHeaderModifier": {"set": [{"name": "x-tier", "value": "static"}]}}]},
                ],
            },
        }),
    )
}

fn slice(index: usize, address: u8) -> Object {
    let endpoints: Vec<_> = (1..=3)
        .map(|pod| json!({"addresses": [format!("10.{}.{}.{}", index / 256 % 256, index % 256, address + pod)]}))
        .collect();
    object(
        Kind::EndpointSlice,
        json!({
            "metadata": {"name": format!("svc-{index}"), "namespace": "scale",
                         "labels": {"kubernetes.io/service-name": format!("svc-{index}")}},
            "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": endpoints,
        }),
    )
}

fn objects(routes: usize) -> Objects {
    let mut objects = ObjectsBuilder::default();
    objects.insert(object(
        Kind::Gateway,
        json!({
            "metadata": {"name": "edge", "namespace": "scale"},
            "spec": {"gatewayClassName": "lychgate",
                     "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"},
                                   {"name": "alt", "port": 8080, "protocol": "HTTP"}]},
        }),
    ));
    for index in 0..routes {
        objects.insert(object(
            Kind::Service,
            json!({"metadata": {"name": format!("svc-{index}"), "namespace": "scale"},
                   "spec": {"ports": [{"port": 80}]}}),
        ));
        objects.insert(slice(index, 0));
        objects.insert(route(index, "/"));
    }
    objects.build()
}

/// The median of several runs.
fn measure(run: impl Fn() -> Translation) -> Duration {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let start = Instant::now();
            let translation = run();
            let time = start.elapsed();
            drop(translation);
            time
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Resident memory in MiB, where /proc says it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn main() {
    let routes = std::env::args().nth(1).map_or(10_000, |text| text.parse().unwrap());
    let options = Options { standalone: true, node_addresses: Vec::new() };
    let read_again = || objects(routes);
    let objects = read_again();
    let with_objects = resident();
    let first = translate(&objects, &options, None);
    let with_translation = resident();
    assert_eq!(first.snapshot.routes.len(), routes);
    println!("{routes} routes, {} objects", objects.len());
    println!("resident: {with_objects:?} MiB with the objects, {with_translation:?} MiB with their translation");
    let report = |what: &str, time: Duration| println!("{what:<44} {:>9.3} ms", time.as_secs_f64() * 1e3);
    report("everything, from nothing", measure(|| translate(&objects, &options, None)));
    report("nothing changed", measure(|| translate(&objects, &options, Some(&first))));
    let again = read_again();
    report("every object new, and none changed", measure(|| translate(&again, &options, Some(&first))));
    drop(again);
    let changed = objects.clone().insert(route(routes / 2, "/changed"));
    report("one route changed", measure(|| translate(&changed, &options, Some(&first))));
    let changed = objects.clone().insert(slice(routes / 2, 100));
    report("one EndpointSlice changed", measure(|| translate(&changed, &options, Some(&first))));
    let changed = objects.clone().insert(object(
        Kind::Service,
        json!({"metadata": {"name": "new", "namespace": "scale"}, "spec": {"ports": [{"port": 80}]}}),
    ));
    report("one Service came", measure(|| translate(&changed, &options, Some(&first))));
    let changed = objects.insert(object(
        Kind::Gateway,
        json!({
            "metadata": {"name": "edge", "namespace": "scale"},
            "spec": {"gatewayClassName": "lychgate", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        }),
    ));
    report("one listener went", measure(|| translate(&changed, &options, Some(&first))));
}
