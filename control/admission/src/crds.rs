//! The embedded schemas: Gateway API's CRDs as released, our own, and compact ones of our own for the core kinds.
//!
//! Core kinds have no CRDs. Their schemas validate what we read and list the other fields without looking into them; a
//! newer cluster may have fields that we do not know, so unknown fields there are warnings.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use lychgate_api::{Kind, LYCHGATE_GROUP};
use serde_json::Value;

use crate::schema::{Schema, SchemaError};

/// The schemas of one kind.
#[derive(Debug)]
pub(crate) struct Crd {
    /// By version; those served, in the order of the file.
    pub(crate) versions: BTreeMap<String, Schema>,
    /// Whether unknown fields are errors.
    pub(crate) strict: bool,
}

/// The file of each kind.
pub(crate) fn text(kind: Kind) -> &'static str {
    match kind {
        Kind::GatewayClass => include_str!("../crds/gatewayclasses.json"),
        Kind::Gateway => include_str!("../crds/gateways.json"),
        Kind::ListenerSet => include_str!("../crds/listenersets.json"),
        Kind::HttpRoute => include_str!("../crds/httproutes.json"),
        Kind::GrpcRoute => include_str!("../crds/grpcroutes.json"),
        Kind::TlsRoute => include_str!("../crds/tlsroutes.json"),
        Kind::TcpRoute => include_str!("../crds/tcproutes.json"),
        Kind::UdpRoute => include_str!("../crds/udproutes.json"),
        Kind::BackendTlsPolicy => include_str!("../crds/backendtlspolicies.json"),
        Kind::ReferenceGrant => include_str!("../crds/referencegrants.json"),
        Kind::XBackend => include_str!("../crds/xbackends.json"),
        Kind::GatewayParameters => include_str!("../crds/gatewayparameters.json"),
        Kind::EgressPolicy => include_str!("../crds/egresspolicies.json"),
        Kind::Service => include_str!("../core/services.json"),
        Kind::EndpointSlice => include_str!("../core/endpointslices.json"),
        Kind::Secret => include_str!("../core/secrets.json"),
        Kind::ConfigMap => include_str!("../core/configmaps.json"),
        Kind::ClusterTrustBundle => include_str!("../core/clustertrustbundles.json"),
        Kind::Namespace => include_str!("../core/namespaces.json"),
        Kind::Pod => include_str!("../core/pods.json"),
    }
}

/// Whether the kind has a CRD: Gateway API's, or ours.
pub(crate) fn is_custom(kind: Kind) -> bool {
    kind.group().starts_with("gateway.") || kind.group() == LYCHGATE_GROUP
}

/// Reads a kind's file.
pub(crate) fn parse(kind: Kind) -> Result<Crd, SchemaError> {
    let crd: Value = serde_json::from_str(text(kind)).unwrap_or_default();
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut parsed = BTreeMap::new();
    for version in versions.iter().filter(|version| version["served"] == true) {
        let mut schema = Schema::parse(&version["schema"]["openAPIV3Schema"])?;
        // CRDs leave metadata to the API server.
        let metadata: Value = serde_json::from_str(include_str!("../core/metadata.json")).unwrap_or_default();
        schema.properties.insert("metadata".to_owned(), Box::new(Schema::parse(&metadata)?));
        // The defaults of statuses say "waiting for a controller", which is us.
        if let Some(status) = schema.properties.get_mut("status") {
            (status.default, status.has_defaults) = (None, false);
        }
        parsed.insert(version["name"].as_str().unwrap_or_default().to_owned(), schema);
    }
    Ok(Crd { versions: parsed, strict: is_custom(kind) })
}

macro_rules! lazily {
    ($kind:ident: $($each:ident),+ $(,)?) => {
        match $kind {
            $(Kind::$each => {
                static CRD: LazyLock<Crd> = LazyLock::new(|| {
                    // The files are part of the program, and a test parses each. A kind whose file cannot be read has
                    // no versions, so that its objects are refused.
                    parse(Kind::$each).unwrap_or_else(|_| Crd { versions: BTreeMap::new(), strict: true })
                });
                &CRD
            })+
        }
    };
}

/// The schemas of a kind, read when they are needed first.
pub(crate) fn crd(kind: Kind) -> &'static Crd {
    lazily!(kind: GatewayClass, Gateway, ListenerSet, HttpRoute, GrpcRoute, TlsRoute, TcpRoute, UdpRoute,
        BackendTlsPolicy, ReferenceGrant, XBackend, GatewayParameters, EgressPolicy, Service, EndpointSlice, Secret, ConfigMap,
        ClusterTrustBundle, Namespace, Pod)
}
