//! What these tests share: a Gateway with one HTTP listener, echo servers as backends, and who of them answered.

use crate::support::{Site, alone, echo, http_gateway, service};
use lychgate_echo::EchoServer;
use lychgate_gateway::standalone::Options;
use lychgate_testkit::{Dial, Reply, free_addr};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Serves objects beside a Gateway `gw` with one HTTP listener.
pub(super) async fn serve(objects: &str) -> (Site, SocketAddr) {
    serve_with(objects, |_| {}).await
}

/// The same with one worker.
pub(super) async fn serve_alone(objects: &str) -> (Site, SocketAddr) {
    serve_with(objects, alone).await
}

async fn serve_with(objects: &str, edit: impl FnOnce(&mut Options)) -> (Site, SocketAddr) {
    let at = free_addr();
    let files = [("gateway.yaml", &*http_gateway(at.port())), ("objects.yaml", objects)];
    (Site::serve_with(&files, edit).await, at)
}

/// An echo server for each name, and its Service of that name.
pub(super) async fn pods<const N: usize>(names: [&str; N]) -> ([EchoServer; N], String) {
    let mut servers = Vec::with_capacity(N);
    let mut yaml = String::new();
    for name in names {
        let (server, address) = echo(name).await;
        yaml += &service(name, &[address]);
        servers.push(server);
    }
    (servers.try_into().unwrap(), yaml)
}

/// One echo server behind a Service of this name.
pub(super) async fn pod(name: &str) -> (EchoServer, String) {
    let ([server], yaml) = pods([name]).await;
    (server, yaml)
}

/// Who answered: the pod, or the status if the Gateway did.
pub(super) fn by(reply: &Reply) -> String {
    reply.header("x-echo-pod").map_or_else(|| reply.status.as_u16().to_string(), str::to_owned)
}

/// Who answers a GET.
pub(super) async fn who(at: SocketAddr, url: &str) -> String {
    by(&Dial::http1(at).get(url).await.unwrap())
}

/// Who answers a request with these headers; `Host` is in the URL.
pub(super) async fn who_with(at: SocketAddr, method: &str, url: &str, headers: &[(&str, &str)]) -> String {
    by(&send(at, method, url, headers).await)
}

/// Sends a request without a body over HTTP/1.1.
pub(super) async fn send(at: SocketAddr, method: &str, url: &str, headers: &[(&str, &str)]) -> Reply {
    Dial::http1(at).send(request(method, url, headers)).await.unwrap()
}

/// A request without a body.
pub(super) fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> http::Request<()> {
    let mut builder = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap()
}

/// A backend that answers each connection with exact bytes as soon as a request's head is read.
pub(super) struct Canned {
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Canned {
    /// After its answer it closes the connection.
    pub(super) async fn new(answer: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let canned = Self { address: listener.local_addr().unwrap() };
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                        match tcp.read_buf(&mut head).await {
                            Ok(0) | Err(_) => return,
                            Ok(_) => {}
                        }
                    }
                    // The gateway may be gone; then nobody misses the answer.
                    let _ = tcp.write_all(answer.as_bytes()).await;
                    let _ = tcp.shutdown().await;
                });
            }
        });
        canned
    }
}
