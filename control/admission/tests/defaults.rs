//! What is filled in, and what older versions become.

#![allow(clippy::unwrap_used, clippy::panic)]

use lychgate_admission::{admit, read_text};
use lychgate_api::gateway::{FromNamespaces, PathMatchType};
use lychgate_api::{Object, labels};
use serde_json::json;

#[test]
fn a_route_gets_its_defaults_and_a_namespace() {
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "HTTPRoute", "metadata": {"name": "shop"},
        "spec": {"parentRefs": [{"name": "gate"}], "rules": [{"backendRefs": [{"name": "shop", "port": 80.0}]}]},
    });
    let Ok(Object::HttpRoute(route)) = admit(route) else { panic!("not admitted") };
    assert_eq!(route.metadata.namespace, "default");
    assert_eq!(route.spec.parent_refs[0].kind, "Gateway");
    let rule = &route.spec.rules[0];
    assert_eq!((rule.matches[0].path.r#type, rule.matches[0].path.value.as_str()), (PathMatchType::PathPrefix, "/"));
    let backend = &rule.backend_refs[0].backend;
    assert_eq!((backend.target.kind.as_str(), backend.target.port, backend.weight), ("Service", Some(80), 1));
}

#[test]
fn a_gateway_takes_routes_of_its_own_namespace() {
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gate", "namespace": ""},
        "spec": {"gatewayClassName": "lychgate", "listeners": [{"name": "a", "port": 80, "protocol": "HTTP"}]},
    });
    let Ok(Object::Gateway(gateway)) = admit(gateway) else { panic!("not admitted") };
    assert_eq!(gateway.metadata.namespace, "default");
    assert_eq!(gateway.spec.listeners[0].allowed_routes.namespaces.from, FromNamespaces::Same);
    assert!(gateway.status.conditions.is_empty(), "the CRD's default status is not ours to claim");
}

#[test]
fn a_namespace_is_labelled_with_its_name() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let Ok(Object::Namespace(namespace)) = admit(namespace) else { panic!("not admitted") };
    assert_eq!(namespace.metadata.labels.get(labels::NAMESPACE_NAME).map(String::as_str), Some("shop"));
    assert_eq!(namespace.metadata.namespace, "");
}

#[test]
fn a_secret_merges_its_texts() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/tls\n\
                data:\n  tls.crt: |\n    aHVu\n    dGVy\nstringData: {tls.key: b}\n";
    let admitted = read_text("s.yaml", text);
    assert!(admitted.diagnostics.is_empty(), "{:?}", admitted.diagnostics);
    let Object::Secret(secret) = &admitted.objects[0].object else { panic!("no Secret") };
    assert_eq!(secret.get("tls.crt").unwrap().expose(), b"hunter");
    assert_eq!(secret.get("tls.key").unwrap().expose(), b"b");
}

#[test]
fn files_saved_from_a_cluster_are_read_without_their_status() {
    let text = "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\n\
                metadata: {name: c, resourceVersion: \"1\", managedFields: [{manager: kubectl}]}\n\
                spec: {controllerName: a.example/b}\nstatus: {conditions: [{type: Accepted}]}\n";
    let admitted = read_text("c.yaml", text);
    assert!(admitted.diagnostics.is_empty(), "{:?}", admitted.diagnostics);
    let Object::GatewayClass(class) = &admitted.objects[0].object else { panic!("no GatewayClass") };
    assert!(class.status.conditions.is_empty());
}

#[test]
fn aliases_and_merges_are_followed() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- &a\n  apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n\
                \x20 data: &d {k: v}\n- <<: *a\n  metadata: {name: b}\n  data: {<<: *d, l: w}\n";
    let admitted = read_text("l.yaml", text);
    assert!(admitted.diagnostics.is_empty(), "{:?}", admitted.diagnostics);
    let Object::ConfigMap(second) = &admitted.objects[1].object else { panic!("no ConfigMap") };
    assert_eq!(second.metadata.name, "b");
    assert_eq!(second.data.len(), 2);
}

#[test]
fn json_is_read_with_positions() {
    let text =
        "{\n\t\"apiVersion\": \"v1\", \"kind\": \"Namespace\",\n  \"metadata\": {\"name\": \"A\\/\\ud83d\\ude00\"}\n}";
    let admitted = read_text("n.json", text);
    assert_eq!(admitted.refused.len(), 1, "{:?}", admitted.diagnostics);
    let placed = "{\n \"apiVersion\": \"v1\", \"kind\": \"Namespace\",\n  \"metadata\": {\"name\": \"A\"}\n}";
    let admitted = read_text("n.json", placed);
    assert_eq!(admitted.diagnostics[0].position.to_string(), "n.json:3:24");
    let broken = read_text("n.json", "{\n \"a\": \n}");
    assert_eq!(broken.diagnostics[0].to_string(), "n.json:3:1: not JSON: expected value");
}
