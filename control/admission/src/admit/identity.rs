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
    let named = |kind: Kind| {
        let name = object_name(Some(kind));
        let has_name = text("/metadata/name").is_some_and(|name| !name.is_empty());
        let key = has_name.then(|| ObjectKey::new(name.namespace.as_str(), name.name.as_str()));
        Named { kind, version: version.to_owned(), key, name }
    };
    let Some(kind) = found else {
        return match meant(api_version, kind_name, group) {
            Some(Meant { kind: Some(kind), violation }) => {
                let named = named(kind);
                Identity::Mistake { name: named.name.clone(), named: Some(named), violation }
            }
            Some(Meant { kind: None, violation }) => {
                Identity::Mistake { name: object_name(None), named: None, violation }
            }
            None => other(api_version, kind_name, object_name(None)),
        };
    };
    let named = named(kind);
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

/// What an object was surely meant to be.
struct Meant {
    /// None where that is not sure.
    kind: Option<Kind>,
    violation: Violation,
}

/// Whether an object that is of no kind that we read was meant to be.
fn meant(api_version: &str, kind_name: &str, group: &str) -> Option<Meant> {
    let mistake = |kind: Option<Kind>, field: &str, message: String, hint: String| {
        Some(Meant { kind, violation: Violation { path: FieldPath::of(&[field]), message, hint: Some(hint) } })
    };
    let same_name = Kind::ALL.iter().copied().find(|kind| kind.as_str() == kind_name);
    if kind_name.is_empty() || api_version.is_empty() {
        let field = if kind_name.is_empty() { "kind" } else { "apiVersion" };
        let hint = same_name.map_or_else(
            || "every object has apiVersion, kind and metadata.name".to_owned(),
            |kind| format!("that of a {kind} is {}", kind.api_version()),
        );
        return mistake(same_name, field, "is required".to_owned(), hint);
    }
    let message = format!("there is no {kind_name} in {api_version:?}");
    // The kind is right, and the group nearly.
    if let Some(kind) = same_name
        && (group.is_empty() || similar::distance(group, kind.group()) <= 3)
    {
        return mistake(same_name, "apiVersion", message, format!("did you mean {}?", kind.api_version()));
    }
    // The group is right, and the kind nearly.
    let of_group = || Kind::ALL.iter().copied().filter(|kind| kind.group() == group);
    let close = similar::misspelt(kind_name, of_group().map(Kind::as_str))?;
    let kind = of_group().find(|kind| kind.as_str() == close);
    mistake(kind, "kind", message, format!("did you mean {close:?}?"))
}

fn other(api_version: &str, kind_name: &str, name: ObjectName) -> Identity {
    let message = format!("kind {kind_name} of {api_version} is not read by Lychgate, passed over");
    let successor = "ListenerSet of gateway.networking.k8s.io/v1 is its successor";
    let hint = (kind_name == "XListenerSet").then(|| successor.to_owned());
    Identity::Other { name, message, hint }
}
