//! Traces, from the caller's header to the collector's disk: collectors here decode what is on the wire with the types
//! that OpenTelemetry generates from its protocol.

mod attempts;
mod audit;
mod collector;
mod contexts;
mod export;
mod logs;

use crate::support::{Site, alone_and, http_gateway};
use collector::Collector;
use lychgate_gateway::standalone::Options;
use lychgate_gateway::{OtlpProtocol, OtlpTarget, TraceOptions};
use lychgate_testkit::{Dial, Reply, free_addr};
use std::net::SocketAddr;

/// A caller's trace.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
/// A caller's span.
const SPAN: &str = "b7ad6b7169203331";

/// OTLP over HTTP to a collector.
fn otlp(collector: &Collector) -> OtlpTarget {
    OtlpTarget { collector: collector.url().parse().unwrap(), protocol: OtlpProtocol::Http }
}

/// Serves objects beside a Gateway `gw` with one HTTP listener, traced.
async fn serve(objects: &str, options: TraceOptions) -> (Site, SocketAddr) {
    serve_with(objects, |all| all.trace = Some(options)).await
}

/// The same with any options.
async fn serve_with(objects: &str, edit: impl FnOnce(&mut Options)) -> (Site, SocketAddr) {
    let at = free_addr();
    let files = [("gateway.yaml", &*http_gateway(at.port())), ("objects.yaml", objects)];
    (Site::serve_with(&files, alone_and(edit)).await, at)
}

/// Sends a GET with these headers.
async fn get(at: SocketAddr, url: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = http::Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Dial::http1(at).send(request.body(()).unwrap()).await.unwrap()
}

/// A header as the backend got it.
fn told(server: &lychgate_echo::EchoServer, request: usize, name: &str) -> Option<String> {
    server.requests()[request].report.headers.get(name).map(|values| values.join("|"))
}
