//! `docs/reference/parameters.md` and `docs/reference/egresspolicy.md` are made from the texts of our CRDs.

use serde_yaml::Value;
use std::fmt::Write;

const CRD: &str = include_str!("../../../../charts/lychgate/crds/lychgate.dev_gatewayparameters.yaml");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/parameters.md");
const POLICY_CRD: &str = include_str!("../../../../charts/lychgate/crds/lychgate.dev_egresspolicies.yaml");
const POLICY_PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/egresspolicy.md");
const HEAD: &str = "# GatewayParameters

<!-- Made from charts/lychgate/crds/lychgate.dev_gatewayparameters.yaml; a test holds it to that. To write it anew:
     LYCHGATE_BLESS=1 cargo test -p lychgate-admission reference -->

How the data planes of Gateways run in a cluster (`lychgate.dev/v1alpha1`). A GatewayClass refers to one for all its
Gateways, a Gateway to one of its own, which wins [field by field](../settings.md#how-data-planes-run-in-a-cluster).

```yaml
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {name: edge, namespace: shop}
spec:
  deployment:
    replicas: 3
    resources: {requests: {cpu: 500m, memory: 128Mi}}
    disruptionBudget: {maxUnavailable: 1}
    args: [--access-log=-]
  service:
    externalTrafficPolicy: Local
    annotations: {service.beta.kubernetes.io/aws-load-balancer-type: external}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: lychgate
  infrastructure:
    parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: edge}
  listeners:
    - {name: http, port: 80, protocol: HTTP}
```

| field | type | meaning |
|---|---|---|
";

const POLICY_HEAD: &str = "# EgressPolicy

<!-- Made from charts/lychgate/crds/lychgate.dev_egresspolicies.yaml; a test holds it to that. To write it anew:
     LYCHGATE_BLESS=1 cargo test -p lychgate-admission reference -->

What may leave through egress Gateways (`lychgate.dev/v1alpha1`). All policies that are about a workload count: what one of
them denies is denied, what one of them allows else is allowed, and the rest is denied.

```yaml
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}]
  subjects: [{serviceAccount: cart}]
  rules:
    - name: payments
      action: Allow
      to: {hosts: [api.pay.example, '*.cdn.example']}
      ports: ['443']
      protocols: [{type: TLS}]
```

A rule that cannot be read in full fails closed: one that allows allows nothing, one that denies denies everything in the
part that cannot be read. A policy whose subjects cannot be read denies everything to its namespace. The policy's status
tells, for each Gateway, `Accepted`, `ResolvedRefs`, and `PartiallyInvalid` where only some rules are broken.

| field | type | meaning |
|---|---|---|
";

/// What a value may be, in a word or two.
fn kind(schema: &Value) -> String {
    let word = |key: &str| schema[key].as_str().unwrap_or_default();
    if let Some(words) = schema["enum"].as_sequence() {
        let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    if schema["x-kubernetes-int-or-string"].as_bool() == Some(true) {
        return "number or text".to_owned();
    }
    match word("type") {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_mapping() => {
            format!("map to {}", kind(&schema["additionalProperties"]))
        }
        "string" => "text".to_owned(),
        "integer" => match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
            (Some(least), Some(most)) => format!("number, {least} to {most}"),
            _ => "number".to_owned(),
        },
        other => other.to_owned(),
    }
}

fn rows(schema: &Value, path: &str, text: &mut String) {
    for (name, child) in schema["properties"].as_mapping().into_iter().flatten() {
        let path = format!("{path}{}", name.as_str().unwrap_or_default());
        let mut meaning = child["description"].as_str().unwrap_or_default().to_owned();
        if !child["default"].is_null() {
            let default = serde_yaml::to_string(&child["default"]).unwrap_or_default();
            let _ = write!(meaning, " Default: `{}`.", default.trim());
        }
        let _ = writeln!(text, "| `{path}` | {} | {} |", kind(child), meaning.trim());
        rows(child, &format!("{path}."), text);
        rows(&child["items"], &format!("{path}[]."), text);
    }
}

fn is_current(crd: &str, head: &str, page: &str, has: &str) {
    let crd: Value = serde_yaml::from_str(crd).unwrap_or_default();
    let mut text = head.to_owned();
    rows(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"], "", &mut text);
    assert!(text.contains(has), "{text}");
    if std::env::var_os("LYCHGATE_BLESS").is_some() {
        std::fs::write(page, &text).unwrap_or_else(|error| panic!("{page}: {error}"));
    }
    let written = std::fs::read_to_string(page).unwrap_or_default();
    assert_eq!(written, text, "write it anew: LYCHGATE_BLESS=1 cargo test -p lychgate-admission reference");
}

#[test]
fn the_reference_of_parameters_is_current() {
    is_current(CRD, HEAD, PAGE, "`service.extraPorts[].targetPort`");
}

#[test]
fn the_reference_of_egress_policies_is_current() {
    is_current(POLICY_CRD, POLICY_HEAD, POLICY_PAGE, "`rules[].tls.caCertificateRefs[].name`");
}
