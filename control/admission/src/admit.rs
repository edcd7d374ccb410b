//! One object: from JSON to an admitted object, or to what is wrong with it.

mod identity;

use std::fmt;

use lychgate_api::{Kind, Object, labels};
use serde_json::{Map, Value};

use crate::check::{check_metadata, check_object};
use crate::path::FieldPath;
use crate::schema::{Violations, apply_defaults, find_unknown, normalize, validate};
use crate::{crds, rules};

pub(crate) use identity::{Identity, Named, identify};

/// One way in which an object is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field; empty for the object itself.
    pub path: FieldPath,
    /// What.
    pub message: String,
    /// What to do, where we know.
    pub hint: Option<String>,
}

/// `path: what; what to do`
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, message, hint } = self;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(message)?;
        if let Some(hint) = hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// Admits one object, as an API server would: strict about unknown fields, with defaults applied.
///
/// A status is kept and validated, for objects that come from a cluster; its defaults are not applied.
///
/// # Errors
/// Everything that is wrong with it. A kind that we do not read is wrong too.
pub fn admit(value: Value) -> Result<Object, Vec<Violation>> {
    let Named { kind, version, .. } = match identify(&value) {
        Identity::Known(named) => named,
        Identity::Other { message, hint, .. } => {
            return Err(vec![Violation { path: FieldPath::of(&["kind"]), message, hint }]);
        }
        Identity::Mistake { violation, .. } => return Err(vec![violation]),
    };
    let Examined { object, errors, warnings: _ } = examine(kind, &version, value);
    object.ok_or(errors)
}

/// What became of an object.
pub(crate) struct Examined {
    /// The object, where there are no errors.
    pub(crate) object: Option<Object>,
    pub(crate) errors: Violations,
    pub(crate) warnings: Violations,
}

/// Admits an object of a kind that we read, in a version that is served.
pub(crate) fn examine(kind: Kind, version: &str, mut value: Value) -> Examined {
    let crd = crds::crd(kind);
    let (mut errors, mut warnings) = (Violations::new(), Violations::new());
    let Some(schema) = crd.versions.get(version) else {
        errors.push(identity::not_served(kind, version));
        return Examined { object: None, errors, warnings };
    };
    // A Secret's values must not show in messages.
    let redact = kind == Kind::Secret;
    normalize(schema, &mut value);
    let mut path = FieldPath::default();
    find_unknown(schema, &value, &mut path, if crd.strict { &mut errors } else { &mut warnings });
    apply_defaults(schema, &mut value);
    if let Some(map) = value.as_object_mut() {
        let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        metadata.as_object_mut().into_iter().for_each(|metadata| complete_metadata(kind, metadata));
    }
    validate(schema, &value, &mut path, redact, &mut errors);
    if let Some(metadata) = value.get("metadata").and_then(Value::as_object) {
        check_metadata(kind, metadata, &mut errors);
        explain_generated_name(metadata, &mut errors);
    }
    // As in an API server, rules are for values that fit the schema otherwise.
    if errors.is_empty() {
        rules::evaluate(schema, &value, &mut errors);
    }
    let mut object = None;
    if errors.is_empty() {
        match Object::decode(kind, value) {
            Ok(decoded) => object = Some(decoded),
            Err(error) => {
                let message = format!("does not have the shape of a {kind}: {error}");
                errors.push(Violation { path: FieldPath::default(), message, hint: None });
            }
        }
    }
    object.iter().for_each(|object| check_object(object, &mut errors));
    let object = object.filter(|_| errors.is_empty());
    warnings.iter_mut().for_each(|warning| warning.message = "unknown field, which is passed over".to_owned());
    Examined { object, errors, warnings }
}

/// What an API server fills in.
fn complete_metadata(kind: Kind, metadata: &mut Map<String, Value>) {
    let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    if namespace.is_empty() && metadata.get("namespace").is_none_or(Value::is_string) {
        if kind.namespaced() {
            metadata.insert("namespace".to_owned(), "default".into());
        } else {
            metadata.remove("namespace");
        }
    }
    if kind == Kind::Namespace
        && let Some(name) = metadata.get("name").cloned()
        && let Some(labels) = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new())).as_object_mut()
    {
        labels.insert(labels::NAMESPACE_NAME.to_owned(), name);
    }
}

fn explain_generated_name(metadata: &Map<String, Value>, errors: &mut Violations) {
    if !metadata.contains_key("generateName") {
        return;
    }
    let name = FieldPath::of(&["metadata", "name"]);
    for error in errors.iter_mut().filter(|error| error.path == name && error.hint.is_none()) {
        error.hint = Some("generateName needs an API server: give a name".to_owned());
    }
}
