//! GatewayParameters: how the data plane of a Gateway runs (GEP-1867).
//!
//! Nothing of them is in the snapshot. They are read here all the same, because a Gateway whose parameters are not there
//! is not accepted, wherever it is served.

use crate::status::condition::Problem;
use crate::status::reason;
use lychgate_api::gateway::{Gateway, GatewayClass, LocalParametersReference, ParametersReference};
use lychgate_api::lychgate::{DeploymentParameters, GatewayParameters, GatewayParametersSpec};
use lychgate_api::{Kind, LYCHGATE_GROUP, ObjectKey, Objects};

/// What holds for a Gateway: its own parameters, and where they say nothing, those of its class. References that lead
/// nowhere count as none; the status of the Gateway or of its class tells of them.
#[must_use]
pub fn parameters(objects: &Objects, gateway: &Gateway) -> GatewayParametersSpec {
    let class = class_of_gateway(objects, gateway);
    let own = of_gateway(objects, gateway).ok().flatten();
    match (own, class) {
        (Some(own), Some(class)) => own.spec.or(&class.spec),
        (Some(one), None) | (None, Some(one)) => one.spec.clone(),
        (None, None) => GatewayParametersSpec::default(),
    }
}

/// What signs an audit log makes no sense where nothing leaves: pods would wait for the key of a log that has no records.
pub(super) fn unsigned(deployment: &DeploymentParameters) -> Option<Problem> {
    deployment.audit_key_ref.as_ref().map(|_| {
        invalid(
            "spec.deployment.auditKeyRef: the audit log is of what leaves, and nothing does by this Gateway; remove it"
                .to_owned(),
        )
    })
}

/// Those of a Gateway's class. A reference that leads nowhere counts as none.
pub(crate) fn class_of_gateway<'a>(objects: &'a Objects, gateway: &Gateway) -> Option<&'a GatewayParameters> {
    let class = objects.get_gateway_class(&ObjectKey::new("", gateway.spec.gateway_class_name.as_str()))?;
    of_class(objects, class).ok().flatten()
}

/// Those that a class refers to.
pub(crate) fn of_class<'a>(
    objects: &'a Objects,
    class: &GatewayClass,
) -> Result<Option<&'a GatewayParameters>, Problem> {
    let Some(ParametersReference { target, namespace }) = &class.spec.parameters_ref else { return Ok(None) };
    find(objects, "spec.parametersRef", target, namespace.as_deref()).map(Some)
}

/// Those that a Gateway refers to, in its own namespace.
pub(crate) fn of_gateway<'a>(
    objects: &'a Objects,
    gateway: &Gateway,
) -> Result<Option<&'a GatewayParameters>, Problem> {
    let reference = gateway.spec.infrastructure.as_ref().and_then(|wanted| wanted.parameters_ref.as_ref());
    let Some(reference) = reference else { return Ok(None) };
    find(objects, "spec.infrastructure.parametersRef", reference, Some(&gateway.metadata.namespace)).map(Some)
}

fn find<'a>(
    objects: &'a Objects,
    path: &str,
    reference: &LocalParametersReference,
    namespace: Option<&str>,
) -> Result<&'a GatewayParameters, Problem> {
    let LocalParametersReference { group, kind, name } = reference;
    if !(group == LYCHGATE_GROUP && kind == Kind::GatewayParameters.as_str()) {
        return Err(invalid(format!(
            "{path} refers to {kind}.{group} {name}, which Lychgate does not know; refer to a \
             GatewayParameters.{LYCHGATE_GROUP}, or remove it"
        )));
    }
    let Some(namespace) = namespace else {
        return Err(invalid(format!("{path} names no namespace; write that of GatewayParameters {name}")));
    };
    let key = ObjectKey::new(namespace, name.as_str());
    let found = objects.get_gateway_parameters(&key).map(|found| &**found);
    found.ok_or_else(|| invalid(format!("{path}: there is no GatewayParameters {key}; create it, or correct the name")))
}

fn invalid(message: String) -> Problem {
    Problem::new(reason::INVALID_PARAMETERS, message)
}
