//! Absent values and defaults, as the API server applies them before it validates.

use serde_json::Value;

use super::{Schema, Type};

/// Takes out `null` fields, which mean "absent" to an API server, so that defaults can take their place, and writes
/// integers as such: `80.0` is one.
pub(crate) fn normalize(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, child| {
                let child_schema = schema.properties.get(key).or(schema.additional.as_ref());
                !child.is_null() || child_schema.is_some_and(|schema| schema.nullable)
            });
            for (key, child) in map.iter_mut() {
                if let Some(schema) = schema.properties.get(key).or(schema.additional.as_ref()) {
                    normalize(schema, child);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                items.iter_mut().for_each(|item| normalize(schema, item));
            }
        }
        Value::Number(number) if schema.ty == Some(Type::Integer) && number.is_f64() => {
            // Up to 2^53 every integer has a float of its own.
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15) {
                #[allow(clippy::cast_possible_truncation, reason = "whole, and within the range of i64")]
                let integer = float as i64;
                *value = Value::from(integer);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts defaults where fields are absent, and inside of the defaults too.
pub(crate) fn apply_defaults(schema: &Schema, value: &mut Value) {
    if !schema.has_defaults {
        return;
    }
    match value {
        Value::Object(map) => {
            for (name, child) in &schema.properties {
                if let Some(default) = &child.default
                    && !map.contains_key(name)
                {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (key, child) in map.iter_mut() {
                if let Some(schema) = schema.properties.get(key).or(schema.additional.as_ref()) {
                    apply_defaults(schema, child);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                items.iter_mut().for_each(|item| apply_defaults(schema, item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
