//! What API servers check in code, because schemas cannot say it.

mod endpoints;
mod metadata;
mod ports;

use lychgate_api::Object;

use crate::schema::Violations;

pub(crate) use metadata::check_metadata;

/// Checks an object that is valid otherwise.
pub(crate) fn check_object(object: &Object, found: &mut Violations) {
    match object {
        Object::EndpointSlice(slice) => {
            endpoints::check_addresses(slice, found);
            ports::check_slice(slice, found);
        }
        Object::Service(service) => ports::check_service(service, found),
        Object::GatewayClass(_)
        | Object::Gateway(_)
        | Object::ListenerSet(_)
        | Object::HttpRoute(_)
        | Object::GrpcRoute(_)
        | Object::TlsRoute(_)
        | Object::TcpRoute(_)
        | Object::UdpRoute(_)
        | Object::BackendTlsPolicy(_)
        | Object::ReferenceGrant(_)
        | Object::XBackend(_)
        | Object::GatewayParameters(_)
        | Object::EgressPolicy(_)
        | Object::Secret(_)
        | Object::ConfigMap(_)
        | Object::ClusterTrustBundle(_)
        | Object::Namespace(_)
        | Object::Pod(_) => {}
    }
}
