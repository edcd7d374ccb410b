//! When conditions changed last.

use super::{ObjectStatus, Place, Statuses};
use lychgate_api::Time;
use lychgate_api::meta::Condition;
use std::collections::HashMap;
use std::sync::Arc;

impl Statuses {
    /// The same, with the time at which each condition took the status that it has: `now` for those that `before` did
    /// not say. `before` is what was said last, without and with times; what did not change is shared with it.
    #[must_use]
    pub fn with_times(&self, before: Option<(&Self, &Self)>, now: Time) -> Self {
        // What is said alike of many is one value, and stays one.
        let mut told: HashMap<(*const ObjectStatus, Option<*const ObjectStatus>), Arc<ObjectStatus>> = HashMap::new();
        let mut tell = |status: &Arc<ObjectStatus>, said: Option<&Arc<ObjectStatus>>| {
            let both = (Arc::as_ptr(status), said.map(Arc::as_ptr));
            told.entry(both).or_insert_with(|| Arc::new(status.timed(said.map(|said| &**said), now))).clone()
        };
        let Some((plain, timed)) = before else {
            let all = self.all.iter().map(|(object, status)| {
                let status = self.instead.get(object).unwrap_or(status);
                (object.clone(), tell(status, None))
            });
            return Self::new(all.collect());
        };
        let mut all = timed.all.clone();
        for object in self.touched_since(plain) {
            let Some(status) = self.get(object) else {
                all.remove(object);
                continue;
            };
            let said = timed.get(object);
            // Told at the same time, it is the same value.
            if said.is_none() || plain.get(object) != Some(status) {
                all.insert(object.clone(), tell(status, said));
            }
        }
        Self::new(all)
    }
}

impl ObjectStatus {
    /// The same, with the time at which each condition took the status that it has: `now` for those that `before` did
    /// not say.
    #[must_use]
    pub fn timed(&self, before: Option<&Self>, now: Time) -> Self {
        let said = before.map(Self::conditions).unwrap_or_default();
        let since = |place: Place<'_>, condition: &Condition| {
            let same = |(old_place, old): &&(Place<'_>, &Condition)| {
                *old_place == place && old.r#type == condition.r#type && old.status == condition.status
            };
            said.iter().find(same).map_or(now, |(_, old)| old.last_transition_time)
        };
        let times: Vec<Time> =
            self.conditions().into_iter().map(|(place, condition)| since(place, condition)).collect();
        let mut status = self.clone();
        for (condition, time) in status.conditions_mut().into_iter().zip(times) {
            condition.last_transition_time = time;
        }
        status
    }

    /// Every condition, in the order of [`ObjectStatus::conditions`].
    fn conditions_mut(&mut self) -> Vec<&mut Condition> {
        match self {
            Self::GatewayClass(status) => status.conditions.iter_mut().collect(),
            Self::Gateway(status) => {
                let listeners = status.listeners.iter_mut().flat_map(|listener| &mut listener.conditions);
                status.conditions.iter_mut().chain(listeners).collect()
            }
            Self::ListenerSet(status) => {
                let listeners = status.listeners.iter_mut().flat_map(|listener| &mut listener.conditions);
                status.conditions.iter_mut().chain(listeners).collect()
            }
            Self::Route(status) => status.parents.iter_mut().flat_map(|parent| &mut parent.conditions).collect(),
            Self::Policy(status) => status.ancestors.iter_mut().flat_map(|ancestor| &mut ancestor.conditions).collect(),
            Self::XBackend(status) => {
                status.ancestors.iter_mut().flat_map(|ancestor| &mut ancestor.conditions).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::status::condition::Writer;
    use lychgate_api::gateway::{GatewayStatus, ListenerStatus};
    use lychgate_api::{Kind, ObjectKey, ObjectRef};

    fn object(name: &str) -> ObjectRef {
        ObjectRef { kind: Kind::Gateway, key: ObjectKey::new("d", name) }
    }

    /// Two Gateways: one as told, with a listener, the other never changes.
    fn said(accepted: bool, programmed: bool, message: &str) -> Statuses {
        let listener = |name: &str, holds| ListenerStatus {
            name: name.to_owned(),
            supported_kinds: Vec::new(),
            attached_routes: 0,
            conditions: vec![Writer::new(1).write("Programmed", holds, "Why", message)],
        };
        let gateway = |conditions, listeners| {
            Arc::new(ObjectStatus::Gateway(GatewayStatus { conditions, listeners, ..GatewayStatus::default() }))
        };
        let changing = vec![Writer::new(1).write("Accepted", accepted, "Why", message)];
        let steady = vec![Writer::new(1).write("Accepted", true, "Why", "always")];
        Statuses::new(crate::status::Entries::from([
            (Arc::new(object("changing")), gateway(changing, vec![listener("a", programmed), listener("b", true)])),
            (Arc::new(object("steady")), gateway(steady, Vec::new())),
        ]))
    }

    fn times(statuses: &Statuses, name: &str) -> Vec<i64> {
        let conditions = statuses.get(&object(name)).unwrap().conditions();
        conditions.into_iter().map(|(_, condition)| condition.last_transition_time.unix_seconds()).collect()
    }

    #[test]
    fn a_time_stays_until_the_status_changes() {
        let at = Time::from_unix_seconds;
        let first = said(true, true, "one");
        let first_timed = first.with_times(None, at(10));
        assert_eq!(times(&first_timed, "changing"), [10, 10, 10]);
        // Another message is no transition.
        let second = said(true, false, "two");
        let second_timed = second.with_times(Some((&first, &first_timed)), at(20));
        assert_eq!(times(&second_timed, "changing"), [10, 20, 10]);
        let third = said(true, true, "two");
        let third_timed = third.with_times(Some((&second, &second_timed)), at(30));
        assert_eq!(times(&third_timed, "changing"), [10, 30, 10]);
        assert_eq!(times(&third_timed, "steady"), [10]);
    }

    #[test]
    fn what_did_not_change_is_shared() {
        let first = said(true, true, "one");
        let timed = first.with_times(None, Time::from_unix_seconds(10));
        let again = first.with_times(Some((&first, &timed)), Time::from_unix_seconds(20));
        assert!(again.is(&timed));
        let other = said(false, true, "one").with_times(Some((&first, &timed)), Time::from_unix_seconds(20));
        assert!(Arc::ptr_eq(other.get(&object("steady")).unwrap(), timed.get(&object("steady")).unwrap()));
        assert_eq!(times(&other, "changing"), [20, 10, 10]);
    }

    #[test]
    fn what_is_said_alike_of_many_stays_one_value() {
        let both = |status: Arc<ObjectStatus>| {
            let entry = |name: &str| (Arc::new(object(name)), status.clone());
            Statuses::new(crate::status::Entries::from([entry("a"), entry("b")]))
        };
        let one =
            |statuses: &Statuses| Arc::ptr_eq(statuses.get(&object("a")).unwrap(), statuses.get(&object("b")).unwrap());
        let of = |accepted| said(accepted, true, "one").get(&object("changing")).unwrap().clone();
        let (first, second) = (both(of(true)), both(of(false)));
        let first_timed = first.with_times(None, Time::from_unix_seconds(10));
        let second_timed = second.with_times(Some((&first, &first_timed)), Time::from_unix_seconds(20));
        assert!(one(&first_timed) && one(&second_timed));
        assert_eq!((times(&second_timed, "a"), times(&second_timed, "b")), (vec![20, 10, 10], vec![20, 10, 10]));
    }
}
