//! JSON to [`Schema`].

use std::fmt;

use serde_json::{Map, Value};

use super::{Format, ListType, Range, Schema, Type};
use crate::regexes;
use crate::rules::Rule;

/// A schema that we cannot read. Embedded schemas have none of these; tests see to it.
#[derive(Debug)]
pub(crate) struct SchemaError {
    path: String,
    message: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schema{}: {}", self.path, self.message)
    }
}

impl Schema {
    /// Reads a schema out of a CRD's `openAPIV3Schema`.
    pub(crate) fn parse(json: &Value) -> Result<Self, SchemaError> {
        parse(json, "")
    }
}

fn parse(json: &Value, path: &str) -> Result<Schema, SchemaError> {
    let mut schema = Schema::default();
    for (keyword, value) in object(json, path)? {
        let here = format!("{path}.{keyword}");
        keyword_into(&mut schema, keyword, value, &here)?;
    }
    if schema.list == ListType::Map(Vec::new()) {
        return Err(fail(path, "a list of type map needs keys"));
    }
    let any_below = |test: fn(&Schema) -> bool| {
        let children = [&schema.additional, &schema.items].into_iter().flatten().map(Box::as_ref);
        children.chain(schema.properties.values().map(Box::as_ref)).any(test)
    };
    let (rules_below, defaults_below) = (any_below(|s| s.has_rules), any_below(|s| s.has_defaults));
    schema.has_rules = rules_below || !schema.rules.is_empty();
    schema.has_defaults = defaults_below || schema.default.is_some();
    Ok(schema)
}

fn keyword_into(schema: &mut Schema, keyword: &str, value: &Value, path: &str) -> Result<(), SchemaError> {
    match keyword {
        "type" => schema.ty = Some(type_of(value, path)?),
        "nullable" => schema.nullable = boolean(value, path)?,
        "default" => schema.default = Some(value.clone()),
        "enum" => schema.words = array(value, path)?.clone(),
        "pattern" => {
            let pattern = string(value, path)?;
            schema.pattern = Some(regexes::compiled(pattern).map_err(|error| fail(path, &error.to_string()))?);
        }
        "format" => schema.format = Format::find(string(value, path)?),
        "properties" => {
            for (name, child) in object(value, path)? {
                schema.properties.insert(name.clone(), Box::new(parse(child, &format!("{path}.{name}"))?));
            }
        }
        "required" => schema.required = strings(value, path)?,
        "additionalProperties" => schema.additional = Some(Box::new(parse(value, path)?)),
        "items" => schema.items = Some(Box::new(parse(value, path)?)),
        "minLength" => schema.limits.length.min = Some(count(value, path)?),
        "maxLength" => schema.limits.length.max = Some(count(value, path)?),
        "minItems" => schema.limits.items.min = Some(count(value, path)?),
        "maxItems" => schema.limits.items.max = Some(count(value, path)?),
        "minProperties" => schema.limits.properties.min = Some(count(value, path)?),
        "maxProperties" => schema.limits.properties.max = Some(count(value, path)?),
        "minimum" => schema.limits.value.min = Some(number(value, path)?),
        "maximum" => schema.limits.value.max = Some(number(value, path)?),
        "allOf" => schema.all_of = schemas(value, path)?,
        "anyOf" => schema.any_of = schemas(value, path)?,
        "oneOf" => schema.one_of = schemas(value, path)?,
        "not" => schema.not = Some(Box::new(parse(value, path)?)),
        "x-kubernetes-int-or-string" => schema.int_or_string = boolean(value, path)?,
        "x-kubernetes-preserve-unknown-fields" => schema.preserve_unknown = boolean(value, path)?,
        "x-kubernetes-list-type" => match string(value, path)? {
            "atomic" => {}
            "set" => schema.list = ListType::Set,
            "map" if matches!(schema.list, ListType::Map(_)) => {}
            "map" => schema.list = ListType::Map(Vec::new()),
            other => return Err(fail(path, &format!("unknown list type {other:?}"))),
        },
        "x-kubernetes-list-map-keys" => schema.list = ListType::Map(strings(value, path)?),
        // How patches merge; it constrains nothing.
        "x-kubernetes-map-type" => {}
        "x-kubernetes-validations" => {
            for rule in array(value, path)? {
                schema.rules.push(Rule::parse(rule).map_err(|message| fail(path, &message))?);
            }
        }
        _ => return Err(fail(path, "unknown keyword")),
    }
    Ok(())
}

fn fail(path: &str, message: &str) -> SchemaError {
    SchemaError { path: path.to_owned(), message: message.to_owned() }
}

fn type_of(value: &Value, path: &str) -> Result<Type, SchemaError> {
    Ok(match string(value, path)? {
        "object" => Type::Object,
        "array" => Type::Array,
        "string" => Type::String,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "boolean" => Type::Boolean,
        other => return Err(fail(path, &format!("unknown type {other:?}"))),
    })
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, SchemaError> {
    value.as_object().ok_or_else(|| fail(path, "must be an object"))
}

fn array<'a>(value: &'a Value, path: &str) -> Result<&'a Vec<Value>, SchemaError> {
    value.as_array().ok_or_else(|| fail(path, "must be an array"))
}

fn string<'a>(value: &'a Value, path: &str) -> Result<&'a str, SchemaError> {
    value.as_str().ok_or_else(|| fail(path, "must be a string"))
}

fn strings(value: &Value, path: &str) -> Result<Vec<String>, SchemaError> {
    array(value, path)?.iter().map(|item| string(item, path).map(str::to_owned)).collect()
}

fn schemas(value: &Value, path: &str) -> Result<Vec<Schema>, SchemaError> {
    array(value, path)?.iter().map(|item| parse(item, path)).collect()
}

fn boolean(value: &Value, path: &str) -> Result<bool, SchemaError> {
    value.as_bool().ok_or_else(|| fail(path, "must be a boolean"))
}

fn count(value: &Value, path: &str) -> Result<u64, SchemaError> {
    value.as_u64().ok_or_else(|| fail(path, "must be a count"))
}

fn number(value: &Value, path: &str) -> Result<f64, SchemaError> {
    value.as_f64().ok_or_else(|| fail(path, "must be a number"))
}

impl<T: PartialOrd + Copy> Range<T> {
    pub(super) fn below(&self, value: T) -> Option<T> {
        self.min.filter(|min| value < *min)
    }

    pub(super) fn above(&self, value: T) -> Option<T> {
        self.max.filter(|max| value > *max)
    }
}
