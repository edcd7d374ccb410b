//! The desk: which objects need a write, which is next, and what comes after it went well or not.
//!
//! Each object has at most one write in flight, and what is written is made at the last moment, so that the latest wins
//! and what was overtaken is never written. After a write an object rests for a moment: a Gateway to which a thousand
//! routes attach one after the other is not written a thousand times.

use super::merge;
use super::settled::Settled;
use crate::watch::Observed;
use lychgate_api::gateway::ParentReference;
use lychgate_api::{Kind, ObjectKey, ObjectRef, Time};
use lychgate_translate::Statuses;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// How long an object rests after a write.
const REST: Duration = Duration::from_millis(200);
/// The first wait after a failure; it doubles,
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// to no more than this.
const LAST_WAIT: Duration = Duration::from_secs(30);

/// All that is known about statuses.
#[derive(Debug, Default)]
pub struct Desk {
    /// What shall be said; none before the first translation of a whole view.
    wanted: Option<Wanted>,
    /// The term of office in which that was judged; none by a replica that did not lead.
    term: Option<u64>,
    observed: HashMap<ObjectRef, Observed>,
    slots: HashMap<ObjectRef, Slot>,
    /// Objects to look at, the earliest first.
    due: BTreeSet<(Instant, ObjectRef)>,
}

#[derive(Debug)]
struct Wanted {
    statuses: Statuses,
    /// Objects that are not written for now: something that they would say is about to change.
    held: BTreeSet<ObjectRef>,
    /// Gateways and ListenerSets that another control plane of ours speaks for.
    others: BTreeSet<ObjectRef>,
}

impl Wanted {
    /// Whether a reference in the status of `object` leads to what another one speaks for.
    fn is_others(&self, object: &ObjectRef, parent: &ParentReference) -> bool {
        let namespace = parent.namespace.as_ref().unwrap_or(&object.key.namespace);
        let kind = Kind::find(&parent.group, &parent.kind);
        kind.is_some_and(|kind| {
            self.others.contains(&ObjectRef { kind, key: ObjectKey::new(namespace.as_str(), parent.name.as_str()) })
        })
    }

    /// Whether something in the status of an object was said by us.
    fn says(&self, object: &ObjectRef, observed: &Observed) -> bool {
        !self.others.contains(object) && merge::is_ours(object.kind, observed, &|parent| self.is_others(object, parent))
    }
}

/// One object's place.
#[derive(Debug, Default)]
struct Slot {
    due: Option<Instant>,
    /// The write that is on its way, if one is.
    in_flight: Option<Value>,
    /// Whether to look again when that is done.
    again: bool,
    failures: u32,
    /// Nothing is written before.
    rests_until: Option<Instant>,
    settled: Option<Settled>,
}

/// A write.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Of which object.
    pub object: ObjectRef,
    /// Of all that had the name, which.
    pub uid: String,
    /// The version that has to be the newest, if the write depends on it.
    pub resource_version: Option<String>,
    /// The status.
    pub status: Value,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Done; the object is now as observed.
    Written(Observed),
    /// It is another object by now, or has another version: as observed, if it could be looked at.
    Overtaken(Option<Observed>),
    /// The object is gone.
    Gone,
    /// Refused for what it says: there is no use in trying the same again.
    Refused,
    /// It may go well next time.
    Failed,
}

impl Desk {
    /// What the API server has of an object; None where it is gone.
    pub fn observe(&mut self, object: &ObjectRef, observed: Option<Observed>, now: Instant) {
        match observed {
            Some(observed) => {
                let old = self.observed.get(object);
                if old.is_some_and(|old| old.uid == observed.uid && is_older(&observed, old)) {
                    return;
                }
                let says_the_same = old.is_some_and(|old| old.uid == observed.uid && old.status == observed.status);
                self.observed.insert(object.clone(), observed);
                if !says_the_same {
                    self.look(object, now);
                }
            }
            None => {
                self.observed.remove(object);
                if let Some(Slot { due: Some(due), .. }) = self.slots.remove(object) {
                    self.due.remove(&(due, object.clone()));
                }
            }
        }
    }

    /// What shall be said from now on. Objects in `held` are left alone until they are not held any more; for Gateways and
    /// ListenerSets in `others` another control plane of ours speaks.
    pub fn want(&mut self, statuses: &Statuses, held: BTreeSet<ObjectRef>, others: BTreeSet<ObjectRef>, now: Instant) {
        let before = self.wanted.replace(Wanted { statuses: statuses.clone(), held, others });
        let (old, old_held) = before.map_or_else(Default::default, |before| (before.statuses, before.held));
        let first = old.iter().len() == 0;
        let mut look = statuses.changed_since(&old);
        look.extend(old_held);
        if first {
            look.extend(self.with_words_of_ours());
        }
        for object in look {
            self.look(&object, now);
        }
    }

    /// What is wanted was judged in this term. Who does not lead hears less, and may want what a leader would not.
    pub fn judged_in(&mut self, term: Option<u64>) {
        self.term = term;
    }

    /// In which term what is wanted was judged.
    #[must_use]
    pub fn term(&self) -> Option<u64> {
        self.term
    }

    /// Looks at everything again: whoever wrote before may have left something undone.
    pub fn look_at_all(&mut self, now: Instant) {
        let wanted = self.wanted.iter().flat_map(|wanted| wanted.statuses.iter().map(|(object, _)| object.clone()));
        let all: BTreeSet<ObjectRef> = wanted.chain(self.with_words_of_ours()).collect();
        for object in all {
            self.look(&object, now);
        }
    }

    fn with_words_of_ours(&self) -> Vec<ObjectRef> {
        let Some(wanted) = &self.wanted else { return Vec::new() };
        let ours = self.observed.iter().filter(|(object, observed)| wanted.says(object, observed));
        ours.map(|(object, _)| object.clone()).collect()
    }

    /// What the API server is known to have of an object.
    #[must_use]
    pub fn observed(&self, object: &ObjectRef) -> Option<&Observed> {
        self.observed.get(object)
    }

    /// The objects of which the API server is known to have a status that is so.
    #[must_use]
    pub fn observed_where(&self, is_so: impl Fn(&Value) -> bool) -> BTreeSet<ObjectRef> {
        let all = self.observed.iter().filter(|(_, observed)| is_so(&observed.status));
        all.map(|(object, _)| object.clone()).collect()
    }

    /// When there will be something to look at.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The next write, if one is due. Every job has to be [`Desk::done`].
    pub fn next(&mut self, now: Instant, time: Time) -> Option<Job> {
        while let Some((due, object)) = self.due.first().cloned() {
            if due > now {
                return None;
            }
            self.due.pop_first();
            let job = self.job(&object, time);
            let slot = self.slots.entry(object).or_default();
            slot.due = None;
            if let Some(job) = job {
                slot.in_flight = Some(job.status.clone());
                return Some(job);
            }
        }
        None
    }

    fn job(&self, object: &ObjectRef, time: Time) -> Option<Job> {
        let wanted = self.wanted.as_ref()?;
        let observed = self.observed.get(object)?;
        if wanted.held.contains(object) || wanted.others.contains(object) {
            return None;
        }
        let target = wanted.statuses.get(object);
        if target.is_none() && !wanted.says(object, observed) {
            return None;
        }
        let is_others = |parent: &ParentReference| wanted.is_others(object, parent);
        let write = merge::write(object.kind, target.map(|status| &**status), observed, time, &is_others);
        let merge::Write { status, exact } = write?;
        let settled = self.slots.get(object).and_then(|slot| slot.settled.as_ref());
        if settled.is_some_and(|settled| settled.holds(&status, &observed.resource_version)) {
            return None;
        }
        Some(Job {
            object: object.clone(),
            uid: observed.uid.clone(),
            resource_version: exact.then(|| observed.resource_version.clone()),
            status,
        })
    }

    /// What became of a job.
    pub fn done(&mut self, object: &ObjectRef, outcome: Outcome, now: Instant) {
        let Some(slot) = self.slots.get_mut(object) else { return };
        let written = slot.in_flight.take();
        let again = std::mem::take(&mut slot.again);
        match outcome {
            Outcome::Written(observed) => {
                slot.failures = 0;
                slot.rests_until = Some(now + REST);
                slot.settled = written.map(|status| Settled::new(&status, &observed.resource_version));
                // What others say may have changed with it.
                self.observe(object, Some(observed), now);
                if again {
                    self.look(object, now);
                }
            }
            Outcome::Overtaken(observed) => {
                slot.failures = slot.failures.saturating_add(1);
                slot.rests_until = (slot.failures > 3).then(|| now + wait(slot.failures - 3));
                if let Some(observed) = observed {
                    self.observed.insert(object.clone(), observed);
                }
                self.look(object, now);
            }
            Outcome::Gone => {
                self.observe(object, None, now);
            }
            Outcome::Refused => {
                let version = self.observed.get(object).map(|observed| observed.resource_version.clone());
                slot.settled = written.zip(version).map(|(status, version)| Settled::new(&status, &version));
                slot.rests_until = Some(now + LAST_WAIT);
                if again {
                    self.look(object, now);
                }
            }
            Outcome::Failed => {
                slot.failures = slot.failures.saturating_add(1);
                slot.rests_until = Some(now + wait(slot.failures));
                self.look(object, now);
            }
        }
    }

    fn look(&mut self, object: &ObjectRef, now: Instant) {
        if !self.observed.contains_key(object) {
            return;
        }
        let slot = self.slots.entry(object.clone()).or_default();
        if slot.in_flight.is_some() {
            slot.again = true;
        } else if slot.due.is_none() {
            let due = slot.rests_until.map_or(now, |rests_until| rests_until.max(now));
            slot.due = Some(due);
            self.due.insert((due, object.clone()));
        }
    }

    /// How many objects say something other than they shall, as a number by kind for metrics.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.due.len() + self.slots.values().filter(|slot| slot.in_flight.is_some()).count()
    }

    /// What shall be said, for whoever looks.
    #[must_use]
    pub fn wanted(&self) -> BTreeMap<ObjectRef, Value> {
        let all = self.wanted.iter().flat_map(|wanted| wanted.statuses.iter());
        all.map(|(object, status)| (object.clone(), serde_json::to_value(&**status).unwrap_or_default())).collect()
    }
}

fn wait(failures: u32) -> Duration {
    FIRST_WAIT
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LAST_WAIT)
        .mul_f64(rand::random_range(0.5..=1.0))
}

/// An event that was on its way when we wrote. Versions are numbers that grow, where they are numbers.
fn is_older(one: &Observed, other: &Observed) -> bool {
    let number = |observed: &Observed| observed.resource_version.parse::<u64>().ok();
    number(one).zip(number(other)).is_some_and(|(one, other)| one < other)
}

#[cfg(test)]
mod tests;
