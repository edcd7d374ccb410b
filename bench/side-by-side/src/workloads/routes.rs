//! More and more routes: what a request then costs, and what they take of memory.

use super::{Unit, Work, Workload};
use crate::arguments::Mode;
use crate::load::{Load, Spread, Wrk};
use crate::scene::{By, Routes, Scene};

pub(super) fn all(mode: Mode) -> Vec<Workload> {
    let counts: &[u32] = match mode {
        Mode::Full => &[1, 100, 1_000, 10_000, 50_000],
        Mode::Quick => &[1, 10_000],
        Mode::Smoke => &[10],
    };
    let kinds: &[(By, &str)] = match mode {
        Mode::Full | Mode::Smoke => {
            &[(By::Path, "paths"), (By::Host, "hosts"), (By::Header, "headers"), (By::Regex, "regexes")]
        }
        Mode::Quick => &[(By::Path, "paths")],
    };
    let each = kinds.iter().flat_map(|(by, name)| counts.iter().map(move |count| one(*by, name, *count)));
    each.collect()
}

fn one(by: By, name: &str, count: u32) -> Workload {
    let routes = Routes { by, count };
    let load = Load::Wrk(Wrk { tls: false, connections: 64, path: "/", spread: Spread::Over(routes) });
    Workload {
        key: format!("routes-{name}-{count}"),
        title: format!("HTTP/1.1, {count} {name}"),
        unit: Unit::Request,
        scene: Scene::Routes(routes),
        work: Work::Load(load, None),
    }
}
