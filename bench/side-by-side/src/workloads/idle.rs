//! Connections that have asked once and then wait: what they take of memory.

use super::{Unit, Work, Workload};
use crate::arguments::Mode;
use crate::load::{Idle, Kind};
use crate::scene::Scene;

pub(super) fn all(mode: Mode) -> Vec<Workload> {
    let count = match mode {
        Mode::Full => 10_000,
        Mode::Quick => 1_000,
        Mode::Smoke => 10,
    };
    let kinds = [
        ("idle", "idle connections", Kind::Plain),
        ("idle-tls", "idle connections over TLS", Kind::Tls),
        ("idle-h2", "idle connections, HTTP/2 over TLS", Kind::Http2),
    ];
    kinds
        .map(|(key, title, kind)| Workload {
            key: key.to_owned(),
            title: title.to_owned(),
            unit: Unit::Connection,
            scene: Scene::Plain,
            work: Work::Idle(Idle { kind, count }),
        })
        .into()
}
