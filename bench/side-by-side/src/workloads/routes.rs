//! More and more routes: what a request then costs, and what they take of memory.

use super::{Unit, Work, Workload};
use crate::arguments::Mode;
use crate::load::{Load, Spread, Wrk};
use crate::scene::{By, Routes, Scene};

/// Paths are what most routes have, so they are tried in every number. Whoever tries headers or expressions one after the
/// other would take seconds for a request among more of them, and nginx takes half a minute and 2 GiB to read 50,000 hosts.
pub(super) fn all(mode: Mode) -> Vec<Workload> {
    let kinds: &[(By, &str, &[u32])] = match mode {
        Mode::Full => &[
            (By::Path, "paths", &[1, 100, 1_000, 5_000, 10_000, 50_000]),
            (By::Host, "hosts", &[1, 10_000]),
            (By::Header, "headers", &[1, 1_000]),
            (By::Regex, "regexes", &[1, 1_000]),
        ],
        Mode::Quick => &[(By::Path, "paths", &[1, 10_000])],
        Mode::Smoke => &[
            (By::Path, "paths", &[10]),
            (By::Host, "hosts", &[10]),
            (By::Header, "headers", &[10]),
            (By::Regex, "regexes", &[10]),
        ],
    };
    kinds.iter().flat_map(|(by, name, counts)| counts.iter().map(move |count| one(*by, name, *count))).collect()
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
