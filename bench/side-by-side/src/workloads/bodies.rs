//! Bodies of 1 MiB, either way: what it costs to carry bytes.

use super::{Unit, Workload, plain};
use crate::backend::LARGE;
use crate::load::{Load, Spread, Wrk};

pub(super) fn all() -> Vec<Workload> {
    let wrk = |path, spread, tls| Load::Wrk(Wrk { tls, connections: 8, path, spread });
    vec![
        plain("large-down", "1 MiB down", Unit::Mebibyte, wrk("/large", Spread::Same, false), None),
        plain("large-down-tls", "1 MiB down over TLS", Unit::Mebibyte, wrk("/large", Spread::Same, true), None),
        plain("large-up", "1 MiB up", Unit::Mebibyte, wrk("/take", Spread::Body(LARGE), false), None),
    ]
}
