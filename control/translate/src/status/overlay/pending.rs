//! Listeners that no data plane has acknowledged yet: they are Accepted, and not Programmed.
//!
//! Gateway API v1.7.0, `GatewayReasonPending` and `ListenerReasonPending`: accepted, and waited for.

use super::super::condition::{self, Problem, sentences};
use super::super::{ObjectStatus, reason};
use super::{find, holds, owner, parts, reference, set};
use lychgate_api::{Kind, ObjectRef};
use lychgate_ir::{GatewayId, ListenerId, ListenerOwner, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// What is pending of one object.
#[derive(Default)]
pub(super) struct Pending<'a> {
    /// Its own listeners, by name, and what is waited for.
    listeners: BTreeMap<&'a str, &'a str>,
    /// Why the whole of it is pending, if it is.
    whole: Option<&'a str>,
}

/// What is pending, by the object that says it. A Gateway is pending with any listener of its own, and if it has none that
/// is not.
pub(super) fn by_object<'a>(
    snapshot: &Snapshot,
    pending: &'a BTreeMap<ListenerId, String>,
) -> BTreeMap<ObjectRef, Pending<'a>> {
    let mut objects: BTreeMap<ObjectRef, Pending<'a>> = BTreeMap::new();
    for (id, why) in pending {
        let object = objects.entry(owner(id)).or_default();
        object.listeners.insert(&*id.section, why);
        object.whole = Some(why);
    }
    let of_sets: BTreeSet<&GatewayId> =
        pending.keys().filter(|id| id.owner != ListenerOwner::Gateway).map(|id| &id.gateway).collect();
    for gateway in of_sets {
        let all = snapshot.listeners.keys().filter(|id| id.gateway == *gateway);
        let whys: Option<Vec<&'a String>> = all.map(|id| pending.get(id)).collect();
        if let Some(why) = whys.and_then(|whys| whys.first().copied()) {
            objects.entry(reference(Kind::Gateway, &gateway.0)).or_default().whole = Some(why);
        }
    }
    objects
}

pub(super) fn say(status: &mut ObjectStatus, pending: &Pending<'_>) {
    let Pending { listeners: waiting, whole } = pending;
    let Some((conditions, listeners)) = parts(status) else { return };
    let not_yet = |conditions: &mut Vec<_>, why: &str| {
        if holds(conditions, condition::PROGRAMMED)
            && let Some(programmed) = find(conditions, condition::PROGRAMMED)
        {
            set(programmed, false, &Problem::new(reason::PENDING, why));
        }
    };
    for listener in listeners {
        if let Some(why) = waiting.get(listener.name.as_str()) {
            not_yet(&mut listener.conditions, why);
        }
    }
    let Some(whole) = whole else { return };
    let named: Vec<String> = waiting.iter().map(|(name, why)| format!("listener {name}: {why}")).collect();
    let message = if named.is_empty() { (*whole).to_owned() } else { sentences(&named) };
    not_yet(conditions, &message);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Overlay;
    use super::super::tests::{problems, translated};

    #[test]
    fn what_is_not_acknowledged_is_not_programmed() {
        let said = problems(|snapshot| {
            let ids = snapshot.listeners.keys().filter(|id| &*id.section == "a");
            Overlay { pending: ids.map(|id| (id.clone(), "soon".to_owned())).collect(), ..Overlay::default() }
        });
        assert_eq!(said, [" Programmed=False (Pending)", "listener a Programmed=False (Pending)"]);
    }

    #[test]
    fn says_nothing_where_nothing_is_pending() {
        let translation = translated();
        let same = translation.statuses.overlaid(&translation.snapshot, &Overlay::default());
        assert_eq!(same, translation.statuses);
    }
}
