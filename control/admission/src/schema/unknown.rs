//! Fields that a schema does not have. `kubectl` calls this strict validation, and does it for every `apply`.

use serde_json::Value;

use super::{Schema, Violations};
use crate::path::{FieldPath, Segment};
use crate::{Violation, similar};

/// Adds a violation for each field that the schema does not have.
pub(crate) fn find_unknown(schema: &Schema, value: &Value, path: &mut FieldPath, found: &mut Violations) {
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                let (child_schema, segment) = match (schema.properties.get(key), &schema.additional) {
                    (Some(property), _) => (&**property, Segment::Field(key.clone())),
                    (None, Some(additional)) => (additional.as_ref(), Segment::Key(key.clone())),
                    (None, None) if schema.preserve_unknown => continue,
                    // A value of another type altogether; validation says so.
                    (None, None) if schema.ty != Some(super::Type::Object) => continue,
                    (None, None) => {
                        found.push(unknown(schema, key, path));
                        continue;
                    }
                };
                path.push(segment);
                find_unknown(child_schema, child, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            let Some(schema) = &schema.items else { return };
            for (index, item) in items.iter().enumerate() {
                path.push(Segment::Index(index));
                find_unknown(schema, item, path, found);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn unknown(schema: &Schema, key: &str, path: &FieldPath) -> Violation {
    let hint = match similar::closest(key, schema.properties.keys().map(String::as_str)) {
        Some(close) => format!("did you mean {close:?}?"),
        None if schema.properties.len() <= 12 => {
            let names: Vec<_> = schema.properties.keys().map(String::as_str).collect();
            format!("the fields here are {}", names.join(", "))
        }
        None => "remove it, or look at its indentation".to_owned(),
    };
    Violation { path: path.field(key), message: "unknown field".to_owned(), hint: Some(hint) }
}
