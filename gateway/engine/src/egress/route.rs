//! What leaves by a route of an egress Gateway: HTTPRoute, GRPCRoute, TLSRoute, TCPRoute. The route says where to, the
//! Gateway's policies whether.
//!
//! ```text
//! HTTP ── each attempt, each mirrored copy: Leaver ── decided for the backend's name, or the endpoint's address
//!   └ Leaving: the record, and the Exit by which Pingora gets its connection
//! TCP, TLS ── a tunnel to the backend, as if the client had asked a proxy for it
//! ```
//!
//! A backend's name is resolved by the Gateway's own resolvers, and what is dialled is what was decided about. What a rule
//! says of how it is carried holds here as well; what cannot be done refuses.

mod choice;
mod elsewhere;
mod exit;
mod leaver;
mod leaving;
mod names;
mod stream;

pub(crate) use leaver::{Leaver, Wanted};
pub(crate) use leaving::Leaving;
pub(crate) use names::names_of_routes;
pub(crate) use stream::{Bytes as LedBytes, Led};

use super::refused::Refused;
use crate::upstream::BackendState;
use lychgate_egress::target::{Target, TargetHost};
use lychgate_ir::Resolution;

/// Where a backend is, if it is called by name.
fn named(state: &BackendState) -> Result<Option<Target>, Refused> {
    match &state.spec.resolution {
        Resolution::Endpoints => Ok(None),
        Resolution::Dns { hostname, port } => {
            let host = TargetHost::parse(hostname);
            let host =
                host.map_err(|error| Refused::misconfigured(format!("the name of {}: {error}", state.spec.id)))?;
            Ok(Some(Target { host, port: *port }))
        }
    }
}

/// What no backend of an egress Gateway can ask for: whoever is outside would learn who is inside.
fn tells_nobody(state: &BackendState) -> Result<(), Refused> {
    match state.spec.proxy_protocol {
        None => Ok(()),
        Some(_) => {
            let id = &state.spec.id;
            Err(Refused::misconfigured(format!(
                "{id} asks for the PROXY protocol, which nothing that leaves begins with"
            )))
        }
    }
}
