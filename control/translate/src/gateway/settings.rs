//! Settings of a Gateway that are ours: annotations, and the parameters that we do not take.

use crate::names::TRUSTED_HOPS;
use crate::status::condition::Problem;
use crate::status::reason;
use lychgate_api::gateway::Gateway;

/// How many proxies in front are believed. What cannot be read refuses the Gateway: a guess would believe the wrong ones.
pub(super) fn read(gateway: &Gateway) -> Result<u8, Problem> {
    let parameters = gateway.spec.infrastructure.as_ref().and_then(|wanted| wanted.parameters_ref.as_ref());
    if let Some(parameters) = parameters {
        return Err(Problem::new(
            reason::INVALID_PARAMETERS,
            format!(
                "spec.infrastructure.parametersRef refers to {} {}, but Lychgate takes no parameters; remove it",
                parameters.kind, parameters.name
            ),
        ));
    }
    let Some(text) = gateway.metadata.annotations.get(TRUSTED_HOPS) else { return Ok(0) };
    text.parse().map_err(|_| {
        Problem::new(
            reason::INVALID_PARAMETERS,
            format!("annotation {TRUSTED_HOPS} is `{text}`; write a number from 0 to 255"),
        )
    })
}
