//! The Deployment: pods without any right but to listen.

use super::{Parts, put};
use crate::provision::live::LiveKind;
use lychgate_api::lychgate::{
    DeploymentParameters, LocalSecretKeyReference, Quantity, ResourceRequirements, TopologySpread, WhenUnsatisfiable,
};
use lychgate_api::meta::StringMap;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Who the program runs as; the images have the same.
const USER: u32 = 65532;
const ADMIN_PORT: u16 = 9900;
/// How long a pod that ends still accepts, while load balancers take notice.
const DRAIN_DELAY: u32 = 5;
const DRAIN: u32 = 30;
/// Audit logs and their keys are kept here; the CRD lets them be nowhere else.
const AUDIT: &str = "/var/lib/lychgate";
/// The key that signs them, where it comes from a Secret.
const AUDIT_KEY: &str = "/var/run/lychgate/audit";
const KEY_FILE: &str = "key.pem";
/// What is left to close sockets and to send what telemetry has.
const FLUSH: u32 = 10;

pub(super) fn deployment(parts: &Parts<'_>) -> Value {
    let DeploymentParameters {
        replicas,
        autoscaling,
        resources,
        disruption_budget: _,
        topology_spread,
        node_selector,
        tolerations,
        priority_class_name,
        drain_seconds,
        args,
        audit_key_ref,
        labels,
        annotations,
    } = &parts.group.parameters.deployment;
    let drain = drain_seconds.unwrap_or(DRAIN);
    let admin = admin_port(parts);
    let keeps_log = parts.group.parameters.deployment.keeps_audit_log();
    // Without a log there is nothing to sign; the status of the Gateway says so.
    let key = audit_key_ref.as_ref().filter(|_| keeps_log);
    let (mounts, volumes) = volumes(parts, keeps_log, key);
    let mut args = args.clone().unwrap_or_default();
    args.extend(key.map(|_| format!("--audit-key={AUDIT_KEY}/{KEY_FILE}")));
    let mut container = json!({
        "name": "gateway",
        "image": parts.context.image,
        "args": arguments(parts, admin, drain, args),
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}},
        ],
        // Not those of listeners: they come and go, and pods shall not.
        "ports": [{"name": "admin", "containerPort": admin, "protocol": "TCP"}],
        "resources": resources.as_ref().map_or_else(
            || json!({"requests": {"cpu": "10m", "memory": "32Mi"}}),
            |ResourceRequirements { requests, limits }| json!({"requests": amounts(requests), "limits": amounts(limits)}),
        ),
        // That a pod ends is known by other ways, and that its process died, too: this is for one that came up and serves not.
        // One late answer on a busy node shall not take the only data plane off its address.
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "admin"},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
            "failureThreshold": 3,
        },
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "periodSeconds": 10, "failureThreshold": 6},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        },
        "volumeMounts": mounts,
    });
    put(&mut container, "imagePullPolicy", parts.context.pull_policy.as_ref());
    let mut pod = json!({
        "serviceAccountName": parts.group.key.name,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": DRAIN_DELAY + drain + FLUSH,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
            // Ports below 1024 without the capability for them.
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "topologySpreadConstraints": spread(parts, topology_spread.as_deref()),
        "containers": [container],
        "volumes": volumes,
    });
    put(&mut pod, "nodeSelector", node_selector.as_ref());
    put(&mut pod, "tolerations", tolerations.as_ref());
    put(&mut pod, "priorityClassName", priority_class_name.as_ref());
    let secrets: Vec<Value> = parts.context.pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    put(&mut pod, "imagePullSecrets", (!secrets.is_empty()).then_some(secrets));

    let mut pod_labels = labels.clone().unwrap_or_default();
    pod_labels.extend(parts.labels());
    let mut pod_annotations = parts.group.annotations.clone();
    pod_annotations.extend(annotations.clone().unwrap_or_default());
    pod_annotations.extend(scraped(admin));
    let mut spec = json!({
        "selector": {"matchLabels": parts.selector()},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": {"labels": pod_labels, "annotations": pod_annotations}, "spec": pod},
    });
    // With an autoscaler the number is its own; what it is until then, `apply` knows.
    put(&mut spec, "replicas", autoscaling.is_none().then(|| replicas.unwrap_or(1)));
    parts.object(LiveKind::Deployment, &parts.group.key.name, json!({ "spec": spec }))
}

/// What the process finds besides its image, and where.
fn volumes(parts: &Parts<'_>, keeps_log: bool, key: Option<&LocalSecretKeyReference>) -> (Vec<Value>, Vec<Value>) {
    let mut mounts = vec![
        json!({"name": "token", "mountPath": "/var/run/secrets/lychgate", "readOnly": true}),
        json!({"name": "ca", "mountPath": "/var/run/lychgate/ca", "readOnly": true}),
        json!({"name": "cache", "mountPath": "/var/cache/lychgate"}),
    ];
    let mut volumes = vec![
        json!({"name": "token", "projected": {"sources": [
            {"serviceAccountToken": {"audience": "lychgate", "expirationSeconds": 3600, "path": "token"}},
        ]}}),
        json!({"name": "ca", "configMap": {"name": parts.group.key.name}}),
        // Keys of certificates are in it: in memory, never on a disk of the node.
        json!({"name": "cache", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}),
    ];
    if keeps_log {
        mounts.push(json!({"name": "audit", "mountPath": AUDIT}));
        // Without a limit of its own: a pod that reaches one is evicted, and its log with it.
        volumes.push(json!({"name": "audit", "emptyDir": {}}));
    }
    if let Some(LocalSecretKeyReference { name, key }) = key {
        mounts.push(json!({"name": "audit-key", "mountPath": AUDIT_KEY, "readOnly": true}));
        volumes.push(json!({"name": "audit-key", "secret": {
            "secretName": name,
            "items": [{"key": key, "path": KEY_FILE}],
            // For the program's group alone.
            "defaultMode": 0o440,
        }}));
    }
    (mounts, volumes)
}

/// As an API server stores them, which is as text.
fn amounts(amounts: &BTreeMap<String, Quantity>) -> StringMap {
    let text = |amount: &Quantity| match amount {
        Quantity::Int(number) => number.to_string(),
        Quantity::String(text) => text.clone(),
    };
    amounts.iter().map(|(name, amount)| (name.clone(), text(amount))).collect()
}

/// The admin port keeps out of the way of listeners.
fn admin_port(parts: &Parts<'_>) -> u16 {
    let taken: BTreeSet<u16> = parts.group.ports.iter().map(|(_, port)| *port).collect();
    (ADMIN_PORT..u16::MAX).find(|port| !taken.contains(port)).unwrap_or(ADMIN_PORT)
}

fn arguments(parts: &Parts<'_>, admin: u16, drain: u32, more: Vec<String>) -> Vec<String> {
    let mut all = vec![
        format!("--control={}", parts.context.control),
        "--token-file=/var/run/secrets/lychgate/token".to_owned(),
        "--trust-bundle=/var/run/lychgate/ca/ca.crt".to_owned(),
        "--cache=/var/cache/lychgate".to_owned(),
        format!("--admin=0.0.0.0:{admin}"),
        format!("--drain={drain}"),
        format!("--drain-delay={DRAIN_DELAY}"),
    ];
    all.extend(more);
    all
}

/// Over nodes and zones as far as that is possible, unless others are asked for.
fn spread(parts: &Parts<'_>, wanted: Option<&[TopologySpread]>) -> Vec<Value> {
    let usual = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(|key| TopologySpread {
        topology_key: key.to_owned(),
        max_skew: 1,
        when_unsatisfiable: WhenUnsatisfiable::ScheduleAnyway,
    });
    let each = wanted.unwrap_or(&usual).iter().map(|TopologySpread { topology_key, max_skew, when_unsatisfiable }| {
        json!({
            "topologyKey": topology_key,
            "maxSkew": max_skew,
            "whenUnsatisfiable": when_unsatisfiable,
            "labelSelector": {"matchLabels": parts.selector()},
        })
    });
    each.collect()
}

/// What scrapers without an operator of their own look for.
fn scraped(admin: u16) -> StringMap {
    let pairs = [("scrape", "true".to_owned()), ("port", admin.to_string()), ("path", "/metrics".to_owned())];
    pairs.into_iter().map(|(key, value)| (format!("prometheus.io/{key}"), value)).collect()
}
