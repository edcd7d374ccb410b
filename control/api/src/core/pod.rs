//! Pod: who is behind an address.

use serde::{Deserialize, Serialize};

use crate::meta::ObjectMeta;
use crate::words::open_words;

/// A pod; we read whose it is and which addresses it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub spec: PodSpec,
    /// Status.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub status: PodStatus,
}

/// Specification of a [`Pod`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The service account that it runs as; `default` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Whether its addresses are those of its node.
    #[serde(skip_serializing_if = "crate::is_default")]
    pub host_network: bool,
}

/// Status of a [`Pod`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// How far its life has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<PodPhase>,
    /// Its address.
    #[serde(rename = "podIP", skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<String>,
    /// Its addresses, at most one of each family.
    #[serde(rename = "podIPs", skip_serializing_if = "Vec::is_empty")]
    pub pod_ips: Vec<PodIp>,
}

/// An address of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodIp {
    /// The address.
    pub ip: String,
}

open_words! {
    /// How far a pod's life has come.
    pub enum PodPhase {
        Pending = "Pending",
        Running = "Running",
        Succeeded = "Succeeded",
        Failed = "Failed",
        Unknown = "Unknown",
    }
}

impl Pod {
    /// The service account that it runs as.
    #[must_use]
    pub fn service_account(&self) -> &str {
        self.spec.service_account_name.as_deref().filter(|name| !name.is_empty()).unwrap_or("default")
    }

    /// The addresses that are its alone, as they are written. A pod that has ended keeps them in its status, though others
    /// have them by then; one on its node's network has none of its own.
    pub fn own_addresses(&self) -> impl Iterator<Item = &str> {
        let has_ended = matches!(self.status.phase, Some(PodPhase::Succeeded | PodPhase::Failed));
        let PodStatus { phase: _, pod_ip, pod_ips } = &self.status;
        let all = pod_ip.iter().map(String::as_str).chain(pod_ips.iter().map(|address| address.ip.as_str()));
        all.filter(move |_| !has_ended && !self.spec.host_network)
    }
}
