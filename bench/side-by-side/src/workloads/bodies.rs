//! Bodies of 1 MiB, either way: what it costs to carry bytes.

use super::{Unit, Workload, plain};
use crate::arguments::Mode;
use crate::backend::LARGE;
use crate::load::{Load, Spread, Wrk};

pub(super) fn all(mode: Mode) -> Vec<Workload> {
    let wrk = |path, spread, tls| Load::Wrk(Wrk { tls, connections: 8, path, spread });
    let down = plain("large-down", "1 MiB down", Unit::Mebibyte, wrk("/large", Spread::Same, false), None);
    let tls = plain("large-down-tls", "1 MiB down over TLS", Unit::Mebibyte, wrk("/large", Spread::Same, true), None);
    let up = plain("large-up", "1 MiB up", Unit::Mebibyte, wrk("/take", Spread::Body(LARGE), false), None);
    match mode {
        Mode::Full | Mode::Smoke => vec![down, tls, up],
        Mode::Quick => vec![down, up],
    }
}
