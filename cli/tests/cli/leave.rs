//! A Service for a host outside, as a workload has it: plain HTTP to the egress Gateway, and TLS that is verified from there.

use crate::support::{Running, dir, free_ports, is_there, lychgate, run_to, text, until};
use std::process::Command;

/// The Gateway's own address is that of the Service; curl comes from that of the workload.
fn config(listener: u16, origin: u16, ca: &str) -> String {
    let ca: String = ca.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "\
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: lychgate-egress}}
spec: {{controllerName: lychgate.dev/egress-controller}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: egress}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: shop}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: out, namespace: egress}}
spec:
  gatewayClassName: lychgate-egress
  addresses: [{{value: 127.0.0.1}}]
  listeners:
  - {{name: http, port: {listener}, protocol: HTTP}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: pay, namespace: egress}}
spec:
  parentRefs: [{{name: out}}]
  hostnames: [pay.shop.svc]
  rules:
  - filters: [{{type: URLRewrite, urlRewrite: {{hostname: pay.localhost}}}}]
    backendRefs: [{{group: gateway.networking.x-k8s.io, kind: XBackend, name: pay}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: tracker, namespace: egress}}
spec:
  parentRefs: [{{name: out}}]
  hostnames: [tracker.shop.svc]
  rules:
  - filters: [{{type: URLRewrite, urlRewrite: {{hostname: tracker.localhost}}}}]
    backendRefs: [{{group: gateway.networking.x-k8s.io, kind: XBackend, name: tracker}}]
---
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {{name: pay, namespace: egress}}
spec:
  type: ExternalHostname
  externalHostname: {{hostname: pay.localhost}}
  port: {{number: {origin}}}
  tls:
    mode: ServerOnly
    validation:
      hostname: pay.localhost
      caCertificateRefs: [{{group: '', kind: ConfigMap, name: ca}}]
---
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {{name: tracker, namespace: egress}}
spec:
  type: ExternalHostname
  externalHostname: {{hostname: tracker.localhost}}
  port: {{number: {origin}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: ca, namespace: egress}}
data:
  ca.crt: |
{ca}---
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {{name: cart, namespace: shop}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}}]
  subjects: [{{serviceAccount: cart}}]
  rules:
  - name: payments
    action: Allow
    to: {{hosts: [pay.localhost], within: [127.0.0.0/8]}}
    protocols: [{{type: HTTP, http: {{paths: [{{type: PathPrefix, value: /v1}}]}}}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: cart-1, namespace: shop}}
spec: {{serviceAccountName: cart, containers: [{{name: cart, image: cart}}]}}
status: {{phase: Running, podIP: 127.0.0.2, podIPs: [{{ip: 127.0.0.2}}]}}
"
    )
}

/// What curl is answered that comes from this address: the body, and the status after it.
fn ask(from: &str, listener: u16, host: &str, path: &str) -> String {
    let url = format!("http://127.0.0.1:{listener}{path}");
    let mut curl = Command::new("curl");
    curl.args(["-q", "-sS", "--max-time", "20", "--interface", from, "--write-out", "%{http_code}"]);
    let output = curl.args(["-H", &format!("Host: {host}"), &url]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_workload_reaches_a_service_outside_by_its_name_alone() {
    if !is_there("curl") {
        eprintln!("skipped: there is no curl");
        return;
    }
    let certs = tempfile::tempdir().unwrap();
    run_to(0, &["certs", text(certs.path()), "--name", "pay.localhost"]);
    let at = |name: &str| text(&certs.path().join(name)).to_owned();
    let [listener, origin] = free_ports();
    let address = format!("127.0.0.1:{origin}");
    let echo = ["echo", "--https", &address, "--cert", &at("tls.crt"), "--key", &at("tls.key")];
    let _origin = Running::start(lychgate(&echo), " as ");
    let ca = std::fs::read_to_string(at("ca.crt")).unwrap();
    let config = dir(&[("all.yaml", &config(listener, origin, &ca))]);
    let checked = run_to(0, &["check", text(config.path())]);
    assert!(checked.stdout.contains("is served as written"), "{}", checked.stdout);
    let audit = tempfile::tempdir().unwrap();
    let gateway = Running::gateway(config.path(), &["--audit-dir", text(&audit.path().join("log"))]);

    let through = ask("127.0.0.2", listener, "pay.shop.svc", "/v1/charge");
    assert!(through.ends_with("200") && through.contains("pay.localhost"), "{through}");
    for (from, host, path, why) in [
        ("127.0.0.2", "pay.shop.svc", "/v2", "no egress policy allows this destination"),
        ("127.0.0.2", "tracker.shop.svc", "/v1", "no egress policy allows this destination"),
        ("127.0.0.3", "pay.shop.svc", "/v1", "no egress policy allows this destination"),
    ] {
        let refused = ask(from, listener, host, path);
        assert!(refused.ends_with("403") && refused.contains(why), "{from} {host} {path}: {refused}");
    }
    let log = text(&audit.path().join("log")).to_owned();
    let learn = || crate::support::run(&["egress", "learn", &log]);
    until("what left can be learned from", || learn().stdout.contains("pay.localhost"));
    assert_eq!(gateway.end().code, Some(0));
    let verified = run_to(0, &["audit", "verify", &log]);
    assert!(verified.stdout.starts_with("whole: "), "{verified:#?}");
}
