//! Names, namespaces, labels and annotations.

use lychgate_api::Kind;
use serde_json::{Map, Value};

use crate::Violation;
use crate::path::{FieldPath, Segment};
use crate::schema::{Violations, is_dns_1035_label, is_dns_label, is_dns_subdomain, is_label_value, is_qualified_name};

/// The sum of an object's annotations, keys and values.
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// Checks `metadata`, whose fields have the right types already where they are there.
pub(crate) fn check_metadata(kind: Kind, metadata: &Map<String, Value>, found: &mut Violations) {
    let text = |field: &str| metadata.get(field).and_then(Value::as_str);
    let mut add = |path: FieldPath, message: String, hint: Option<&str>| {
        found.push(Violation { path, message, hint: hint.map(str::to_owned) });
    };
    let at = |field: &str| FieldPath::of(&["metadata", field]);
    if let Some(name) = text("name") {
        let (fits, form) = name_form(kind, name);
        if !fits {
            add(at("name"), format!("{name:?} is no name: it must be {form}"), None);
        }
    }
    match text("namespace") {
        Some(_) if !kind.namespaced() => {
            add(at("namespace"), format!("a {kind} has no namespace"), Some("remove it"));
        }
        Some(namespace) if !is_dns_label(namespace) => {
            add(at("namespace"), format!("{namespace:?} is no namespace: it must be {LABEL}"), None);
        }
        Some(_) | None => {}
    }
    for (key, value) in entries(metadata, "labels") {
        let path = at("labels").with(Segment::Key(key.clone()));
        if !is_qualified_name(key) {
            add(path.clone(), format!("the label's key must be {QUALIFIED}"), None);
        }
        if value.as_str().is_some_and(|value| !is_label_value(value)) {
            let message = format!("{value} is no label value: it must be up to 63 letters, digits, '-', '_' or '.', ");
            add(path, message + "beginning and ending with a letter or digit", None);
        }
    }
    let mut size = 0;
    for (key, value) in entries(metadata, "annotations") {
        size += key.len() + value.as_str().map_or(0, str::len);
        if !is_qualified_name(&key.to_ascii_lowercase()) {
            let path = at("annotations").with(Segment::Key(key.clone()));
            add(path, format!("the annotation's key must be {QUALIFIED}"), None);
        }
    }
    if size > MAX_ANNOTATION_BYTES {
        add(at("annotations"), format!("annotations must have at most {MAX_ANNOTATION_BYTES} bytes, not {size}"), None);
    }
}

const LABEL: &str = "up to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit";
const LABEL_1035: &str = "up to 63 of a-z, 0-9 and '-', beginning with a letter and ending with a letter or digit";
const SUBDOMAIN: &str = "up to 253 of a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit";
const SIGNED: &str = "a name of up to 253 of a-z, 0-9, '-' and '.', after the signer's and a colon if it is a signer's";
const QUALIFIED: &str = "a name of up to 63 letters, digits, '-', '_' or '.', optionally after a DNS name and a slash";

/// Whether it is a name for the kind, and what such names are.
fn name_form(kind: Kind, name: &str) -> (bool, &'static str) {
    match kind {
        Kind::Service => (is_dns_1035_label(name), LABEL_1035),
        Kind::Namespace => (is_dns_label(name), LABEL),
        Kind::ClusterTrustBundle => (name.split(':').all(is_dns_subdomain), SIGNED),
        Kind::GatewayClass
        | Kind::Gateway
        | Kind::ListenerSet
        | Kind::HttpRoute
        | Kind::GrpcRoute
        | Kind::TlsRoute
        | Kind::TcpRoute
        | Kind::UdpRoute
        | Kind::BackendTlsPolicy
        | Kind::ReferenceGrant
        | Kind::XBackend
        | Kind::GatewayParameters
        | Kind::EgressPolicy
        | Kind::Pod
        | Kind::EndpointSlice
        | Kind::Secret
        | Kind::ConfigMap => (is_dns_subdomain(name), SUBDOMAIN),
    }
}

fn entries<'a>(metadata: &'a Map<String, Value>, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    metadata.get(field).and_then(Value::as_object).into_iter().flatten()
}
