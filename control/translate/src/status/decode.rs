//! Which kinds have a status of ours, and how it is read.

use super::ObjectStatus;
use lychgate_api::Kind;
use serde_json::{Error, Value, from_value};

/// The statuses that several kinds have alike.
enum Shape {
    GatewayClass,
    Gateway,
    ListenerSet,
    Route,
    Policy,
    XBackend,
}

fn shape(kind: Kind) -> Option<Shape> {
    match kind {
        Kind::GatewayClass => Some(Shape::GatewayClass),
        Kind::Gateway => Some(Shape::Gateway),
        Kind::ListenerSet => Some(Shape::ListenerSet),
        Kind::HttpRoute | Kind::GrpcRoute | Kind::TlsRoute | Kind::TcpRoute | Kind::UdpRoute => Some(Shape::Route),
        Kind::BackendTlsPolicy | Kind::EgressPolicy => Some(Shape::Policy),
        Kind::XBackend => Some(Shape::XBackend),
        Kind::ReferenceGrant
        | Kind::GatewayParameters
        | Kind::Service
        | Kind::EndpointSlice
        | Kind::Secret
        | Kind::ConfigMap
        | Kind::ClusterTrustBundle
        | Kind::Namespace
        | Kind::Pod => None,
    }
}

impl ObjectStatus {
    /// Whether anything is said about objects of this kind.
    #[must_use]
    pub fn is_said_of(kind: Kind) -> bool {
        shape(kind).is_some()
    }

    /// Reads the status of an object of this kind, whoever wrote it; `None` for kinds of which nothing is said here.
    #[must_use]
    pub fn decode(kind: Kind, status: Value) -> Option<Result<Self, Error>> {
        Some(match shape(kind)? {
            Shape::GatewayClass => from_value(status).map(Self::GatewayClass),
            Shape::Gateway => from_value(status).map(Self::Gateway),
            Shape::ListenerSet => from_value(status).map(Self::ListenerSet),
            Shape::Route => from_value(status).map(Self::Route),
            Shape::Policy => from_value(status).map(Self::Policy),
            Shape::XBackend => from_value(status).map(Self::XBackend),
        })
    }
}
