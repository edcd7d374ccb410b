//! Policies: what they attach to, and which of them wins (GEP-713).

pub(crate) mod backend_tls;
mod precedence;

use lychgate_api::gateway::ParentReference;
use lychgate_api::{GATEWAY_GROUP, Kind};
use lychgate_ir::GatewayId;

/// The CRD takes no more ancestors.
pub(crate) const MAX_ANCESTORS: usize = 16;

/// A Gateway as the ancestor that a status speaks to.
pub(crate) fn ancestor(gateway: &GatewayId) -> ParentReference {
    ParentReference {
        group: GATEWAY_GROUP.to_owned(),
        kind: Kind::Gateway.as_str().to_owned(),
        namespace: Some(gateway.0.namespace.to_string()),
        name: gateway.0.name.to_string(),
        section_name: None,
        port: None,
    }
}
