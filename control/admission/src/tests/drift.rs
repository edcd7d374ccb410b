//! The API types against the CRDs: no field of a CRD may be lost, and none may be there that the CRD does not have.

use lychgate_api::{Kind, Object};
use serde_json::Value;

use super::sample::{Extent, whole};
use crate::crds;

fn custom_kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| crds::is_custom(*kind))
}

/// Paths of `left` that `right` does not have, or has with another value.
fn lost(left: &Value, right: Option<&Value>, path: &str, found: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(left), Some(Value::Object(right))) => {
            left.iter().for_each(|(key, child)| lost(child, right.get(key), &format!("{path}.{key}"), found));
        }
        (Value::Array(left), Some(Value::Array(right))) => {
            left.iter().enumerate().for_each(|(at, item)| lost(item, right.get(at), &format!("{path}[{at}]"), found));
        }
        (left, right) if Some(left) == right => {}
        (left, right) => found.push(format!("{path}: {left} became {right:?}")),
    }
}

#[test]
fn no_field_of_a_crd_is_lost() {
    for kind in custom_kinds() {
        for (version, schema) in &crds::crd(kind).versions {
            let maximal = whole(schema, Extent::Maximal);
            let object = Object::decode(kind, maximal.clone()).unwrap_or_else(|e| panic!("{kind} {version}: {e}"));
            let encoded = object.to_value().unwrap_or_default();
            let mut found = Vec::new();
            lost(&maximal, Some(&encoded), "", &mut found);
            assert!(found.is_empty(), "{kind} {version} loses fields:\n{}", found.join("\n"));
        }
    }
}

#[test]
fn no_field_is_made_up() {
    for kind in custom_kinds() {
        let storage = kind.versions().first().copied().unwrap_or_default();
        let maximal = whole(&crds::crd(kind).versions[storage], Extent::Maximal);
        let mut encoded =
            Object::decode(kind, maximal.clone()).and_then(|object| object.to_value()).unwrap_or_default();
        let map = encoded.as_object_mut().unwrap_or_else(|| panic!("{kind} is no object"));
        map.remove("apiVersion");
        map.remove("kind");
        let mut found = Vec::new();
        lost(&encoded, Some(&maximal), "", &mut found);
        assert!(found.is_empty(), "{kind} has fields that its CRD does not have:\n{}", found.join("\n"));
    }
}

/// What the CRD fills in and what the type fills in must be the same.
#[test]
fn defaults_are_those_of_the_crd() {
    for kind in custom_kinds() {
        for (version, schema) in &crds::crd(kind).versions {
            let minimal = whole(schema, Extent::Minimal);
            let mut defaulted = minimal.clone();
            crate::schema::apply_defaults(schema, &mut defaulted);
            let decode = |value| Object::decode(kind, value).unwrap_or_else(|e| panic!("{kind} {version}: {e}"));
            assert_eq!(decode(minimal), decode(defaulted), "{kind} {version}");
        }
    }
}
