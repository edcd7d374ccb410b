//! GRPCRoute from outside.

mod backends;
mod errors;
mod frames;
mod matching;
mod streaming;

use crate::support::{Site, echo, http_gateway, service};
use lychgate_echo::EchoServer;
use lychgate_testkit::grpc::{self, GrpcReply};
use lychgate_testkit::{Dial, free_addr};
use std::net::SocketAddr;

/// The method that sends every message back.
const UNARY: &str = "lychgate.echo.v1.Echo/Unary";

/// A GRPCRoute of Gateway `gw` with these rules (YAML list items, indented by four).
fn grpc_route(name: &str, hostnames: &str, rules: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {{name: {name}, namespace: \
         default}}\nspec:\n  parentRefs: [{{name: gw}}]\n  hostnames: {hostnames}\n  rules:\n{rules}---\n"
    )
}

/// A gateway in front of the backends `blue` and `green`, Services that say nothing of their protocol.
struct Bed {
    site: Site,
    address: SocketAddr,
    blue: EchoServer,
    green: EchoServer,
}

impl Bed {
    /// With these routes and whatever else.
    async fn serve(routes: &str) -> Self {
        let (blue, to_blue) = echo("blue").await;
        let (green, to_green) = echo("green").await;
        let address = free_addr();
        let files =
            http_gateway(address.port()) + &service("blue", &[to_blue]) + &service("green", &[to_green]) + routes;
        let site = Site::serve(&[("all.yaml", &files)]).await;
        Self { site, address, blue, green }
    }

    /// Calls a method, with metadata.
    async fn call(&self, method: &str, metadata: &[(&str, &str)]) -> GrpcReply {
        call(self.address, "a.example", method, metadata).await
    }

    /// How many requests each backend has seen.
    fn seen(&self) -> (u64, u64) {
        (self.blue.counts().requests, self.green.counts().requests)
    }
}

async fn call(address: SocketAddr, host: &str, method: &str, metadata: &[(&str, &str)]) -> GrpcReply {
    let mut connection = Dial::h2c(address).connect(host).await.unwrap();
    grpc::call(&mut connection, &format!("http://{host}/{method}"), metadata, b"message").await.unwrap()
}
