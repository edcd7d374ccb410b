//! What may be deleted: what we made, and what the Gateways that it was made for are seen to want no more.

use super::group::Groups;
use super::live::{Live, LiveKey};
use super::names;
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use lychgate_translate::{Direction, Statuses};
use std::collections::{BTreeMap, BTreeSet};

/// Those of `live` that are not wanted. `desired` is what there shall be, of all groups.
///
/// What belongs to a Gateway that is not there is left alone: the garbage collector sees to it, and if our view is
/// not complete, nobody shall.
#[must_use]
pub fn obsolete<'a>(
    live: &'a BTreeMap<LiveKey, Live>,
    groups: &Groups,
    desired: &BTreeSet<LiveKey>,
    objects: &Objects,
    statuses: &Statuses,
) -> Vec<&'a LiveKey> {
    let wanted_no_more = |key: &LiveKey, live: &Live| {
        let Some(group) = live.group().filter(|_| live.is_ours() && !live.is_ending()) else { return false };
        if groups.held.contains(&group) {
            return false;
        }
        if groups.wanted.contains_key(&group) {
            return !desired.contains(key);
        }
        let mut owners = live.owners().peekable();
        let is_remote = groups.remote.contains_key(&group);
        owners.peek().is_some() && owners.all(|(name, uid)| is_remote || has_left(objects, statuses, &group, name, uid))
    };
    live.iter().filter(|(key, live)| wanted_no_more(key, live)).map(|(key, _)| key).collect()
}

/// Whether the Gateway is seen, and is another group's or another controller's.
fn has_left(objects: &Objects, statuses: &Statuses, group: &ObjectKey, name: &str, uid: &str) -> bool {
    let key = ObjectKey::new(group.namespace.as_str(), name);
    let Some(gateway) = objects.get_gateway(&key).filter(|gateway| gateway.metadata.uid.as_deref() == Some(uid)) else {
        return false;
    };
    if statuses.get(&ObjectRef { kind: Kind::Gateway, key }).is_some() {
        return names::group(gateway) != *group;
    }
    let class = objects.get_gateway_class(&ObjectKey::new("", gateway.spec.gateway_class_name.as_str()));
    class.is_some_and(|class| Direction::of_controller(&class.spec.controller_name).is_none())
}
