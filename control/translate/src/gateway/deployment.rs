//! What `spec.deployment` of GatewayParameters asks for. Gateways that share a data plane have the pods of their senior: what the
//! others write has no effect, so that it is told, and not judged.

use super::{GatewayPlan, Host, parameters};
use crate::egress::settings::audit_key;
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
    /// Those of the senior, which shall be like this.
    Of(&'a ObjectKey, &'a DeploymentParameters),
    /// Those of another cluster.
    Elsewhere(&'a str),
}

/// A group of Gateways that share pods, by namespace and the value of the annotation.
type Group<'a> = (&'a str, String);
/// A Gateway, and how its pods shall be.
type Senior<'a> = (&'a ObjectKey, DeploymentParameters);

/// The first Gateway of each group that has pods.
#[derive(Default)]
pub(super) struct Seniors<'a>(HashMap<Group<'a>, Senior<'a>>);

/// A Gateway that is the senior of its group, if it has pods.
pub(super) struct Heir<'a> {
    group: Group<'a>,
    senior: Senior<'a>,
}

impl<'a> Seniors<'a> {
    /// Judges one that has an effect. Those that come first have been judged and settled.
    pub(super) fn judge(&self, world: &World<'_>, plan: &mut GatewayPlan<'a>) -> Option<Heir<'a>> {
        let wanted = parameters::parameters(world.objects, plan.object).deployment;
        let group = group(world, plan);
        match self.pods(world, plan, group.as_ref()) {
            Pods::Own => {
                own(world, plan, &wanted);
                return group.map(|group| Heir { group, senior: (plan.key, wanted) });
            }
            Pods::Of(key, of_senior) => {
                let note = || {
                    format!(
                        "spec.deployment of its GatewayParameters has no effect: by annotation {SHARE} it has the pods of Gateway \
                         {key}, which comes first; write it there"
                    )
                };
                let is_lost = wanted != *of_senior && wanted != DeploymentParameters::default();
                plan.deployment.note = is_lost.then(note);
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
        None
    }

    /// Makes one that has pods the senior of its group.
    pub(super) fn settle(&mut self, heir: Heir<'a>) {
        let Heir { group, senior } = heir;
        self.0.insert(group, senior);
    }

    fn pods<'p>(&'p self, world: &World<'_>, plan: &GatewayPlan<'a>, group: Option<&Group<'a>>) -> Pods<'p>
    where
        'a: 'p,
    {
        // Without a cluster there are no pods.
        let remote = plan.object.metadata.annotations.get(REMOTE).filter(|_| !world.options.standalone);
        match (remote, group.and_then(|group| self.0.get(group))) {
            (Some(cluster), _) => Pods::Elsewhere(cluster),
            (None, Some((key, wanted))) => Pods::Of(key, wanted),
            (None, None) => Pods::Own,
        }
    }
}

/// The group that it shares pods with.
fn group<'a>(world: &World<'_>, plan: &GatewayPlan<'a>) -> Option<Group<'a>> {
    match plan.host(world.options.standalone) {
        Host::Shared(namespace, share) => Some((namespace, share)),
        Host::Only | Host::Of(_) => None,
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
