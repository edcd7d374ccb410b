//! Connections that no proxy reads, with 1 MiB a request in them.

use super::{Unit, Work, Workload};
use crate::load::{Form, H2load, Load, Spread, Wrk};
use crate::scene::Scene;

pub(super) fn all() -> Vec<Workload> {
    let one = |key: &str, title: &str, load| Workload {
        key: key.to_owned(),
        title: title.to_owned(),
        unit: Unit::Mebibyte,
        scene: Scene::Passed,
        work: Work::Load(load, None),
    };
    let clear = Wrk { tls: false, connections: 8, path: "/large", spread: Spread::Same };
    let tls = H2load { tls: true, connections: 8, streams: 1, path: "/large", form: Form::Named };
    vec![
        one("passed-tcp", "TCP, passed through", Load::Wrk(clear)),
        one("passed-tls", "TLS, passed through", Load::H2load(tls)),
    ]
}
