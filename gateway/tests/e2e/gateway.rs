//! Gateways: listeners and all that they agree with clients; one file a concern.

mod addresses;
mod certificates;
mod client_certificates;
mod client_certificates_live;
mod listener_sets;
mod listeners;
mod misdirected;
mod reference_grants;
mod tls_versions;

use crate::support::{echo, http_route, service};
use lychgate_echo::EchoServer;

/// A backend `blue`, with the YAML of it and of a route that sends everything there.
async fn blue() -> (EchoServer, String) {
    let (server, backend) = echo("blue").await;
    let files = service("blue", &[backend]) + &http_route("all", "[]", "    - backendRefs: [{name: blue, port: 80}]\n");
    (server, files)
}
