//! The echo server over real sockets, protocol by protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod grpc;
mod http;
mod introduction;
mod knobs;
mod life;
mod sockets;
mod tls;
mod websocket;

use std::net::{Ipv4Addr, SocketAddr};

use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer, Port};
use lychgate_testkit::Dial;

/// A loopback address whose port the kernel chooses.
fn any() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

async fn server() -> EchoServer {
    EchoServer::bind(EchoConfig::loopback().with_identity(EchoIdentity::pod("one"))).await.unwrap()
}

fn addr(server: &EchoServer, port: Port) -> SocketAddr {
    server.local_addr(port).unwrap()
}

fn http1(server: &EchoServer) -> Dial {
    Dial::http1(addr(server, Port::Http))
}

fn h2c(server: &EchoServer) -> Dial {
    Dial::h2c(addr(server, Port::Http))
}
