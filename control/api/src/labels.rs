//! Label keys that have a meaning to us.

/// On an EndpointSlice: the Service, of the same namespace, that it belongs to.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// On a Namespace: its own name. The API server sets it, and so does admission.
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
