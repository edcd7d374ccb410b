//! Small requests on connections that are kept: 129 bytes of body.

use super::{Unit, Workload, plain};
use crate::load::{Form, H2load, Load, Spread, Steady, Wrk};
use crate::scene::Scene;

const fn http1(tls: bool) -> Load {
    Load::Wrk(Wrk { tls, connections: 64, path: "/", spread: Spread::Same })
}

const fn steady(tls: bool, http2: bool) -> Option<Steady> {
    Some(Steady { tls, http2, path: "/" })
}

pub(super) fn all() -> Vec<Workload> {
    let http2 = H2load { tls: true, connections: 8, streams: 16, path: "/", form: Form::Get };
    vec![
        plain("h1", "HTTP/1.1", Unit::Request, http1(false), steady(false, false)),
        plain("h1-tls", "HTTP/1.1 over TLS", Unit::Request, http1(true), steady(true, false)),
        plain("h2-tls", "HTTP/2 over TLS", Unit::Request, Load::H2load(http2), steady(true, true)),
    ]
}

/// The same, with access logs.
pub(super) fn logged() -> Vec<Workload> {
    let one = plain("h1-logged", "HTTP/1.1, access log on", Unit::Request, http1(false), None);
    vec![Workload { scene: Scene::Logged, ..one }]
}

/// The same, with the context of traces read and written.
pub(super) fn traced() -> Vec<Workload> {
    let one = plain("h1-traced", "HTTP/1.1, traces propagated", Unit::Request, http1(false), None);
    vec![Workload { scene: Scene::Traced, ..one }]
}
