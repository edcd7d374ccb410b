//! The objects of the Gateway API that a site needs.

use crate::scene::Scene;
use crate::site::Site;
use std::net::SocketAddr;

/// A Service.
#[derive(Clone, Copy, Debug)]
pub(super) enum Backend {
    /// HTTP/1.1, or gRPC where that is the scene.
    Clear,
    Tls,
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Tls => "tls",
        }
    }
}

/// A Gateway with its listeners, and all backends.
pub(super) fn gateway(site: &Site) -> String {
    if site.scene == Scene::Tunnelled {
        return egress(site);
    }
    let (http, https) = (site.http.port(), site.https.port());
    let listeners = match site.scene {
        Scene::Plain
        | Scene::Logged
        | Scene::Routes(_)
        | Scene::Grpc
        | Scene::Filtered(_)
        | Scene::Endpoints(_)
        | Scene::WebSocket
        | Scene::Traced
        | Scene::Changing(_) => format!(
            "    - {{name: http, protocol: HTTP, port: {http}}}
    - {{name: https, protocol: HTTPS, port: {https}, tls: {{certificateRefs: [{{name: certificate}}]}}}}
"
        ),
        Scene::Datagrams => format!("    - {{name: http, protocol: UDP, port: {http}}}\n"),
        Scene::Passed | Scene::Tunnelled => format!(
            "    - {{name: http, protocol: TCP, port: {http}}}
    - {{name: https, protocol: TLS, port: {https}, tls: {{mode: Passthrough}}}}
"
        ),
    };
    let protocol = if site.scene == Scene::Datagrams { ", protocol: UDP" } else { "" };
    let spoken = if site.http2_behind() { ", appProtocol: kubernetes.io/h2c" } else { "" };
    let head = format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: default}}
spec:
  gatewayClassName: lychgate
  addresses: [{{type: IPAddress, value: {}}}]
  listeners:
{listeners}",
        site.http.ip()
    );
    let clear = service(Backend::Clear, &site.endpoints, protocol, spoken);
    [head, clear, service(Backend::Tls, &[site.tls_backend], "", "")].join("---\n")
}

/// A Gateway through which clients of this machine reach the backend that speaks TLS, and nothing else.
fn egress(site: &Site) -> String {
    let (at, port, origin) = (site.http.ip(), site.http.port(), site.tls_backend);
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: lychgate-egress}}
spec: {{controllerName: lychgate.dev/egress-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: out, namespace: default}}
spec:
  gatewayClassName: lychgate-egress
  addresses: [{{type: IPAddress, value: {at}}}]
  listeners: [{{name: proxy, protocol: lychgate.dev/Proxy, port: {port}}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: client, namespace: default}}
spec: {{serviceAccountName: client}}
status: {{podIP: {at}, podIPs: [{{ip: {at}}}]}}
---
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {{name: client, namespace: default}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: out}}]
  subjects: [{{serviceAccount: client}}]
  rules:
    - action: Allow
      to: {{networks: [{}/32]}}
      ports: [\"{}\"]
      protocols: [{{type: TLS}}]
",
        origin.ip(),
        origin.port()
    )
}

/// A Service, with a slice for the endpoints at each port.
fn service(backend: Backend, endpoints: &[SocketAddr], protocol: &str, spoken: &str) -> String {
    let name = backend.name();
    let mut text = format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec: {{ports: [{{name: it, port: 80{protocol}{spoken}}}]}}
"
    );
    for (number, slice) in endpoints.chunk_by(|one, next| one.port() == next.port()).enumerate() {
        let port = slice.first().map(SocketAddr::port).unwrap_or_default();
        let addresses: Vec<String> = slice.iter().map(|at| format!("{{addresses: [{}]}}", at.ip())).collect();
        let addresses = addresses.join(", ");
        text += &format!(
            "---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-{number}, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{addresses}]
ports: [{{name: it, port: {port}{protocol}}}]
"
        );
    }
    text
}

/// A route of any kind: `hosts` are lines of its spec, `rule` is what its one rule has beside the backend.
pub(super) fn route(kind: &str, name: &str, hosts: &str, rule: &str, backend: Backend) -> String {
    let section = match kind {
        "TCPRoute" | "UDPRoute" => ", sectionName: http",
        "TLSRoute" => ", sectionName: https",
        _ => "",
    };
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: default}}
spec:
  parentRefs: [{{name: gw{section}}}]
{hosts}  rules: [{{{rule}backendRefs: [{{name: {}, port: 80}}]}}]
",
        backend.name()
    )
}
