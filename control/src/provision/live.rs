//! What is in the cluster and bears our mark.

use super::marks::{GROUP, MANAGED_BY, MANAGER};
use lychgate_api::ObjectKey;
use serde_json::Value;

/// The kinds that we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LiveKind {
    /// ServiceAccount.
    ServiceAccount,
    /// ConfigMap.
    ConfigMap,
    /// Deployment.
    Deployment,
    /// Service.
    Service,
    /// HorizontalPodAutoscaler.
    Autoscaler,
    /// PodDisruptionBudget.
    DisruptionBudget,
}

impl LiveKind {
    /// Every kind, in the order in which they are made.
    pub const ALL: [Self; 6] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Deployment,
        Self::Service,
        Self::Autoscaler,
        Self::DisruptionBudget,
    ];

    /// As `kind` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Deployment => "Deployment",
            Self::Service => "Service",
            Self::Autoscaler => "HorizontalPodAutoscaler",
            Self::DisruptionBudget => "PodDisruptionBudget",
        }
    }

    /// As `apiVersion` has it.
    #[must_use]
    pub fn api_version(self) -> &'static str {
        match self {
            Self::ServiceAccount | Self::ConfigMap | Self::Service => "v1",
            Self::Deployment => "apps/v1",
            Self::Autoscaler => "autoscaling/v2",
            Self::DisruptionBudget => "policy/v1",
        }
    }

    fn find(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == kind)
    }
}

/// The name of an object that we make.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LiveKey {
    /// Its kind.
    pub kind: LiveKind,
    /// Namespace and name.
    pub key: ObjectKey,
}

impl std::fmt::Display for LiveKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.key)
    }
}

impl LiveKey {
    /// Of an object of ours, as it is written.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let kind = LiveKind::find(text("/kind")?)?;
        Some(Self { kind, key: ObjectKey::new(text("/metadata/namespace")?, text("/metadata/name")?) })
    }
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Live(pub Value);

impl Live {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer).and_then(Value::as_str)
    }

    fn label(&self, label: &str) -> Option<&str> {
        self.0.pointer("/metadata/labels")?.get(label)?.as_str()
    }

    /// An annotation.
    pub(super) fn annotation(&self, annotation: &str) -> Option<&str> {
        self.0.pointer("/metadata/annotations")?.get(annotation)?.as_str()
    }

    /// The group that it belongs to.
    pub(super) fn group(&self) -> Option<ObjectKey> {
        Some(ObjectKey::new(self.text("/metadata/namespace")?, self.label(GROUP)?))
    }

    /// Whether we made it: it bears our label, and we wrote fields of it.
    pub(super) fn is_ours(&self) -> bool {
        let managers = self.0.pointer("/metadata/managedFields").and_then(Value::as_array);
        let wrote =
            managers.into_iter().flatten().any(|entry| entry["manager"] == MANAGER && entry["operation"] == "Apply");
        wrote && self.label(MANAGED_BY) == Some(MANAGER) && self.label(GROUP).is_some()
    }

    /// Whether it is being deleted.
    pub(super) fn is_ending(&self) -> bool {
        self.text("/metadata/deletionTimestamp").is_some()
    }

    pub(super) fn uid(&self) -> Option<&str> {
        self.text("/metadata/uid")
    }

    pub(super) fn resource_version(&self) -> Option<&str> {
        self.text("/metadata/resourceVersion")
    }

    /// Names and uids of the Gateways that own it.
    pub(super) fn owners(&self) -> impl Iterator<Item = (&str, &str)> {
        let owners = self.0.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let gateways = owners.into_iter().flatten().filter(|owner| owner["kind"] == "Gateway");
        gateways.filter_map(|owner| Some((owner["name"].as_str()?, owner["uid"].as_str()?)))
    }
}
