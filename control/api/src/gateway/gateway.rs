//! Gateway.

use serde::{Deserialize, Serialize};

use super::{
    AddressType, FromNamespaces, GatewayDefaultScope, Listener, ListenerStatus, ObjectReference, SecretObjectReference,
};
use crate::meta::{Condition, LabelSelector, ObjectMeta, StringMap};
use crate::words::{closed_words, open_words};

/// A gateway: listeners on addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    pub spec: GatewaySpec,
    /// Status.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub status: GatewayStatus,
}

/// Specification of a [`Gateway`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// The GatewayClass.
    pub gateway_class_name: String,
    /// Listeners, unique by name.
    #[serde(default)]
    pub listeners: Vec<Listener>,
    /// Addresses that are asked for; ours to choose where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewaySpecAddress>,
    /// Labels, annotations and settings for what the controller creates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<GatewayInfrastructure>,
    /// Which ListenerSets may attach; none where absent (GEP-1713).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_listeners: Option<AllowedListeners>,
    /// TLS towards clients and backends, for all listeners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<GatewayTlsConfig>,
    /// Whether routes that ask for a default Gateway attach here (GEP-3793).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_scope: Option<GatewayDefaultScope>,
}

/// Which ListenerSets may attach to a Gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AllowedListeners {
    /// By namespace.
    pub namespaces: ListenerNamespaces,
}

/// The namespaces from which ListenerSets may attach. None by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerNamespaces {
    /// All, none, the Gateway's own, or by label.
    pub from: FromNamespaces,
    /// Labels of the namespaces, with `from: Selector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

impl Default for ListenerNamespaces {
    fn default() -> Self {
        Self { from: FromNamespaces::None, selector: None }
    }
}

/// TLS settings of a Gateway, for both its sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayTlsConfig {
    /// Towards backends (GEP-3155).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<GatewayBackendTls>,
    /// Towards clients (GEP-91).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<FrontendTlsConfig>,
}

/// The Gateway as a TLS client of its backends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayBackendTls {
    /// The certificate that the Gateway shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<SecretObjectReference>,
}

/// How clients' certificates are validated, by port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendTlsConfig {
    /// For ports that `perPort` does not name.
    pub default: TlsConfig,
    /// For one port each, instead of the default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_port: Vec<TlsPortConfig>,
}

/// TLS towards clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsConfig {
    /// Ask for client certificates; not asked for where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<FrontendTlsValidation>,
}

/// TLS towards clients of one port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsPortConfig {
    /// The port.
    pub port: u16,
    /// Its settings.
    pub tls: TlsConfig,
}

/// How a client's certificate is validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendTlsValidation {
    /// Trust anchors: ConfigMaps with `ca.crt`, ClusterTrustBundles, or other kinds.
    pub ca_certificate_refs: Vec<ObjectReference>,
    /// Whether clients without a valid certificate are let in all the same.
    #[serde(default)]
    pub mode: FrontendValidationModeType,
}

closed_words! {
    /// Whether clients without a valid certificate are let in.
    #[derive(Default)]
    pub enum FrontendValidationModeType {
        #[default]
        AllowValidOnly = "AllowValidOnly",
        AllowInsecureFallback = "AllowInsecureFallback",
    }
}

open_words! {
    /// From where an address can be reached. Others are domain-prefixed and belong to implementations.
    #[derive(Default)]
    pub enum GatewayAddressRoutability {
        #[default]
        Default = "",
        Cluster = "Cluster",
    }
}

/// An address that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpecAddress {
    /// What kind of address.
    #[serde(default)]
    pub r#type: AddressType,
    /// The address; any of the type where absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// From where it is to be reached.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub routability: GatewayAddressRoutability,
}

/// An address that was assigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatusAddress {
    /// What kind of address.
    #[serde(default)]
    pub r#type: AddressType,
    /// The address.
    pub value: String,
    /// From where it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routability: Option<GatewayAddressRoutability>,
}

/// Labels, annotations and settings for what the controller creates for a Gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayInfrastructure {
    /// Labels.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub labels: StringMap,
    /// Annotations.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub annotations: StringMap,
    /// An object with further settings, in the Gateway's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<LocalParametersReference>,
}

/// A reference to an object with settings in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalParametersReference {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// Status of a [`Gateway`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayStatus {
    /// Addresses that were assigned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayStatusAddress>,
    /// `Accepted`, `Programmed`, …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// One entry a listener of the spec.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerStatus>,
    /// How many accepted ListenerSets are attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached_listener_sets: Option<u32>,
}
