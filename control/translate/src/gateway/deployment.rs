//! What `spec.deployment` of GatewayParameters asks for. Gateways that share a data plane have the pods of their senior: what the
//! others write has no effect, so that it is told, and not judged.

use super::{GatewayPlan, parameters};
use crate::egress::settings::audit_key;
use crate::listener::ListenerPlan;
use crate::names::{REMOTE, SHARE};
use crate::status::condition::Problem;
use crate::world::World;
use lychgate_api::ObjectKey;
use lychgate_api::lychgate::DeploymentParameters;
use std::collections::HashMap;

/// What is said of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deployment {
    /// What it refers to is not there.
    pub(crate) unresolved: Option<Problem>,
    /// That it has no effect.
    pub(crate) note: Option<String>,
}

/// Whose pods a Gateway has.
enum Pods<'a> {
    /// Its own, or those that it shares as the senior.
    Own,
    /// Those of the senior.
    Of(&'a ObjectKey),
    /// Those of another cluster.
    Elsewhere(&'a str),
}

/// Judges those that have an effect. The plans are in order of seniority.
pub(super) fn judge(world: &World<'_>, plans: &mut [GatewayPlan<'_>]) {
    let mut seniors: HashMap<(&str, String), (&ObjectKey, DeploymentParameters)> = HashMap::new();
    for plan in plans {
        let wanted = parameters::parameters(world.objects, plan.object).deployment;
        // Without a cluster there are no pods.
        let share = plan.settings.share.clone().filter(|_| !world.options.standalone);
        let group = share.map(|share| (plan.key.namespace.as_str(), share));
        let remote = plan.object.metadata.annotations.get(REMOTE).filter(|_| !world.options.standalone);
        let senior = group.as_ref().and_then(|group| seniors.get(group));
        let pods = match (remote, senior) {
            (Some(cluster), _) => Pods::Elsewhere(cluster),
            (None, Some((senior, _))) => Pods::Of(senior),
            (None, None) => Pods::Own,
        };
        match pods {
            Pods::Own => {
                own(world, plan, &wanted);
                let is_served = plan.refused.is_none() && plan.all_listeners().any(ListenerPlan::is_valid);
                if let Some(group) = group.filter(|_| is_served) {
                    seniors.insert(group, (plan.key, wanted));
                }
            }
            Pods::Of(key) => {
                let is_same = senior.is_some_and(|(_, of_senior)| *of_senior == wanted);
                let note = || {
                    format!(
                        "spec.deployment of its GatewayParameters has no effect: by annotation {SHARE} it has the pods of Gateway \
                         {key}, which comes first; write it there"
                    )
                };
                plan.deployment.note = (!is_same && wanted != DeploymentParameters::default()).then(note);
            }
            Pods::Elsewhere(cluster) => {
                let note = || {
                    format!(
                        "spec.deployment of its GatewayParameters has no effect: by annotation {REMOTE} its pods are in cluster \
                         {cluster}, and none is made here"
                    )
                };
                plan.deployment.note = (wanted != DeploymentParameters::default()).then(note);
            }
        }
    }
}

fn own(world: &World<'_>, plan: &mut GatewayPlan<'_>, wanted: &DeploymentParameters) {
    let judged = match plan.egress {
        None => parameters::unsigned(wanted).map_or(Ok(None), Err),
        Some(_) => audit_key(world, &plan.key.namespace, wanted),
    };
    match judged {
        Ok(unresolved) => plan.deployment.unresolved = unresolved,
        Err(problem) => drop(plan.refused.get_or_insert(problem)),
    }
}
