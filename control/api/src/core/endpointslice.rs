//! EndpointSlice (discovery.k8s.io/v1).

use serde::{Deserialize, Serialize};

use super::TransportProtocol;
use crate::labels;
use crate::meta::ObjectMeta;
use crate::words::closed_words;

/// Some of the endpoints of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSlice {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What the addresses are.
    pub address_type: AddressFamily,
    /// Endpoints.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// Ports, which all of the endpoints have.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<EndpointPort>,
}

/// Go clients write `null` for an empty list.
fn null_is_empty<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

closed_words! {
    /// What the addresses of a slice are.
    pub enum AddressFamily {
        Ipv4 = "IPv4",
        Ipv6 = "IPv6",
        Fqdn = "FQDN",
    }
}

/// An endpoint: one thing (a pod, mostly) with addresses of one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Addresses; the first is the one to use.
    pub addresses: Vec<String>,
    /// Whether it can be used.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub conditions: EndpointConditions,
    /// The host part of its DNS name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The node that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// The zone that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Whether an endpoint can be used. Absent means unknown, which the methods read as Kubernetes says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointConditions {
    /// Serving and not terminating.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Its readiness probe passes, terminating or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<bool>,
    /// It is shutting down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating: Option<bool>,
}

impl EndpointConditions {
    /// New requests may go there. Unknown counts as ready.
    #[must_use]
    pub fn is_ready(self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// It answers requests, terminating or not. Unknown counts as `ready`.
    #[must_use]
    pub fn is_serving(self) -> bool {
        self.serving.unwrap_or_else(|| self.is_ready())
    }

    /// It is shutting down. Unknown counts as not.
    #[must_use]
    pub fn is_terminating(self) -> bool {
        self.terminating.unwrap_or(false)
    }
}

/// A port of a slice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPort {
    /// The name of the Service's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Transport.
    #[serde(default)]
    pub protocol: TransportProtocol,
    /// Its number; any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What is spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
}

impl EndpointSlice {
    /// The name of the Service, in the slice's namespace, that it belongs to.
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        self.metadata.labels.get(labels::SERVICE_NAME).map(String::as_str)
    }
}
