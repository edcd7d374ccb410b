//! Connections that no proxy reads, with 1 MiB a request in them; told where to by configuration, or asked by the client.

use super::{Unit, Work, Workload};
use crate::load::{Form, H2load, Load, Spread, Tunnels, Wrk};
use crate::scene::Scene;

pub(super) fn all() -> Vec<Workload> {
    let one = |key: &str, title: &str, scene, load| Workload {
        key: key.to_owned(),
        title: title.to_owned(),
        unit: Unit::Mebibyte,
        scene,
        work: Work::Load(load, None),
    };
    let clear = Wrk { tls: false, connections: 8, path: "/large", spread: Spread::Same };
    let tls = H2load { tls: true, connections: 8, streams: 1, path: "/large", form: Form::Named };
    vec![
        one("passed-tcp", "TCP, passed through", Scene::Passed, Load::Wrk(clear)),
        one("passed-tls", "TLS, passed through", Scene::Passed, Load::H2load(tls)),
        one("tunnel", "TLS, in a tunnel (CONNECT)", Scene::Tunnelled, Load::Tunnels(Tunnels { connections: 8 })),
    ]
}
