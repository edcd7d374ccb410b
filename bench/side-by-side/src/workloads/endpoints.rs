//! Many endpoints behind one backend: what balancing costs, and connections to all of them.

use super::{Unit, Work, Workload};
use crate::arguments::Mode;
use crate::load::{Load, Spread, Wrk};
use crate::scene::Scene;

pub(super) fn all(mode: Mode) -> Vec<Workload> {
    let count = match mode {
        Mode::Full | Mode::Quick => 1_000,
        Mode::Smoke => 10,
    };
    vec![Workload {
        key: format!("endpoints-{count}"),
        title: format!("HTTP/1.1, {count} endpoints"),
        unit: Unit::Request,
        scene: Scene::Endpoints(count),
        work: Work::Load(Load::Wrk(Wrk { tls: false, connections: 64, path: "/", spread: Spread::Same }), None),
    }]
}
