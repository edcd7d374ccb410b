//! Writing to the API server: server-side apply of what shall be, and deleting what is obsolete.

use super::drift::{keep_replicas, mark};
use super::live::{Live, LiveKey, LiveKind};
use super::marks::{MANAGER, REVISION, SHARE};
use super::watch::read;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use lychgate_api::gateway::Gateway;
use lychgate_api::meta::{ObjectMeta, StringMap};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWritten {
    /// Somebody else has made an object of this name.
    #[error("{0} is there already, and was not made by Lychgate; delete or rename it")]
    Foreign(LiveKey),
    /// What the API server says.
    #[error("{key}: {error}{}", hint(.error))]
    Refused {
        /// What was written.
        key: LiveKey,
        /// Why not.
        #[source]
        error: kube::Error,
    },
    /// A bug of ours, or an answer that is no object.
    #[error("{0}: the API server's answer cannot be read")]
    Unreadable(LiveKey),
}

fn hint(error: &kube::Error) -> &'static str {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            "; see to the ClusterRole of the control plane, and to quotas"
        }
        kube::Error::Api(status) if status.code == 422 => "; see to the GatewayParameters",
        _ => "",
    }
}

/// Objects as they shall be, ready to be written and compared.
pub(super) fn marked(wanted: Value, least_replicas: Option<u64>, live: Option<&Live>) -> Value {
    let mut wanted = mark(wanted);
    if let Some(least) = least_replicas {
        keep_replicas(&mut wanted, live, least);
    }
    wanted
}

/// Writes an object. Where we have not seen one of its name before, it is looked for: what others made is not ours to take.
pub(super) async fn apply(client: Client, key: LiveKey, wanted: Value, seen: bool) -> Result<Live, NotWritten> {
    let api = api(client, &key);
    let refused = |error| NotWritten::Refused { key: key.clone(), error };
    if !seen {
        let there = api.get_opt(&key.key.name).await.map_err(refused)?;
        if there.is_some_and(|there| !wrote(&there)) {
            return Err(NotWritten::Foreign(key));
        }
    }
    let parameters = PatchParams::apply(MANAGER).force();
    let written = api.patch(&key.key.name, &parameters, &Patch::Apply(&wanted)).await.map_err(refused)?;
    read(key.kind, &written).map(|(_, live)| live).ok_or(NotWritten::Unreadable(key))
}

fn wrote(object: &DynamicObject) -> bool {
    let managers = object.metadata.managed_fields.iter().flatten();
    managers.into_iter().any(|entry| entry.manager.as_deref() == Some(MANAGER))
}

/// Deletes exactly the object that was seen, and not one that has changed since or come in its place.
pub(super) async fn delete(client: Client, key: LiveKey, live: &Live) -> Result<(), NotWritten> {
    let parameters = DeleteParams::background().preconditions(Preconditions {
        uid: live.uid().map(str::to_owned),
        resource_version: live.resource_version().map(str::to_owned),
    });
    match api(client, &key).delete(&key.key.name, &parameters).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(NotWritten::Refused { key, error }),
    }
}

/// Whether the Gateways that own an object are still as we see them. Asked before anything is deleted: a view may be old,
/// and a Gateway that has come back keeps what it has.
pub(super) async fn owners_are(client: Client, namespace: &str, owners: &[(String, Option<Arc<Gateway>>)]) -> bool {
    let resource = kube::core::ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(
        lychgate_api::GATEWAY_GROUP,
        "v1",
        "Gateway",
    ));
    let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &resource);
    for (name, seen) in owners {
        let Some(seen) = seen else { return false };
        match api.get_metadata_opt(name).await {
            Ok(Some(gateway)) if is_as_seen(&gateway.metadata, &seen.metadata) => {}
            Ok(_) | Err(_) => return false,
        }
    }
    true
}

/// Whether nothing has changed that tells whose a Gateway is. Versions also count statuses, so they are not kept.
fn is_as_seen(now: &kube::core::ObjectMeta, seen: &ObjectMeta) -> bool {
    let same = |now: &Option<BTreeMap<String, String>>, seen: &StringMap, name: &str| {
        now.as_ref().and_then(|all| all.get(name)) == seen.get(name)
    };
    now.uid == seen.uid
        && now.generation.unwrap_or_default() == seen.generation
        && same(&now.annotations, &seen.annotations, SHARE)
        && same(&now.labels, &seen.labels, REVISION)
}

fn api(client: Client, key: &LiveKey) -> Api<DynamicObject> {
    Api::namespaced_with(client, &key.key.namespace, &key.kind.resource())
}

/// The least number of pods of an autoscaled Deployment.
pub(super) fn least_replicas(kind: LiveKind, group: &super::group::Group) -> Option<u64> {
    let autoscaling = group.parameters.deployment.autoscaling.as_ref()?;
    (kind == LiveKind::Deployment).then_some(autoscaling.min_replicas.into())
}
