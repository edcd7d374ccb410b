//! The annotation that chooses how endpoints are picked.

use crate::names::LOAD_BALANCER;
use lychgate_api::meta::ObjectMeta;
use lychgate_ir::Balance;

/// What is chosen, or what is wrong with the choice: then the default holds.
pub(super) fn read(metadata: &ObjectMeta) -> Result<Balance, String> {
    match metadata.annotations.get(LOAD_BALANCER).map(String::as_str) {
        None => Ok(Balance::default()),
        Some("round-robin") => Ok(Balance::RoundRobin),
        Some("least-request") => Ok(Balance::LeastRequest),
        Some(other) => Err(format!(
            "annotation {LOAD_BALANCER} is `{other}` and has no effect; write round-robin or least-request"
        )),
    }
}
