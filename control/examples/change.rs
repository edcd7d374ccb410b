//! What a change costs on its way through a control plane, step by step: `cargo run --release -p lychgate-control --example
//! change -- 500 5000 20000`.
//!
//! So many routes of one Gateway, each with a host of its own, over fifty Services; one of them changes, again and again.
//! The median of each step is told, in microseconds. No API server takes part, and no data plane.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use lychgate_api::{Kind, Object, ObjectKey, ObjectRef, Objects};
use lychgate_control::feed::Slicer;
use lychgate_control::status::Desk;
use lychgate_control::store::{Gather, Observer};
use lychgate_control::watch::{Change, Observed, Seen};
use lychgate_feed::GroupId;
use lychgate_feed::server::Feed;
use lychgate_ir::{GatewayId, ObjectName};
use lychgate_translate::{Assigned, Options, Overlay, translate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const SERVICES: usize = 50;
const ROUNDS: i64 = 51;

struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _: &ObjectRef, _: Option<Observed>) {}
}

fn gateway() -> Value {
    json!({
        "metadata": {"name": "edge", "namespace": "scale", "generation": 1},
        "spec": {"gatewayClassName": "lychgate", "listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}},
        ]},
    })
}

fn service(number: usize) -> Value {
    json!({"metadata": {"name": "app", "namespace": format!("scale-{number}")}, "spec": {"ports": [{"port": 80}]}})
}

fn slice(number: usize) -> Value {
    json!({
        "metadata": {"name": "app-1", "namespace": format!("scale-{number}"),
                     "labels": {"kubernetes.io/service-name": "app"}},
        "addressType": "IPv4", "ports": [{"port": 8080}],
        "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}],
    })
}

fn route(number: usize, generation: i64) -> Value {
    let version = json!({"name": "version", "value": generation.to_string()});
    json!({
        "metadata": {"name": format!("r{number}"), "namespace": format!("scale-{}", number % SERVICES),
                     "generation": generation, "resourceVersion": generation.to_string(), "uid": number.to_string()},
        "spec": {
            "parentRefs": [{"name": "edge", "namespace": "scale"}],
            "hostnames": [format!("r{number}.edge.example")],
            "rules": [{
                "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [version]}}],
                "backendRefs": [{"name": "app", "port": 80}],
            }],
        },
    })
}

/// What each step took, in the order in which they were timed first.
#[derive(Default)]
struct Steps(Vec<(&'static str, Vec<Duration>)>);

impl Steps {
    fn time<T>(&mut self, what: &'static str, step: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let made = step();
        let took = begun.elapsed();
        match self.0.iter_mut().find(|(known, _)| *known == what) {
            Some((_, all)) => all.push(took),
            None => self.0.push((what, vec![took])),
        }
        made
    }

    fn medians(self) -> Vec<(&'static str, Duration)> {
        let median = |(what, mut all): (&'static str, Vec<Duration>)| {
            all.sort_unstable();
            (what, all[all.len() / 2])
        };
        self.0.into_iter().map(median).collect()
    }
}

fn measure(routes: usize) -> Vec<(&'static str, Duration)> {
    let mut gather = Gather::default();
    let mut desk = Desk::default();
    for kind in Kind::ALL {
        let all: Vec<Value> = match kind {
            Kind::Gateway => vec![gateway()],
            Kind::Service => (0..SERVICES).map(service).collect(),
            Kind::EndpointSlice => (0..SERVICES).map(slice).collect(),
            Kind::HttpRoute => (0..routes).map(|number| route(number, 1)).collect(),
            _ => Vec::new(),
        };
        let mut all: Vec<Seen> = all.into_iter().map(|value| Seen::new(*kind, value).unwrap()).collect();
        if *kind == Kind::GatewayClass {
            let spec = json!({"controllerName": "lychgate.dev/gateway-controller"});
            let class = json!({"metadata": {"name": "lychgate"}, "spec": spec});
            all.push(Seen::new(*kind, class).unwrap());
        }
        for seen in &all {
            desk.observe(&seen.reference, seen.observed.clone(), now());
        }
        gather.take(Change::Listed(*kind, all), &Nobody);
    }
    let id = GatewayId(ObjectName::new("scale", "edge"));
    let group = GroupId::new("scale", "edge");
    let groups = BTreeMap::from([(id.clone(), group.clone())]);
    let options = Options::default();
    let (feed, mut slicer) = (Feed::new(), Slicer::default());
    // A Gateway of a cluster has addresses that translation does not know.
    let assigned = Assigned { addresses: Vec::new(), missing: None };
    let overlay = Overlay { addresses: BTreeMap::from([(id, assigned)]), ..Overlay::default() };
    let mut objects: Objects = gather.objects().clone();
    let mut before = translate(&objects, &options, None);
    assert_eq!(before.snapshot.routes.len(), routes);
    let mut steps = Steps::default();
    for round in 0..ROUNDS {
        let number = (usize::try_from(round).unwrap() * 7919) % routes;
        let change = Change::Applied(Box::new(Seen::new(Kind::HttpRoute, route(number, round + 2)).unwrap()));
        objects = steps.time("gather", || {
            gather.take(change, &Nobody);
            gather.objects().clone()
        });
        let translation = steps.time("translate", || translate(&objects, &options, Some(&before)));
        let old = std::mem::replace(&mut before, translation.clone());
        steps.time("forget the one before", || drop(old));
        let slice = steps.time("slice", || {
            let slices = slicer.cut(&translation.snapshot, &translation.endpoints, &groups);
            slices.get(&group).cloned().unwrap()
        });
        steps.time("publish", || feed.publish(&group, &slice.snapshot, &slice.endpoints));
        let statuses = steps.time("overlay", || translation.statuses.overlaid(&translation.snapshot, &overlay));
        steps.time("want", || desk.want(&statuses, BTreeSet::new(), BTreeSet::new(), now()));
        // Heard from the data plane, and nothing else is to be said.
        let again = steps.time("overlay again", || translation.statuses.overlaid(&translation.snapshot, &overlay));
        steps.time("want again", || desk.want(&again, BTreeSet::new(), BTreeSet::new(), now()));
    }
    let key = ObjectKey::new("scale", "edge");
    assert!(matches!(gather.objects().get(Kind::Gateway, &key), Some(Object::Gateway(_))));
    steps.medians()
}

fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let sizes = if sizes.is_empty() { vec![500, 5_000, 20_000] } else { sizes };
    let columns: Vec<Vec<(&'static str, Duration)>> = sizes.iter().map(|routes| measure(*routes)).collect();
    print!("{:<32}", "microseconds, with routes:");
    sizes.iter().for_each(|routes| print!("{routes:>10}"));
    println!();
    for (at, (what, _)) in columns[0].iter().enumerate() {
        print!("{what:<32}");
        columns.iter().for_each(|steps| print!("{:>10}", steps[at].1.as_micros()));
        println!();
    }
    print!("{:<32}", "all");
    for steps in &columns {
        print!("{:>10}", steps.iter().map(|(_, took)| took.as_micros()).sum::<u128>());
    }
    println!();
}
