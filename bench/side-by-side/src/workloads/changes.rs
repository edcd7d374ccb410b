//! One route of many changes: how long until it is served.

use super::{Unit, Work, Workload};
use crate::arguments::Mode;
use crate::load::Change;
use crate::scene::Scene;

pub(super) fn all(mode: Mode) -> Vec<Workload> {
    let (counts, times): (&[u32], _) = match mode {
        Mode::Full => (&[100, 50_000], 5),
        Mode::Quick => (&[100, 10_000], 3),
        Mode::Smoke => (&[10], 1),
    };
    let one = |count: &u32| Workload {
        key: format!("changed-{count}"),
        title: format!("one changed route among {count}"),
        unit: Unit::Change,
        scene: Scene::Changing(*count),
        work: Work::Change(Change { times }),
    };
    counts.iter().map(one).collect()
}
