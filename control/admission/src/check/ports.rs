//! Names of ports must be unique. Not a CEL rule, because that would compare each port with each other.

use std::collections::HashSet;

use lychgate_api::core::{EndpointSlice, Service};

use crate::Violation;
use crate::path::{FieldPath, Segment};
use crate::schema::Violations;

pub(super) fn check_service(service: &Service, found: &mut Violations) {
    let names = service.spec.ports.iter().map(|port| port.name.as_str());
    unique(&FieldPath::of(&["spec", "ports"]), names, found);
}

pub(super) fn check_slice(slice: &EndpointSlice, found: &mut Violations) {
    let names = slice.ports.iter().map(|port| port.name.as_deref().unwrap_or_default());
    unique(&FieldPath::of(&["ports"]), names, found);
}

fn unique<'a>(ports: &FieldPath, names: impl Iterator<Item = &'a str>, found: &mut Violations) {
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            let path = ports.with(Segment::Index(index));
            let message = format!("an earlier port has the name {name:?} already");
            found.push(Violation { path, message, hint: Some("names of ports must be unique".to_owned()) });
        }
    }
}
