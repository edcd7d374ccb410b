//! A connection for each request.

use super::{Unit, Workload, plain};
use crate::load::{Handshakes, Load, Spread, Wrk};

pub(super) fn all() -> Vec<Workload> {
    let closing = Wrk { tls: false, connections: 16, path: "/", spread: Spread::Closing };
    let tls = |resume| Load::Handshakes(Handshakes { clients: 16, resume });
    vec![
        plain("connections", "new connections", Unit::Connection, Load::Wrk(closing), None),
        plain("handshakes", "new TLS connections", Unit::Handshake, tls(false), None),
        plain("handshakes-resumed", "new TLS connections, resumed", Unit::Handshake, tls(true), None),
    ]
}
