//! The core kinds that routes and Gateways lead to. Only what we read of them; the rest of each is passed over.

pub mod clustertrustbundle;
pub mod configmap;
pub mod endpointslice;
pub mod namespace;
pub mod pod;
pub mod secret;
pub mod service;

mod base64_map;

pub use base64_map::decode_base64;
pub use clustertrustbundle::{ClusterTrustBundle, ClusterTrustBundleSpec};
pub use configmap::ConfigMap;
pub use endpointslice::{AddressFamily, Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
pub use namespace::Namespace;
pub use pod::{Pod, PodIp, PodPhase, PodSpec, PodStatus};
pub use secret::{Secret, SecretBytes, SecretType};
pub use service::{IntOrString, Service, ServicePort, ServiceSpec, ServiceType, TransportProtocol};
