//! Backends: how they are reached, verified, chosen and resolved; one file a concern.

mod balance;
mod client_certificates;
mod connections;
mod endpoints;
mod names;
mod negotiation;
mod pool;
mod tls_policies;

use crate::support::{Site, http_gateway, http_route};
use lychgate_echo::EchoReport;
use lychgate_testkit::{Dial, Reply, free_addr};
use std::net::SocketAddr;

/// A gateway that sends `/<name>/…` to each of these backends, given as backendRefs.
struct Bed {
    site: Site,
    address: SocketAddr,
}

impl Bed {
    /// Backends are Services of these names, unless they are written as a reference (`{…}`) behind the name and `=`.
    async fn new(backends: &[&str], files: &[(&str, &str)]) -> Self {
        let address = free_addr();
        let gateway = http_gateway(address.port()) + &routes(backends);
        let files: Vec<(&str, &str)> = files.iter().copied().chain([("gateway.yaml", gateway.as_str())]).collect();
        Self { site: Site::serve_alone(&files).await, address }
    }

    /// A GET of `/<path>` on a connection of its own.
    async fn get(&self, path: &str) -> Reply {
        Dial::http1(self.address).get(&format!("http://a.example/{path}")).await.unwrap()
    }

    /// What the backend saw; the request must succeed.
    async fn seen(&self, path: &str) -> EchoReport {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "/{path}: {}", reply.text());
        reply.json()
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status.as_u16()
    }

    async fn stop(self) {
        assert_eq!(self.site.stop().await, 0);
    }
}

/// One route a backend, by path.
fn routes(backends: &[&str]) -> String {
    let route = |backend: &&str| {
        let (name, reference) = match backend.split_once('=') {
            Some((name, reference)) => (name, reference.to_owned()),
            None => (*backend, format!("{{name: {backend}, port: 80}}")),
        };
        let rule = format!("    - matches: [{{path: {{value: /{name}}}}}]\n      backendRefs: [{reference}]\n");
        http_route(name, "[]", &rule)
    };
    backends.iter().map(route).collect()
}
