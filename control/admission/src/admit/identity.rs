//! What an object says it is.

use lychgate_api::{Kind, ObjectKey};
use serde_json::Value;

use crate::path::FieldPath;
use crate::{ObjectName, Violation, crds, similar};

/// What an object is to us.
pub(crate) enum Identity {
    /// A kind and version that we read.
    Known(Named),
    /// A kind that we do not read.
    Other { name: ObjectName, message: String, hint: Option<String> },
    /// Something that was surely meant to be of a kind that we read, and is not.
    Mistake { name: ObjectName, named: Option<Named>, violation: Violation },
}

/// An object of a kind that we read.
pub(crate) struct Named {
    pub(crate) kind: Kind,
    pub(crate) version: String,
    /// None where it has no name.
    pub(crate) key: Option<ObjectKey>,
    pub(crate) name: ObjectName,
}

/// What `value` is to us.
pub(crate) fn identify(value: &Value) -> Identity {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let api_version = text("/apiVersion").unwrap_or_default();
    let kind_name = text("/kind").unwrap_or_default();
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let found = Kind::find(group, kind_name);
    let object_name = |kind: Option<Kind>| {
        let namespaced = kind.is_none_or(Kind::namespaced);
        let namespace = text("/metadata/namespace").filter(|namespace| !namespace.is_empty());
        let default = if kind.is_some() { "default" } else { "" };
        let name = text("/metadata/name").filter(|name| !name.is_empty());
        ObjectName {
            kind: if kind_name.is_empty() { "?".to_owned() } else { kind_name.to_owned() },
            namespace: if namespaced { namespace.unwrap_or(default).to_owned() } else { String::new() },
            name: name.unwrap_or("?").to_owned(),
        }
    };
    let Some(kind) = found else {
        return not_found(api_version, kind_name, group, object_name(None));
    };
    let name = object_name(Some(kind));
    let has_name = text("/metadata/name").is_some_and(|name| !name.is_empty());
    let key = has_name.then(|| ObjectKey::new(name.namespace.as_str(), name.name.as_str()));
    let named = Named { kind, version: version.to_owned(), key, name };
    if crds::crd(kind).versions.contains_key(version) {
        return Identity::Known(named);
    }
    Identity::Mistake { name: named.name.clone(), named: Some(named), violation: not_served(kind, version) }
}

/// A version that no schema is there for.
pub(super) fn not_served(kind: Kind, version: &str) -> Violation {
    let served: Vec<_> = kind.versions().iter().map(|version| full_version(kind, version)).collect();
    Violation {
        path: FieldPath::of(&["apiVersion"]),
        message: format!("{kind} has no version {version:?}"),
        hint: Some(format!("use {}", served.join(" or "))),
    }
}

fn full_version(kind: Kind, version: &str) -> String {
    if kind.group().is_empty() { version.to_owned() } else { format!("{}/{version}", kind.group()) }
}

fn not_found(api_version: &str, kind_name: &str, group: &str, name: ObjectName) -> Identity {
    let mistake = |field: &str, message: String, hint: String| Identity::Mistake {
        name: name.clone(),
        named: None,
        violation: Violation { path: FieldPath::of(&[field]), message, hint: Some(hint) },
    };
    if kind_name.is_empty() || api_version.is_empty() {
        let field = if kind_name.is_empty() { "kind" } else { "apiVersion" };
        let known = Kind::ALL.iter().find(|kind| kind.as_str() == kind_name).map(|kind| kind.api_version());
        let hint = known.map_or_else(
            || "every object has apiVersion, kind and metadata.name".to_owned(),
            |version| format!("that of a {kind_name} is {version}"),
        );
        return mistake(field, "is required".to_owned(), hint);
    }
    // The kind is right, and the group nearly.
    let same_name = Kind::ALL.iter().find(|kind| kind.as_str() == kind_name);
    if let Some(kind) = same_name
        && (group.is_empty() || similar::distance(group, kind.group()) <= 3)
    {
        let message = format!("there is no {kind_name} in {api_version:?}");
        return mistake("apiVersion", message, format!("did you mean {}?", kind.api_version()));
    }
    // The group is right, and the kind nearly.
    let of_group = Kind::ALL.iter().filter(|kind| kind.group() == group).map(|kind| kind.as_str());
    if let Some(close) = similar::closest(kind_name, of_group) {
        let message = format!("there is no {kind_name} in {api_version:?}");
        return mistake("kind", message, format!("did you mean {close:?}?"));
    }
    let message = format!("kind {kind_name} of {api_version} is not read by Lychgate, passed over");
    let hint = (kind_name == "XListenerSet")
        .then(|| "ListenerSet of gateway.networking.k8s.io/v1 is its successor".to_owned());
    Identity::Other { name, message, hint }
}
