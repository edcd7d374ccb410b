//! What each filter costs a small request: to be read against the row of HTTP/1.1 without any.

use super::{Unit, Work, Workload};
use crate::arguments::Mode;
use crate::load::{Load, Spread, Wrk};
use crate::scene::{Filtered, Scene};

pub(super) fn all(mode: Mode) -> Vec<Workload> {
    let kinds = [
        ("headers", "headers of both ways", Filtered::Headers, Spread::Same),
        ("rewrite", "a rewrite", Filtered::Rewrite, Spread::Same),
        ("cors", "CORS", Filtered::Cors, Spread::Foreign),
        ("session", "session persistence", Filtered::Session, Spread::Same),
        ("retry", "timeout and retries allowed", Filtered::Retry, Spread::Same),
        ("retried", "retries: one of two endpoints fails", Filtered::Retried, Spread::Same),
        ("mirror", "a mirror", Filtered::Mirror, Spread::Same),
    ];
    let wanted = |filtered| match mode {
        Mode::Full | Mode::Smoke => true,
        Mode::Quick => matches!(filtered, Filtered::Headers | Filtered::Retried | Filtered::Mirror),
    };
    kinds
        .into_iter()
        .filter(|(_, _, filtered, _)| wanted(*filtered))
        .map(|(key, title, filtered, spread)| Workload {
            key: format!("filter-{key}"),
            title: format!("HTTP/1.1 with {title}"),
            unit: Unit::Request,
            scene: Scene::Filtered(filtered),
            work: Work::Load(Load::Wrk(Wrk { tls: false, connections: 64, path: "/", spread }), None),
        })
        .collect()
}
