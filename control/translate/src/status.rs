//! What is said about objects: the status of each, and every condition of all of them alike.
//!
//! `lastTransitionTime` stays at the epoch: only the writer knows what was said before, and when. It tells
//! ([`Statuses::with_times`]), as whoever serves a snapshot tells what became of it ([`Statuses::overlaid`]).

pub(crate) mod condition;
mod decode;
mod overlay;
pub(crate) mod reason;
mod transition;

pub use overlay::{Assigned, MissingAddress, Overlay, SocketTrouble};

use lychgate_api::ObjectRef;
use lychgate_api::gateway::{
    BackendStatus, GatewayClassStatus, GatewayStatus, ListenerSetStatus, ParentReference, PolicyStatus, RouteStatus,
};
use lychgate_api::meta::{Condition, ConditionStatus};
use lychgate_persistent::OrdMap;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The statuses of all objects that are ours to speak of. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Statuses {
    all: Entries,
    /// Of some of these objects, what is said in the place of that: so it can be told what became of one Gateway, and the
    /// rest is still seen to be as it was.
    instead: Entries,
}

pub(crate) type Entries = OrdMap<Arc<ObjectRef>, Arc<ObjectStatus>>;

/// The status of one object, shaped (and serialised) as its kind has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ObjectStatus {
    /// Of a GatewayClass.
    GatewayClass(GatewayClassStatus),
    /// Of a Gateway.
    Gateway(GatewayStatus),
    /// Of a ListenerSet.
    ListenerSet(ListenerSetStatus),
    /// Of a route of any kind: the entries of this controller.
    Route(RouteStatus),
    /// Of a policy: the entries of this controller.
    Policy(PolicyStatus),
    /// Of an XBackend: the entries of this controller.
    XBackend(BackendStatus),
}

/// Where in a status a condition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// It speaks of the object as a whole.
    Object,
    /// It speaks of one listener.
    Listener(&'a str),
    /// It speaks of a route with regard to one parent.
    Parent(&'a ParentReference),
    /// It speaks of a policy or backend with regard to one ancestor.
    Ancestor(&'a ParentReference),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reference = |f: &mut fmt::Formatter<'_>, what: &str, parent: &ParentReference| {
            let ParentReference { group: _, kind, namespace, name, section_name, port } = parent;
            write!(f, "{what} {kind}/")?;
            if let Some(namespace) = namespace {
                write!(f, "{namespace}/")?;
            }
            f.write_str(name)?;
            if let Some(section) = section_name {
                write!(f, "/{section}")?;
            }
            port.map_or(Ok(()), |port| write!(f, ":{port}"))
        };
        match self {
            Self::Object => Ok(()),
            Self::Listener(name) => write!(f, "listener {name}"),
            Self::Parent(parent) => reference(f, "parent", parent),
            Self::Ancestor(parent) => reference(f, "ancestor", parent),
        }
    }
}

/// One condition of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The object.
    pub object: &'a ObjectRef,
    /// Where in its status.
    pub place: Place<'a>,
    /// What is said.
    pub condition: &'a Condition,
}

impl Finding<'_> {
    /// Whether this says that something does not work as written. Warnings (`OverlappingTLSConfig`,
    /// `InsecureFrontendValidationMode`) do not.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        let good = match self.condition.r#type.as_str() {
            condition::CONFLICTED | condition::PARTIALLY_INVALID => ConditionStatus::False,
            condition::OVERLAPPING_TLS | condition::INSECURE_FRONTEND => return false,
            _ => ConditionStatus::True,
        };
        self.condition.status != good
    }
}

impl Statuses {
    pub(crate) fn new(all: Entries) -> Self {
        Self { all, instead: Entries::new() }
    }

    /// What translation said, whatever is said in its place.
    pub(crate) fn all(&self) -> &Entries {
        &self.all
    }

    /// The status of one object.
    #[must_use]
    pub fn get(&self, object: &ObjectRef) -> Option<&Arc<ObjectStatus>> {
        self.instead.get(object).or_else(|| self.all.get(object))
    }

    /// Every status, ordered by kind, namespace and name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ObjectRef, &Arc<ObjectStatus>)> {
        // Both are in the same order: walking them side by side needs no search.
        let mut instead = self.instead.iter().peekable();
        self.all.iter().map(move |(object, status)| {
            let other = instead.next_if(|(other, _)| *other == object).map(|(_, other)| other);
            (&**object, other.unwrap_or(status))
        })
    }

    /// Whether these are the very same values.
    fn is(&self, other: &Self) -> bool {
        self.all.is_same(&other.all) && (self.instead.is_same(&other.instead) || self.instead == other.instead)
    }

    /// The objects of which something else was said before, or nothing, and those of which nothing is said any more.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> BTreeSet<ObjectRef> {
        let changed = self.touched_since(before).filter(|object| !same(self.get(object), before.get(object)));
        changed.map(|object| ObjectRef::clone(object)).collect()
    }

    /// The objects of which something else may have been said before: no others need be looked at.
    fn touched_since<'s>(&'s self, before: &'s Self) -> impl Iterator<Item = &'s Arc<ObjectRef>> {
        let all = self.all.changes(&before.all, Arc::ptr_eq).map(|change| change.key);
        all.chain(self.instead.keys()).chain(before.instead.keys())
    }

    /// Every condition of every object, in the order of [`Statuses::iter`].
    pub fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        self.iter().flat_map(|(object, status)| {
            status.conditions().into_iter().map(move |(place, condition)| Finding { object, place, condition })
        })
    }

    /// Every condition of one object.
    pub fn findings_of<'s>(&'s self, object: &'s ObjectRef) -> impl Iterator<Item = Finding<'s>> {
        let conditions = self.get(object).into_iter().flat_map(|status| status.conditions());
        conditions.map(move |(place, condition)| Finding { object, place, condition })
    }

    /// Everything that is not Accepted, Programmed or ResolvedRefs, is conflicted, or partially invalid.
    pub fn problems(&self) -> impl Iterator<Item = Finding<'_>> {
        self.findings().filter(Finding::is_problem)
    }
}

impl FromIterator<(ObjectRef, ObjectStatus)> for Statuses {
    fn from_iter<I: IntoIterator<Item = (ObjectRef, ObjectStatus)>>(statuses: I) -> Self {
        Self::new(statuses.into_iter().map(|(object, status)| (Arc::new(object), Arc::new(status))).collect())
    }
}

/// What is said counts, not how it is kept.
impl PartialEq for Statuses {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || self.iter().eq(other.iter())
    }
}

impl Eq for Statuses {}

fn same(one: Option<&Arc<ObjectStatus>>, other: Option<&Arc<ObjectStatus>>) -> bool {
    // Those that are the same value are not compared.
    one == other
}

impl ObjectStatus {
    /// Every condition, with where it stands.
    #[must_use]
    pub fn conditions(&self) -> Vec<(Place<'_>, &Condition)> {
        fn all<'a>(place: Place<'a>, conditions: &'a [Condition]) -> impl Iterator<Item = (Place<'a>, &'a Condition)> {
            conditions.iter().map(move |condition| (place, condition))
        }
        match self {
            Self::GatewayClass(status) => all(Place::Object, &status.conditions).collect(),
            Self::Gateway(status) => all(Place::Object, &status.conditions)
                .chain(status.listeners.iter().flat_map(|l| all(Place::Listener(&l.name), &l.conditions)))
                .collect(),
            Self::ListenerSet(status) => all(Place::Object, &status.conditions)
                .chain(status.listeners.iter().flat_map(|l| all(Place::Listener(&l.name), &l.conditions)))
                .collect(),
            Self::Route(status) => {
                status.parents.iter().flat_map(|p| all(Place::Parent(&p.parent_ref), &p.conditions)).collect()
            }
            Self::Policy(status) => {
                status.ancestors.iter().flat_map(|a| all(Place::Ancestor(&a.ancestor_ref), &a.conditions)).collect()
            }
            Self::XBackend(status) => {
                status.ancestors.iter().flat_map(|a| all(Place::Ancestor(&a.ancestor_ref), &a.conditions)).collect()
            }
        }
    }
}
