//! How many pods there are, and how many may be missing.

use super::Parts;
use crate::provision::live::LiveKind;
use lychgate_api::lychgate::Autoscaling;
use serde_json::{Value, json};

/// A HorizontalPodAutoscaler, if one is asked for.
pub(super) fn autoscaler(parts: &Parts<'_>) -> Option<Value> {
    let Autoscaling { min_replicas, max_replicas, target_cpu_utilization } =
        parts.group.parameters.deployment.autoscaling.as_ref()?;
    let name = &parts.group.key.name;
    let spec = json!({
        "scaleTargetRef": {"apiVersion": LiveKind::Deployment.api_version(), "kind": "Deployment", "name": name},
        "minReplicas": min_replicas,
        "maxReplicas": max_replicas,
        "metrics": [{
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target_cpu_utilization}},
        }],
    });
    Some(parts.object(LiveKind::Autoscaler, name, json!({ "spec": spec })))
}

/// A PodDisruptionBudget, if one is asked for.
pub(super) fn disruption_budget(parts: &Parts<'_>) -> Option<Value> {
    let budget = parts.group.parameters.deployment.disruption_budget.as_ref()?;
    let mut spec = serde_json::to_value(budget).ok()?;
    super::put(&mut spec, "selector", Some(json!({ "matchLabels": parts.selector() })));
    Some(parts.object(LiveKind::DisruptionBudget, &parts.group.key.name, json!({ "spec": spec })))
}
