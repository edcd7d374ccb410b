//! What has to be written so that an object's status says what it shall.

use crate::watch::Observed;
use lychgate_api::gateway::{
    BackendStatus, ParentReference, PolicyAncestorStatus, PolicyStatus, RouteParentStatus, RouteStatus,
};
use lychgate_api::meta::Condition;
use lychgate_api::{Kind, Time};
use lychgate_translate::{Direction, ObjectStatus};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// A status to write.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Write {
    /// The status, as far as we own it.
    pub(super) status: Value,
    /// Whether it holds what others said, and is wrong if they say something else by now.
    pub(super) exact: bool,
}

/// Whether a parent or ancestor is for another control plane of ours, which says it in the same name.
pub(super) type IsOthers<'a> = &'a dyn Fn(&ParentReference) -> bool;

/// The write that makes `observed` say what `target` says; None if it does already. No target takes back what we said.
/// Conditions keep the time at which they took the status that they have; those that change have `now`.
pub(super) fn write(
    kind: Kind,
    target: Option<&ObjectStatus>,
    observed: &Observed,
    now: Time,
    is_others: IsOthers<'_>,
) -> Option<Write> {
    match target {
        Some(target) => {
            let before = decode(kind, &observed.status);
            let timed = target.timed(before.as_ref(), now);
            match &timed {
                ObjectStatus::GatewayClass(status) => own(status, &observed.status),
                ObjectStatus::Gateway(status) => own(status, &observed.status),
                ObjectStatus::ListenerSet(status) => own(status, &observed.status),
                ObjectStatus::Route(RouteStatus { parents }) => {
                    let ours = parents.iter().map(|parent| (&parent.parent_ref, to_value(parent))).collect();
                    shared(&LIST_OF_PARENTS, ours, &observed.status, is_others)
                }
                ObjectStatus::Policy(PolicyStatus { ancestors })
                | ObjectStatus::XBackend(BackendStatus { ancestors }) => {
                    let ours = ancestors.iter().map(|ancestor| (&ancestor.ancestor_ref, to_value(ancestor))).collect();
                    shared(&list_of_ancestors(kind), ours, &observed.status, is_others)
                }
            }
        }
        None => match list_of(kind) {
            Some(list) => shared(&list, Vec::new(), &observed.status, is_others),
            // What is applied without fields takes back those that were applied before.
            None => observed.ours.then(|| Write { status: json!({}), exact: false }),
        },
    }
}

/// Whether something in a status was said by us.
pub(super) fn is_ours(kind: Kind, observed: &Observed, is_others: IsOthers<'_>) -> bool {
    match list_of(kind) {
        Some(list) => entries(&observed.status, list.name).iter().any(|entry| list.is_ours(entry, is_others)),
        None => observed.ours,
    }
}

/// A list that several controllers share.
struct List {
    name: &'static str,
    /// The field of an entry that says what it speaks of.
    reference: &'static str,
    /// As many entries as the CRD allows.
    most: usize,
}

const LIST_OF_PARENTS: List = List { name: "parents", reference: "parentRef", most: 32 };

fn list_of_ancestors(kind: Kind) -> List {
    List { name: "ancestors", reference: "ancestorRef", most: if kind == Kind::XBackend { 32 } else { 16 } }
}

impl List {
    fn parent(&self, entry: &Value) -> Option<ParentReference> {
        entry.get(self.reference).and_then(parse)
    }

    fn is_ours(&self, entry: &Value, is_others: IsOthers<'_>) -> bool {
        by_us(entry) && !self.parent(entry).is_some_and(|parent| is_others(&parent))
    }
}

/// The list that several controllers share in statuses of this kind.
fn list_of(kind: Kind) -> Option<List> {
    match kind {
        Kind::HttpRoute | Kind::GrpcRoute | Kind::TlsRoute | Kind::TcpRoute | Kind::UdpRoute => Some(LIST_OF_PARENTS),
        Kind::BackendTlsPolicy | Kind::XBackend | Kind::EgressPolicy => Some(list_of_ancestors(kind)),
        Kind::GatewayClass
        | Kind::Gateway
        | Kind::ListenerSet
        | Kind::ReferenceGrant
        | Kind::GatewayParameters
        | Kind::Service
        | Kind::EndpointSlice
        | Kind::Secret
        | Kind::ConfigMap
        | Kind::ClusterTrustBundle
        | Kind::Namespace
        | Kind::Pod => None,
    }
}

/// A status that one controller writes alone, but for conditions that others may add.
fn own(status: &impl Serialize, observed: &Value) -> Option<Write> {
    let status = to_value(status);
    (!says(observed, &status)).then_some(Write { status, exact: false })
}

/// Whether `observed` says all of what `target` says, and nothing else that would be ours to say.
fn says(observed: &Value, target: &Value) -> bool {
    let none = Map::new();
    let (observed, target) = (observed.as_object().unwrap_or(&none), target.as_object().unwrap_or(&none));
    // What we leave out where there is nothing to say.
    let nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let left_out = |name: &String| !target.contains_key(name);
    let stale = observed.iter().any(|(name, value)| left_out(name) && !nothing(value));
    !stale
        && target.iter().all(|(name, value)| match (name.as_str(), observed.get(name)) {
            ("conditions", Some(there)) => same_by("type", there, value, |there| !is_of_others(there)),
            ("listeners", Some(there)) => {
                let same = |name: &Value| {
                    let find = |list: &Value| find(list, "name", name).cloned().unwrap_or_default();
                    says(&find(there), &find(value))
                };
                let names = |list: &Value| list.as_array().map_or(0, Vec::len);
                names(there) == names(value)
                    && value.as_array().into_iter().flatten().filter_map(|listener| listener.get("name")).all(same)
            }
            ("supportedFeatures", Some(there)) => same_by("name", there, value, |_| true),
            (_, Some(there)) => there == value,
            (_, None) => nothing(value),
        })
}

/// Whether two lists have the same entries, in any order. Entries of `there` that are not `counted` do not matter.
fn same_by(key: &str, there: &Value, target: &Value, counted: impl Fn(&Value) -> bool) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (there, target) = (list(there), list(target));
    let target_has = |entry: &Value| target.iter().any(|one| one.get(key) == entry.get(key));
    target.iter().all(|entry| there.contains(entry)) && there.iter().filter(|entry| counted(entry)).all(target_has)
}

fn find<'a>(list: &'a Value, key: &str, is: &Value) -> Option<&'a Value> {
    list.as_array()?.iter().find(|entry| entry.get(key) == Some(is))
}

/// Conditions that others add have the name of their domain in front.
fn is_of_others(condition: &Value) -> bool {
    condition.get("type").and_then(Value::as_str).is_some_and(|name| name.contains('/'))
}

/// Entries of others stay as they are, ours stay in their places.
fn shared(
    list: &List,
    mut ours: Vec<(&ParentReference, Value)>,
    observed: &Value,
    is_others: IsOthers<'_>,
) -> Option<Write> {
    let there = entries(observed, list.name);
    let mut merged: Vec<Value> = Vec::with_capacity(there.len().max(ours.len()));
    for entry in there {
        if !list.is_ours(entry, is_others) {
            merged.push(entry.clone());
            continue;
        }
        let parent = list.parent(entry);
        if let Some(at) = ours.iter().position(|(ours, _)| Some(*ours) == parent.as_ref()) {
            merged.push(ours.remove(at).1);
        }
    }
    merged.extend(ours.into_iter().map(|(_, value)| value));
    // The API server would refuse all of it.
    merged.truncate(list.most.max(there.len()));
    (merged != there).then(|| Write { status: json!({ list.name: merged }), exact: true })
}

fn entries<'a>(status: &'a Value, list: &str) -> &'a [Value] {
    status.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn by_us(entry: &Value) -> bool {
    entry.get("controllerName").and_then(Value::as_str).and_then(Direction::of_controller).is_some()
}

/// What we said before, as far as it can be read.
fn decode(kind: Kind, status: &Value) -> Option<ObjectStatus> {
    let mut status = readable(status);
    keep_ours::<RouteParentStatus>(&mut status, "parents");
    keep_ours::<PolicyAncestorStatus>(&mut status, "ancestors");
    ObjectStatus::decode(kind, status)?.ok()
}

/// Without conditions that cannot be read: somebody else's shall not cost ours their times.
fn readable(status: &Value) -> Value {
    fn prune(value: &mut Value) {
        if let Some(conditions) = value.get_mut("conditions").and_then(Value::as_array_mut) {
            conditions.retain(|condition| parse::<Condition>(condition).is_some());
        }
    }
    let mut status = status.clone();
    prune(&mut status);
    status.get_mut("listeners").and_then(Value::as_array_mut).into_iter().flatten().for_each(prune);
    status
}

/// Leaves the entries of a list that are ours, as far as each can be read.
fn keep_ours<T: DeserializeOwned>(status: &mut Value, list: &str) {
    if let Some(entries) = status.get_mut(list).and_then(Value::as_array_mut) {
        entries.retain(|entry| by_us(entry) && parse::<T>(entry).is_some());
    }
}

fn parse<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn to_value(value: &impl Serialize) -> Value {
    // Plain data with text as keys always serializes.
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
