//! What is said about objects: the status of each, and every condition of all of them alike.
//!
//! `lastTransitionTime` stays at the epoch: only the writer knows what was said before, and when. It tells
//! ([`Statuses::with_times`]), as whoever serves a snapshot tells what became of it ([`Statuses::overlaid`]).

pub(crate) mod condition;
mod overlay;
pub(crate) mod reason;
mod transition;

pub use overlay::{Assigned, MissingAddress, Overlay, SocketTrouble};

use lychgate_api::gateway::{
    BackendStatus, GatewayClassStatus, GatewayStatus, ListenerSetStatus, ParentReference, PolicyStatus, RouteStatus,
};
use lychgate_api::meta::{Condition, ConditionStatus};
use lychgate_api::{Kind, ObjectRef};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The statuses of all objects that are ours to speak of. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses(Arc<BTreeMap<ObjectRef, Arc<ObjectStatus>>>);

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
    pub(crate) fn new(entries: BTreeMap<ObjectRef, Arc<ObjectStatus>>) -> Self {
        Self(Arc::new(entries))
    }

    /// The status of one object.
    #[must_use]
    pub fn get(&self, object: &ObjectRef) -> Option<&Arc<ObjectStatus>> {
        self.0.get(object)
    }

    /// Every status, ordered by kind, namespace and name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ObjectRef, &Arc<ObjectStatus>)> {
        self.0.iter()
    }

    /// Every condition of every object, in the order of [`Statuses::iter`].
    pub fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        self.0.iter().flat_map(|(object, status)| {
            status.conditions().into_iter().map(move |(place, condition)| Finding { object, place, condition })
        })
    }

    /// Everything that is not Accepted, Programmed or ResolvedRefs, is conflicted, or partially invalid.
    pub fn problems(&self) -> impl Iterator<Item = Finding<'_>> {
        self.findings().filter(Finding::is_problem)
    }
}

impl FromIterator<(ObjectRef, ObjectStatus)> for Statuses {
    fn from_iter<I: IntoIterator<Item = (ObjectRef, ObjectStatus)>>(statuses: I) -> Self {
        Self::new(statuses.into_iter().map(|(object, status)| (object, Arc::new(status))).collect())
    }
}

impl ObjectStatus {
    /// Reads the status of an object of this kind, whoever wrote it; `None` for kinds of which nothing is said here.
    #[must_use]
    pub fn decode(kind: Kind, status: serde_json::Value) -> Option<Result<Self, serde_json::Error>> {
        Some(match kind {
            Kind::GatewayClass => serde_json::from_value(status).map(Self::GatewayClass),
            Kind::Gateway => serde_json::from_value(status).map(Self::Gateway),
            Kind::ListenerSet => serde_json::from_value(status).map(Self::ListenerSet),
            Kind::HttpRoute | Kind::GrpcRoute | Kind::TlsRoute | Kind::TcpRoute | Kind::UdpRoute => {
                serde_json::from_value(status).map(Self::Route)
            }
            Kind::BackendTlsPolicy => serde_json::from_value(status).map(Self::Policy),
            Kind::XBackend => serde_json::from_value(status).map(Self::XBackend),
            Kind::ReferenceGrant
            | Kind::GatewayParameters
            | Kind::Service
            | Kind::EndpointSlice
            | Kind::Secret
            | Kind::ConfigMap
            | Kind::ClusterTrustBundle
            | Kind::Namespace => return None,
        })
    }

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
