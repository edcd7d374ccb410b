//! A configuration as named resources that can be compared, from wherever it comes.

use anyhow::Context;
use lychgate_ir::{EndpointAddress, EndpointSet};
use lychgate_translate::Translation;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Kinds of resource, as dumps call them.
const SECTIONS: [&str; 9] = [
    "listeners",
    "routes",
    "stream_routes",
    "backends",
    "certificates",
    "secrets",
    "egress",
    "egress_policies",
    "workloads",
];

/// The endpoints of backends, which dumps keep apart.
const ENDPOINTS: &str = "endpoints";

/// A resource: its kind, and its name.
pub(super) type Name = (&'static str, String);

/// What a gateway would do, or does.
pub(super) struct Resources(pub(super) BTreeMap<Name, Value>);

impl Resources {
    /// What `/config` of a running gateway says.
    pub(super) fn of_dump(dump: &Value) -> anyhow::Result<Self> {
        let snapshot = dump["snapshot"].as_object().context("it has no snapshot; is it another version?")?;
        let endpoints = dump[ENDPOINTS].as_object().context("it has no endpoints; is it another version?")?;
        let mut resources = of_snapshot(snapshot.clone());
        for (name, addresses) in endpoints {
            resources.insert((ENDPOINTS, name.clone()), sorted(addresses));
        }
        Ok(Self(resources))
    }

    /// What a directory was translated to.
    pub(super) fn of_translation(translation: &Translation) -> anyhow::Result<Self> {
        let Value::Object(snapshot) = serde_json::to_value(&*translation.snapshot)? else {
            anyhow::bail!("a snapshot is no object; this is a bug of ours");
        };
        let mut resources = of_snapshot(snapshot);
        for (id, set) in &translation.endpoints {
            if let Some(addresses) = addresses(set) {
                resources.insert((ENDPOINTS, id.to_string()), sorted(&json!(addresses)));
            }
        }
        Ok(Self(resources))
    }

    /// Leaves out the endpoints that the other side does not tell of: names that it would have to resolve, and backends
    /// that it does not have, whose own line says so.
    pub(super) fn only_endpoints_of(&mut self, other: &Self) {
        self.0.retain(|name, _| name.0 != ENDPOINTS || other.0.contains_key(name));
    }
}

fn of_snapshot(mut snapshot: Map<String, Value>) -> BTreeMap<Name, Value> {
    let mut resources = BTreeMap::new();
    for section in SECTIONS {
        let Some(Value::Object(section_resources)) = snapshot.remove(section) else { continue };
        for (name, mut value) in section_resources {
            without_history(&mut value);
            resources.insert((section, name), value);
        }
    }
    resources
}

/// `None` if names have to be resolved to know.
fn addresses(set: &EndpointSet) -> Option<Vec<String>> {
    let address = |address: &EndpointAddress| match address {
        EndpointAddress::Ip(address) => Some(address.to_string()),
        EndpointAddress::Name { hostname: _, port: _ } => None,
    };
    set.endpoints.iter().map(|endpoint| address(&endpoint.address)).collect()
}

fn sorted(addresses: &Value) -> Value {
    let mut all: Vec<_> = addresses.as_array().into_iter().flatten().cloned().collect();
    all.sort_by_key(ToString::to_string);
    all.into()
}

/// Takes out what tells of a file's past and not of what it says: generations, and when a route was first seen. Both
/// are counted by whoever watches, so two readers of one file do not agree on them.
fn without_history(resource: &mut Value) {
    let Some(resource) = resource.as_object_mut() else { return };
    resource.remove("created");
    for rule in resource.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::String(id)) = rule.get_mut("id")
            && let Some(end) = id.rfind('@')
        {
            id.truncate(end);
        }
    }
}
