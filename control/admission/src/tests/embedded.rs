//! The embedded schemas can be read, and every rule in them can be evaluated.

use lychgate_api::Kind;
use serde_json::Value;

use super::sample::{Extent, whole};
use crate::crds;
use crate::rules::testing::holds;
use crate::schema::Schema;

#[test]
fn every_schema_is_read_and_serves_the_versions_of_its_kind() {
    for kind in Kind::ALL {
        let crd = crds::parse(*kind).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let mut versions = kind.versions().to_vec();
        versions.sort_unstable();
        assert_eq!(crd.versions.keys().map(String::as_str).collect::<Vec<_>>(), versions, "{kind}");
    }
}

/// Without the texts that are for people.
fn without_descriptions(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else { return };
    keywords.remove("description");
    for (keyword, value) in keywords {
        match keyword.as_str() {
            "properties" => {
                value.as_object_mut().into_iter().flatten().for_each(|(_, each)| without_descriptions(each))
            }
            "items" | "additionalProperties" => without_descriptions(value),
            _ => {}
        }
    }
}

#[test]
fn our_own_schemas_are_those_of_the_chart() {
    let chart = [
        (Kind::GatewayParameters, include_str!("../../../../charts/lychgate/crds/lychgate.dev_gatewayparameters.yaml")),
        (Kind::EgressPolicy, include_str!("../../../../charts/lychgate/crds/lychgate.dev_egresspolicies.yaml")),
    ];
    for (kind, text) in chart {
        let mut chart: Value = serde_yaml::from_str(text).unwrap_or_default();
        let here: Value = serde_json::from_str(crds::text(kind)).unwrap_or_default();
        let at = "/spec/versions/0/schema/openAPIV3Schema";
        let schema = chart.pointer_mut(at).unwrap_or_else(|| panic!("the chart's CRD of {kind} has no schema"));
        without_descriptions(schema);
        assert_eq!(Some(&*schema), here.pointer(at), "{kind}: write it anew: control/admission/crds/update.sh");
    }
}

fn each_schema<'a>(schema: &'a Schema, visit: &mut dyn FnMut(&'a Schema)) {
    visit(schema);
    let single = [&schema.additional, &schema.items].into_iter().flatten().map(Box::as_ref);
    single.chain(schema.properties.values().map(Box::as_ref)).for_each(|child| each_schema(child, visit));
}

#[test]
fn every_rule_compiles() {
    let mut count = 0;
    for kind in Kind::ALL {
        for schema in crds::crd(*kind).versions.values() {
            each_schema(schema, &mut |schema| {
                for rule in &schema.rules {
                    count += 1;
                    rule.compiles().unwrap_or_else(|error| panic!("{kind}: {}: {error}", rule.source()));
                }
            });
        }
    }
    assert!(count > 400, "{count}");
}

/// Evaluates every rule that there is a value for, and counts them.
fn evaluate_all(schema: &Schema, value: &Value, path: &str) -> usize {
    let mut count = 0;
    for rule in schema.rules.iter().map(crate::rules::Rule::source).filter(|rule| !rule.contains("oldSelf")) {
        count += 1;
        holds(rule, value).unwrap_or_else(|error| panic!("{path}: {rule}: {error}\n{value}"));
    }
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                if let Some(schema) = schema.properties.get(key).or(schema.additional.as_ref()) {
                    count += evaluate_all(schema, child, &format!("{path}.{key}"));
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                count += items.iter().map(|item| evaluate_all(schema, item, &format!("{path}[]"))).sum::<usize>();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    count
}

#[test]
fn every_rule_can_be_evaluated() {
    for kind in Kind::ALL {
        for (version, schema) in &crds::crd(*kind).versions {
            let mut rules = 0;
            each_schema(schema, &mut |schema| {
                rules += schema.rules.iter().filter(|rule| !rule.source().contains("oldSelf")).count();
            });
            let mut maximal = whole(schema, Extent::Maximal);
            crate::schema::apply_defaults(schema, &mut maximal);
            assert_eq!(evaluate_all(schema, &maximal, &format!("{kind}/{version}")), rules, "{kind} {version}");
            let mut minimal = whole(schema, Extent::Minimal);
            crate::schema::apply_defaults(schema, &mut minimal);
            evaluate_all(schema, &minimal, &format!("{kind}/{version} minimal"));
        }
    }
}
