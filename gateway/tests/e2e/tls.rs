//! YAML for TLS on both sides, and backends that speak it.

use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer, Port};
use lychgate_testkit::{Authority, Leaf, TlsSeen};
use rustls::ServerConfig;
use std::net::SocketAddr;

/// A Secret `default/<name>`.
pub(crate) fn secret(name: &str, leaf: &Leaf) -> String {
    leaf.secret("default", name) + "---\n"
}

/// A ConfigMap `default/<name>` with trust anchors.
pub(crate) fn ca(name: &str, authority: &Authority) -> String {
    authority.config_map("default", name) + "---\n"
}

/// An HTTPS listener, as [`crate::support::gateway`] takes it.
pub(crate) fn https(name: &str, port: u16, hostname: &str, secrets: &[&str]) -> String {
    let hostname = if hostname.is_empty() { String::new() } else { format!(", hostname: \"{hostname}\"") };
    let references: Vec<String> = secrets.iter().map(|secret| format!("{{name: {secret}}}")).collect();
    let references = references.join(", ");
    format!(
        "    - {{name: {name}, protocol: HTTPS, port: {port}{hostname}, tls: {{certificateRefs: [{references}]}}}}\n"
    )
}

/// A BackendTLSPolicy of the same name as the Service that it is for.
pub(crate) fn tls_policy(service: &str, validation: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {{name: {service}, namespace: \
         default}}\nspec:\n  targetRefs: [{{group: \"\", kind: Service, name: {service}}}]\n  validation: \
         {validation}\n---\n"
    )
}

/// Validation by a ConfigMap, for [`tls_policy`] and XBackends.
pub(crate) fn trusting(ca: &str, hostname: &str) -> String {
    format!("{{caCertificateRefs: [{{group: \"\", kind: ConfigMap, name: {ca}}}], hostname: {hostname}}}")
}

/// An XBackend `default/<name>` at `localhost`, with further fields of its spec.
pub(crate) fn xbackend(name: &str, port: u16, fields: &str) -> String {
    format!(
        "apiVersion: gateway.networking.x-k8s.io/v1alpha1\nkind: XBackend\nmetadata: {{name: {name}, namespace: \
         default}}\nspec:\n  type: ExternalHostname\n  externalHostname: {{hostname: localhost}}\n  port: {{number: \
         {port}}}\n{fields}---\n"
    )
}

/// A backendRef to an XBackend.
pub(crate) fn to_xbackend(name: &str) -> String {
    format!("{{group: gateway.networking.x-k8s.io, kind: XBackend, name: {name}}}")
}

/// An echo server over TLS.
pub(crate) async fn tls_echo(pod: &str, tls: ServerConfig) -> (EchoServer, SocketAddr) {
    tls_echo_at(([127, 0, 0, 1], 0).into(), pod, tls).await
}

/// An echo server over TLS at this address.
pub(crate) async fn tls_echo_at(address: SocketAddr, pod: &str, tls: ServerConfig) -> (EchoServer, SocketAddr) {
    let config = EchoConfig::default().with_https(address, tls).with_identity(EchoIdentity::pod(pod));
    let server = EchoServer::bind(config).await.unwrap();
    let address = server.local_addr(Port::Https).unwrap();
    (server, address)
}

/// Whether a server has shown this certificate.
pub(crate) fn shows(seen: Option<&TlsSeen>, leaf: &Leaf) -> bool {
    seen.is_some_and(|seen| seen.certificates.first() == Some(leaf.der()))
}
