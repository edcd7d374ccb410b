//! Connections and datagrams that are carried without being read: TLSRoute, TCPRoute, UDPRoute.

mod meter;
mod record;
mod relay;
mod table;
mod tcp;
mod udp;

pub(crate) use meter::Meter;
pub(crate) use record::{Carries, Record};
pub(crate) use relay::{BrokenOff, Counts, End, Socket, relay};
pub(crate) use table::{StreamState, StreamTable};
pub(crate) use tcp::Streams;
pub(crate) use udp::serve as serve_udp;

use crate::upstream::BackendCell;
use lychgate_ir::Refusal;
use lychgate_telemetry::Reason;

/// Why a stream cannot be carried.
#[derive(Debug)]
struct Failure {
    reason: Reason,
    /// For the log.
    detail: String,
}

impl Failure {
    fn refused(refusal: &Refusal) -> Self {
        Self { reason: Reason::RefusedByConfig, detail: format!("{}: {}", refusal.reason, refusal.message) }
    }

    fn no_endpoint(backend: &BackendCell) -> Self {
        backend.metrics.not_connected(lychgate_telemetry::ConnectFailure::NoEndpoint);
        Self { reason: Reason::NoEndpoint, detail: format!("{} has no ready endpoint", backend.id) }
    }
}
