//! What the gateway is told.

use super::LARGE;
use lychgate_testkit::Authority;
use std::net::SocketAddr;

/// Who is where.
pub(super) struct Addresses {
    pub(super) http: SocketAddr,
    pub(super) https: SocketAddr,
    pub(super) tcp: SocketAddr,
    pub(super) udp: SocketAddr,
    pub(super) echo: SocketAddr,
    pub(super) echo_tcp: SocketAddr,
    pub(super) echo_udp: SocketAddr,
    pub(super) large: SocketAddr,
    pub(super) flapping: SocketAddr,
}

/// A certificate for `a.example`, new each time, as a Secret.
pub(crate) fn secret() -> String {
    Authority::new("attack").server(&["a.example"]).secret("default", "certificate")
}

/// A listener for each protocol; a backend for whoever asks properly, and one for [`LARGE`]: what attackers have of theirs is
/// no measure of the gateway.
pub(super) fn objects(addresses: &Addresses) -> String {
    let Addresses { http, https, tcp, udp, echo, echo_tcp, echo_udp, large, flapping } = addresses;
    let (http, https, tcp, udp) = (http.port(), https.port(), tcp.port(), udp.port());
    let gateway = format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: default}}
spec:
  gatewayClassName: lychgate
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners:
    - {{name: http, protocol: HTTP, port: {http}}}
    - {{name: https, protocol: HTTPS, port: {https}, tls: {{certificateRefs: [{{name: certificate}}]}}}}
    - {{name: tcp, protocol: TCP, port: {tcp}}}
    - {{name: udp, protocol: UDP, port: {udp}}}
"
    );
    // A backend that goes is asked once more, elsewhere.
    let rules = format!(
        "    - backendRefs: [{{name: it, port: 80}}]
    - matches: [{{path: {{type: PathPrefix, value: {LARGE}}}}}]
      backendRefs: [{{name: large, port: 80}}]
    - matches: [{{path: {{type: PathPrefix, value: /flapping}}}}]
      retry: {{codes: [502, 503], attempts: 3, backoff: 5ms}}
      backendRefs: [{{name: flapping, port: 80}}]
"
    );
    let to = |name: &str| format!("    - backendRefs: [{{name: {name}, port: 80}}]\n");
    [
        gateway,
        route("HTTPRoute", "it", "  hostnames: [a.example]\n", "gw", &rules),
        route("GRPCRoute", "calls", "  hostnames: [grpc.example]\n", "gw", &to("calls")),
        route("TCPRoute", "raw", "", "gw, sectionName: tcp", &to("raw")),
        route("UDPRoute", "datagrams", "", "gw, sectionName: udp", &to("datagrams")),
        backend("it", "", &[*echo]),
        backend("large", "", &[*large]),
        backend("flapping", "", &[*echo, *flapping]),
        backend("calls", ", appProtocol: kubernetes.io/h2c", &[*echo]),
        backend("raw", "", &[*echo_tcp]),
        backend("datagrams", ", protocol: UDP", &[*echo_udp]),
    ]
    .join("---\n")
}

/// Routes of `changing.example`: a few, the first at `/changing-{version}`.
pub(crate) fn changing(version: u32) -> String {
    let one = |number: u32| {
        let path = if number == 0 { format!("/changing-{version}") } else { format!("/beside-{number}-{version}") };
        let rule = format!(
            "    - matches: [{{path: {{type: PathPrefix, value: {path}}}}}]\n      backendRefs: [{{name: it, port: 80}}]\n"
        );
        route("HTTPRoute", &format!("changing-{number}"), "  hostnames: [changing.example]\n", "gw", &rule)
    };
    // Their number changes, too.
    (0..=version % 7).map(one).collect::<Vec<_>>().join("---\n")
}

fn route(kind: &str, name: &str, hosts: &str, parent: &str, rules: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: default}}
spec:
  parentRefs: [{{name: {parent}}}]
{hosts}  rules:
{rules}"
    )
}

/// A Service, and a slice for each of its endpoints.
fn backend(name: &str, more: &str, endpoints: &[SocketAddr]) -> String {
    let mut text = format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec: {{ports: [{{name: it, port: 80{more}}}]}}
"
    );
    let protocol = if more.contains("UDP") { more } else { "" };
    for (number, at) in endpoints.iter().enumerate() {
        let (ip, port) = (at.ip(), at.port());
        text += &format!(
            "---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-{number}, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{{addresses: [{ip}]}}]
ports: [{{name: it, port: {port}{protocol}}}]
"
        );
    }
    text
}
