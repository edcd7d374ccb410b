//! Compiled listeners, and the ports that they share.

use super::RuleState;
use crate::tls::server::ServerTls;
use lychgate_ir::{Certificate, Listener, Protocol, Refusal};
use lychgate_router::{Listeners, RouteTable};
use std::sync::Arc;

/// A listener with its routes.
pub(crate) struct ListenerState {
    pub(crate) spec: Arc<Listener>,
    /// For HTTPS. A broken setting refuses every handshake.
    pub(crate) tls: Option<Result<Arc<ListenerTlsState>, Refusal>>,
    pub(crate) routes: RouteTable<Arc<RuleState>>,
}

/// TLS of a listener with what it was made of, so that a reload that changes neither keeps sessions and tickets.
#[derive(Debug)]
pub(crate) struct ListenerTlsState {
    pub(crate) server: ServerTls,
    pub(crate) certificates: Vec<Arc<Certificate>>,
}

/// All listeners on one socket; they speak the same protocol.
pub(crate) struct Port {
    pub(crate) protocol: Protocol,
    pub(crate) listeners: Listeners<Arc<ListenerState>>,
}
