//! A data plane of a cluster, and a control plane that says what a test wants: a real feed between them.

mod away;
#[path = "../../feed/tests/feed/control.rs"]
mod control;
mod live;
mod process;

use crate::support::{echo, eventually, http_gateway, http_route, service, soon};
use control::{Control, group};
use lychgate_api::Objects;
use lychgate_feed::Version;
use lychgate_gateway::cluster::{Cluster, Options};
use lychgate_ir::{Endpoints, Snapshot};
use lychgate_testkit::Dial;
use lychgate_translate::translate;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What these objects mean.
fn translated(yaml: &str) -> (Arc<Snapshot>, Endpoints) {
    let admitted = lychgate_admission::read_text("test.yaml", yaml);
    assert!(!admitted.has_errors(), "{:?}", admitted.diagnostics);
    let objects: Objects = admitted.objects.into_iter().map(|admitted| admitted.object).collect();
    let options = lychgate_translate::Options { standalone: true, ..Default::default() };
    let translation = translate(&objects, &options, None);
    (translation.snapshot, translation.endpoints)
}

/// Publishes what these objects mean.
fn publish(control: &Control, yaml: &str) -> Version {
    let (snapshot, endpoints) = translated(yaml);
    control.feed.publish(&group(), &snapshot, &endpoints)
}

/// Publishes, and waits until it is served.
async fn served(control: &Control, yaml: &str) {
    let version = publish(control, yaml);
    control.acknowledged("one", |ack| ack.version == version).await;
}

fn options(control: &Control) -> Options {
    let mut feed = control.options("one");
    feed.cache = Some(control.home.path().join("cache"));
    Options { admin: Some(([127, 0, 0, 1], 0).into()), drain: Duration::from_secs(5), ..Options::new(feed) }
}

/// A gateway on this port whose only route goes to this backend.
fn to(port: u16, name: &str, backend: SocketAddr) -> String {
    http_gateway(port)
        + &service(name, &[backend])
        + &http_route("all", "[]", &format!("    - backendRefs: [{{name: {name}, port: 80}}]\n"))
}

/// The pod that answers, or the status if none does.
async fn who(at: SocketAddr) -> String {
    let reply = Dial::http1(at).get("http://a.example/").await.unwrap();
    reply.header("x-echo-pod").map_or_else(|| reply.status.as_u16().to_string(), str::to_owned)
}

async fn ask(admin: SocketAddr, path: &str) -> (u16, String) {
    let reply = Dial::http1(admin).get(&format!("http://admin{path}")).await.unwrap();
    (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())
}

async fn status(admin: SocketAddr) -> Value {
    serde_json::from_str(&ask(admin, "/status").await.1).unwrap()
}
