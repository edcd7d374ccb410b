//! Objects out of schemas, valid by type.

use serde_json::{Map, Value};

use crate::schema::{Schema, Type};

/// How much of a schema a sample fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Every property, one item a list.
    Maximal,
    /// What is required, and as many other properties as are demanded.
    Minimal,
}

/// Texts of which one should fit any pattern.
const TEXTS: [&str; 14] = [
    "sample",
    "c2FtcGxl",
    "10s",
    "example.com",
    "example.com/sample",
    "https://example.com",
    "2026-01-01T00:00:00Z",
    "10.0.0.1",
    "/sample",
    "--max-sample=1",
    "443",
    "08:00",
    "UTC",
    "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
];

pub(super) fn sample(schema: &Schema, extent: Extent) -> Value {
    if let Some(word) = schema.words.first() {
        return word.clone();
    }
    match schema.ty {
        Some(Type::Object) => object(schema, extent),
        Some(Type::Array) => {
            let items = schema.items.as_deref();
            let count = if extent == Extent::Maximal { 1 } else { schema.limits.items.min.unwrap_or(0) };
            (0..count).filter_map(|_| items.map(|items| sample(items, extent))).collect()
        }
        Some(Type::String) => text(schema),
        Some(Type::Integer | Type::Number) => {
            let min = schema.limits.value.min.unwrap_or(0.0);
            let max = schema.limits.value.max.unwrap_or(min + 100.0);
            #[allow(clippy::cast_possible_truncation, reason = "small")]
            let number = 7.0_f64.clamp(min, max) as i64;
            number.into()
        }
        Some(Type::Boolean) => true.into(),
        None => "sample".into(),
    }
}

fn object(schema: &Schema, extent: Extent) -> Value {
    let least = schema.limits.properties.min.unwrap_or(0);
    let mut map = Map::new();
    for (name, child) in &schema.properties {
        if extent == Extent::Maximal || schema.required.contains(name) || (map.len() as u64) < least {
            map.insert(name.clone(), sample(child, extent));
        }
    }
    if let Some(additional) = schema.additional.as_deref().filter(|_| extent == Extent::Maximal) {
        map.insert("example.com/key".to_owned(), sample(additional, extent));
    }
    Value::Object(map)
}

fn text(schema: &Schema) -> Value {
    let fits = |text: &&&str| {
        schema.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
            && schema.limits.length.max.is_none_or(|max| text.len() as u64 <= max)
            && schema.format.is_none_or(|format| format.accepts_text(text))
    };
    let pattern = schema.pattern.as_ref().map(|pattern| pattern.as_str());
    (*TEXTS.iter().find(fits).unwrap_or_else(|| panic!("no sample for {pattern:?}, {:?}", schema.format))).into()
}

/// A whole object of a kind, with plain metadata.
pub(super) fn whole(schema: &Schema, extent: Extent) -> Value {
    let mut value = sample(schema, extent);
    if let Some(map) = value.as_object_mut() {
        map.insert("metadata".to_owned(), serde_json::json!({"name": "sample", "namespace": "sample"}));
        map.remove("apiVersion");
        map.remove("kind");
    }
    value
}
