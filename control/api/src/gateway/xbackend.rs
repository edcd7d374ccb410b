//! XBackend, experimental: a backend that is no Service (GEP-4894).

use serde::{Deserialize, Serialize};

use super::{BackendTlsPolicyValidation, PolicyAncestorStatus, SecretObjectReference, SessionPersistence};
use crate::meta::{MatchLabels, ObjectMeta};
use crate::words::closed_words;

/// A backend with its own protocol and TLS settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct XBackend {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    pub spec: BackendSpec,
    /// Status.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub status: BackendStatus,
}

/// Specification of an [`XBackend`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendSpec {
    /// Which of the following says where it is.
    pub r#type: BackendType,
    /// The port there.
    pub port: BackendPort,
    /// A name outside of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_hostname: Option<ExternalHostnameBackend>,
    /// Pods by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_selector: Option<MatchLabels>,
    /// Keeps clients on one endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_persistence: Option<SessionPersistence>,
    /// What the backend speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<BackendProtocol>,
    /// TLS towards it; none by default.
    #[serde(default)]
    pub tls: BackendTls,
}

closed_words! {
    /// How a backend is found.
    pub enum BackendType {
        ExternalHostname = "ExternalHostname",
        EndpointSelector = "EndpointSelector",
    }
}

/// The port of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendPort {
    /// Its number.
    pub number: u16,
}

/// A name that DNS resolves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalHostnameBackend {
    /// The name, without wildcard.
    pub hostname: String,
}

closed_words! {
    /// What a backend speaks.
    pub enum BackendProtocol {
        Tcp = "TCP",
        Http = "HTTP",
        Http2 = "HTTP2",
        Http11 = "HTTP11",
        H2c = "H2C",
        Mcp = "MCP",
        Grpc = "GRPC",
        Wss = "WSS",
    }
}

/// TLS towards a backend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTls {
    /// Who shows a certificate.
    pub mode: BackendTlsMode,
    /// Ours, with mode ClientAndServer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<SecretObjectReference>,
    /// How the backend's is validated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<BackendTlsPolicyValidation>,
}

closed_words! {
    /// Who shows a certificate.
    #[derive(Default)]
    pub enum BackendTlsMode {
        #[default]
        None = "None",
        ServerOnly = "ServerOnly",
        ClientAndServer = "ClientAndServer",
    }
}

/// Status of an [`XBackend`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendStatus {
    /// One entry an ancestor and controller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<PolicyAncestorStatus>,
}
