//! GatewayParameters: how the data planes of Gateways run in a cluster.

mod egress;

pub use egress::*;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::{ServiceType, TransportProtocol};
use crate::meta::{ObjectMeta, StringMap};
use crate::words::closed_words;

/// How the data planes of Gateways run. A GatewayClass refers to one for all its Gateways, a Gateway to one of its own,
/// which wins field by field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayParameters {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    #[serde(default)]
    pub spec: GatewayParametersSpec,
}

/// Specification of [`GatewayParameters`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayParametersSpec {
    /// The pods.
    #[serde(skip_serializing_if = "crate::is_default")]
    pub deployment: DeploymentParameters,
    /// How clients reach them.
    #[serde(skip_serializing_if = "crate::is_default")]
    pub service: ServiceParameters,
    /// How an egress Gateway decides.
    #[serde(skip_serializing_if = "crate::is_default")]
    pub egress: EgressParameters,
}

/// The pods of a data plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentParameters {
    /// How many; with `autoscaling`, only until that has counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// As many as the load asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// CPU and memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// How many may be missing while nodes are emptied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disruption_budget: Option<DisruptionBudget>,
    /// How pods are spread over nodes and zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology_spread: Option<Vec<TopologySpread>>,
    /// Labels of the nodes that they may run on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<StringMap>,
    /// Taints that they bear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Toleration>>,
    /// Which pods give way to which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// How long connections may go on when a pod ends, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_seconds: Option<u32>,
    /// Flags of `lychgate-gateway` about limits, access log, metrics and traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// The key that signs the audit log, in a Secret of the pods' namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_key_ref: Option<LocalSecretKeyReference>,
    /// More labels of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<StringMap>,
    /// More annotations of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<StringMap>,
}

/// One text of a Secret, where only one namespace can be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalSecretKeyReference {
    /// The Secret's name.
    pub name: String,
    /// The key of its data.
    pub key: String,
}

/// As many pods as the load asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Autoscaling {
    /// At least so many.
    #[serde(default = "one")]
    pub min_replicas: u32,
    /// At most so many.
    pub max_replicas: u32,
    /// Of the CPU that is requested, in percent, on average.
    #[serde(default = "eighty")]
    pub target_cpu_utilization: u32,
}

fn one() -> u32 {
    1
}

fn eighty() -> u32 {
    80
}

/// CPU and memory, in Kubernetes' quantities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceRequirements {
    /// What is set aside.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
    /// What is not gone over.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
}

/// An amount, as a number or with a unit: `2`, `500m`, `128Mi`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Quantity {
    /// Without a unit.
    Int(u64),
    /// As it is written.
    String(String),
}

/// How many pods may be missing while nodes are emptied: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DisruptionBudget {
    /// At least so many stay, or percent of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_available: Option<Quantity>,
    /// At most so many are missing, or percent of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<Quantity>,
}

/// How evenly pods are spread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopologySpread {
    /// The label of nodes whose values are the places, such as `topology.kubernetes.io/zone`.
    pub topology_key: String,
    /// By how many pods places may differ.
    #[serde(default = "skew")]
    pub max_skew: u32,
    /// What becomes of a pod that would make them differ more.
    #[serde(default)]
    pub when_unsatisfiable: WhenUnsatisfiable,
}

fn skew() -> u32 {
    1
}

closed_words! {
    /// What becomes of a pod that finds no place.
    #[derive(Default)]
    pub enum WhenUnsatisfiable {
        #[default]
        ScheduleAnyway = "ScheduleAnyway",
        DoNotSchedule = "DoNotSchedule",
    }
}

/// A taint of nodes that pods bear.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    /// The taint's key; every taint where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether its value counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Its effect; every effect where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// For how long, with effect NoExecute; for ever where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}

closed_words! {
    /// Whether a taint's value counts.
    pub enum TolerationOperator {
        Exists = "Exists",
        Equal = "Equal",
    }
}

closed_words! {
    /// What a taint does to pods.
    pub enum TaintEffect {
        NoSchedule = "NoSchedule",
        PreferNoSchedule = "PreferNoSchedule",
        NoExecute = "NoExecute",
    }
}

/// How clients reach a data plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceParameters {
    /// LoadBalancer for ingress and ClusterIP for egress where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<ServiceType>,
    /// Which controller gives addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
    /// Networks whose clients are let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_source_ranges: Option<Vec<String>>,
    /// Whether nodes pass connections on to other nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<ExternalTrafficPolicy>,
    /// IPv4, IPv6, or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_family_policy: Option<IpFamilyPolicy>,
    /// Ports beyond those of the listeners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_ports: Option<Vec<ExtraPort>>,
    /// More labels of the Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<StringMap>,
    /// More annotations of the Service, which many clouds take settings from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<StringMap>,
}

closed_words! {
    /// Whether nodes pass connections on to other nodes.
    pub enum ExternalTrafficPolicy {
        Cluster = "Cluster",
        Local = "Local",
    }
}

closed_words! {
    /// IPv4, IPv6, or both.
    pub enum IpFamilyPolicy {
        SingleStack = "SingleStack",
        PreferDualStack = "PreferDualStack",
        RequireDualStack = "RequireDualStack",
    }
}

/// A port of the Service that no listener asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtraPort {
    /// Its name.
    pub name: String,
    /// Its number.
    pub port: u16,
    /// The number of the pods' port; the same where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_port: Option<u16>,
    /// Transport.
    #[serde(default)]
    pub protocol: TransportProtocol,
}

/// Takes fields of `ours`, and where there is none, that of `theirs`.
macro_rules! or {
    ($name:ident { $($field:ident),+ $(,)? }, $ours:expr, $theirs:expr) => {{
        // Taken apart, so that a new field is not forgotten here.
        let ($name { $($field),+ }, theirs) = ($ours.clone(), $theirs);
        $name { $($field: $field.or_else(|| theirs.$field.clone())),+ }
    }};
}

impl DeploymentParameters {
    /// Whether pods keep an audit log.
    #[must_use]
    pub fn keeps_audit_log(&self) -> bool {
        self.args.iter().flatten().any(|arg| arg.starts_with("--audit-dir="))
    }
}

impl GatewayParametersSpec {
    /// These, and where they say nothing, those of `class`.
    #[must_use]
    pub fn or(&self, class: &Self) -> Self {
        let Self { deployment, service, egress } = self;
        Self {
            deployment: or!(
                DeploymentParameters {
                    replicas,
                    autoscaling,
                    resources,
                    disruption_budget,
                    topology_spread,
                    node_selector,
                    tolerations,
                    priority_class_name,
                    drain_seconds,
                    args,
                    audit_key_ref,
                    labels,
                    annotations,
                },
                deployment,
                &class.deployment
            ),
            service: or!(
                ServiceParameters {
                    r#type,
                    load_balancer_class,
                    load_balancer_source_ranges,
                    external_traffic_policy,
                    ip_family_policy,
                    extra_ports,
                    labels,
                    annotations,
                },
                service,
                &class.service
            ),
            egress: or!(
                EgressParameters { default, cluster_networks, policies, logins, trust_domains, dns, inspection },
                egress,
                &class.egress
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DeploymentParameters, GatewayParametersSpec};

    #[test]
    fn a_gateways_parameters_win_field_by_field() {
        let spec = |replicas, drain_seconds| GatewayParametersSpec {
            deployment: DeploymentParameters { replicas, drain_seconds, ..DeploymentParameters::default() },
            ..GatewayParametersSpec::default()
        };
        assert_eq!(spec(Some(3), None).or(&spec(Some(1), Some(60))), spec(Some(3), Some(60)));
    }
}
