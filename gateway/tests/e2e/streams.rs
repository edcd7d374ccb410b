//! TLSRoute, TCPRoute and UDPRoute from outside.

mod endpoints;
mod live;
mod tcp;
mod tls;
pub(crate) mod udp;
mod udp_limits;

pub(crate) use udp::{ask as ask_udp, client as udp_client};

use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer, RawMode};
use lychgate_testkit::{ClientError, Dial, RawConnection};
use serde_json::Value;
use std::net::SocketAddr;

/// A free port of loopback.
pub(crate) fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A backend that tells who it is, and what TLS it sees, to those who say `TEST`.
pub(crate) async fn teller(pod: &str, ports: impl FnOnce(EchoConfig) -> EchoConfig) -> EchoServer {
    let config = EchoConfig::default().with_identity(EchoIdentity::pod(pod)).with_raw(RawMode::Conformance);
    EchoServer::bind(ports(config)).await.unwrap()
}

/// Asks a teller who it is. `None` if the connection was closed without an answer.
pub(crate) async fn ask(dial: &Dial, name: &str) -> Result<Option<Value>, ClientError> {
    let mut connection = RawConnection::open(dial, name).await?;
    // Whoever is refused may have the connection closed before all is written.
    let _ = connection.send("TEST\n").await;
    let _ = connection.finish().await;
    let Ok((said, _)) = connection.to_end().await else { return Ok(None) };
    let said = String::from_utf8(said).unwrap();
    let told = said.lines().find(|line| line.starts_with('{'));
    Ok(told.map(|line| serde_json::from_str(line).unwrap()))
}

/// The pod that a TCP port leads to.
async fn pod(address: SocketAddr) -> Option<String> {
    let told = ask(&Dial::http1(address), "").await.unwrap()?;
    Some(told["pod"].as_str().unwrap().to_owned())
}

/// A route of Gateway `gw` to backendRefs (YAML, without the brackets).
pub(crate) fn route(kind: &str, name: &str, section: &str, hostnames: &str, backends: &str) -> String {
    let hostnames = if hostnames.is_empty() { String::new() } else { format!("  hostnames: [{hostnames}]\n") };
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  \
         parentRefs: [{{name: gw, sectionName: {section}}}]\n{hostnames}  rules: [{{backendRefs: [{backends}]}}]\n---\n"
    )
}

/// A Service with a UDP port 53, and an EndpointSlice for each endpoint.
pub(crate) fn udp_service(name: &str, endpoints: &[SocketAddr]) -> String {
    let mut yaml = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  ports: [{{name: dns, \
         port: 53, protocol: UDP}}]\n---\n"
    );
    for (index, endpoint) in endpoints.iter().enumerate() {
        yaml += &format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}-{index}\n  namespace: \
             default\n  labels: {{kubernetes.io/service-name: {name}}}\naddressType: IPv4\nendpoints: [{{addresses: \
             [{}]}}]\nports: [{{name: dns, protocol: UDP, port: {}}}]\n---\n",
            endpoint.ip(),
            endpoint.port()
        );
    }
    yaml
}
