//! What may leave, drawn at random: policies, parameters and pods, some of them broken.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(values).prop_map(str::to_owned)
}

fn subject() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"serviceAccount": "x"}),
        json!({"selector": {"matchLabels": {"app": "x"}}}),
        json!({"namespace": "a"}),
        json!({"identity": "spiffe://d/ns/a/sa/x"}),
        json!({"identity": "x"}),
        json!({"everyone": {}}),
        json!({"unknown": {}}),
        json!({}),
    ])
}

/// A part of a rule: what it fits, or how it is carried.
fn part() -> impl Strategy<Value = Value> {
    let secret = json!({"name": "x", "key": "tls.crt"});
    select(vec![
        json!({"to": {"hosts": ["*.example", "a.example"], "within": ["192.0.2.0/24"]}}),
        json!({"to": {"hosts": ["b*d"]}}),
        json!({"to": {"networks": ["10.0.0.0/8"]}}),
        json!({"to": {"networks": ["10.0.0.0/33"]}}),
        json!({"ports": ["443"]}),
        json!({"ports": ["0-1"]}),
        json!({"protocols": [{"type": "HTTP", "http": {"paths": [{"value": "/a/../b"}]}}]}),
        json!({"protocols": [{"type": "HTTP", "http": {"methods": ["GET"], "paths": [{"value": "/a/"}]}}]}),
        json!({"windows": [{"from": "08:00", "to": "07:00"}]}),
        json!({"tls": {"mode": "Inspect", "clientCertificateRef": {"name": "x", "namespace": "a"}}}),
        json!({"tls": {"mode": "Originate", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "y"}]}}),
        json!({"credential": {"header": "x-key", "secretRef": secret}}),
        json!({"credential": {"header": "host", "secretRef": secret}}),
        json!({"via": {"type": "HTTP", "host": "p.example", "port": 1, "credentialsRef": {"name": "x"}}}),
        json!({"limits": {"connections": 1}}),
        json!({}),
    ])
}

fn rule() -> impl Strategy<Value = Value> {
    (one_of(&["Allow", "Allow", "Deny"]), prop::collection::vec(part(), 1..4)).prop_map(|(action, parts)| {
        let mut rule = json!({"action": action});
        for part in parts {
            for (field, value) in part.as_object().unwrap() {
                rule[field.as_str()] = value.clone();
            }
        }
        rule
    })
}

/// An EgressPolicy.
pub(crate) fn policy(metadata: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let target = (one_of(&["x", "y", "z"]), prop::option::of(one_of(&["a", "b"]))).prop_map(|(name, namespace)| {
        let mut target = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name});
        if let Some(namespace) = namespace {
            target["namespace"] = namespace.into();
        }
        target
    });
    let mode = one_of(&["Enforce", "Shadow"]);
    let rules = prop::collection::vec(rule(), 0..4);
    let subjects = prop::collection::vec(subject(), 0..3);
    (metadata, prop::collection::vec(target, 1..3), subjects, mode, rules).prop_map(
        |(metadata, targets, subjects, mode, rules)| {
            let spec = json!({"targetRefs": targets, "subjects": subjects, "mode": mode, "rules": rules});
            json!({"metadata": metadata, "spec": spec})
        },
    )
}

/// GatewayParameters, for what leaves.
pub(crate) fn parameters(metadata: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let user = json!({
        "name": "u", "namespace": "a", "serviceAccount": "x", "passwordRef": {"name": "x", "key": "tls.key"},
    });
    let egress = select(vec![
        json!({"default": {"mode": "Shadow", "percent": 5}}),
        json!({"clusterNetworks": ["10.0.0.0/8"], "logins": {"users": [user]}}),
        json!({"clusterNetworks": ["bad"]}),
        json!({"policies": {"namespaces": {"from": "Same"}}}),
        json!({"inspection": {"certificateRef": {"name": "x"}, "exclude": ["*.bank.example"]}}),
        json!({"inspection": {"certificateRef": {"name": "x"}, "exclude": ["b*d"]}}),
    ]);
    (metadata, egress).prop_map(|(metadata, egress)| json!({"metadata": metadata, "spec": {"egress": egress}}))
}

/// A pod; two may claim one address.
pub(crate) fn pod(metadata: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let status = (one_of(&["10.1.0.1", "10.1.0.2", "::1", "bad"]), one_of(&["Running", "Failed"]));
    (metadata, status, any::<bool>()).prop_map(|(metadata, (address, phase), host)| {
        json!({
            "metadata": metadata, "spec": {"hostNetwork": host}, "status": {"phase": phase, "podIP": address},
        })
    })
}
