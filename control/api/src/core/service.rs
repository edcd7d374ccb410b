//! Service.

use serde::{Deserialize, Serialize};

use crate::meta::{ObjectMeta, StringMap};
use crate::words::{closed_words, open_words};

/// A name for endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    #[serde(default)]
    pub spec: ServiceSpec,
}

/// Specification of a [`Service`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// How it is reached.
    pub r#type: ServiceType,
    /// Its virtual address; `None` for a headless Service.
    #[serde(rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<String>,
    /// The DNS name that stands behind it, with type ExternalName.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_name: Option<String>,
    /// Ports, unique by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
    /// Labels of its pods.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub selector: StringMap,
    /// Whether endpoints that are not ready count as ready.
    #[serde(skip_serializing_if = "crate::is_default")]
    pub publish_not_ready_addresses: bool,
}

open_words! {
    /// How a Service is reached.
    #[derive(Default)]
    pub enum ServiceType {
        #[default]
        ClusterIp = "ClusterIP",
        NodePort = "NodePort",
        LoadBalancer = "LoadBalancer",
        ExternalName = "ExternalName",
    }
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Its name; EndpointSlices refer to it. Empty where the Service has one port without a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Transport.
    #[serde(default)]
    pub protocol: TransportProtocol,
    /// Its number.
    pub port: u16,
    /// The number or name of the pods' port; the same as `port` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_port: Option<IntOrString>,
    /// What is spoken, such as `kubernetes.io/h2c` (GEP-1911).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
}

closed_words! {
    /// A transport.
    #[derive(Default)]
    pub enum TransportProtocol {
        #[default]
        Tcp = "TCP",
        Udp = "UDP",
        Sctp = "SCTP",
    }
}

/// A port by number or by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// By number.
    Int(u16),
    /// By name.
    String(String),
}

impl Service {
    /// The port with this number.
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&ServicePort> {
        self.spec.ports.iter().find(|port| port.port == number)
    }

    /// Whether it has no virtual address.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.spec.cluster_ip.as_deref() == Some("None")
    }
}
