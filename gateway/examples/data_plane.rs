//! What a data plane takes, in memory and in time: `cargo build --release -p lychgate-gateway && cargo run --release -p
//! lychgate-gateway --example data_plane -- target/release/lychgate-gateway 5000 60`.
//!
//! A control plane of its own gives the program so many routes of fifty Services. Each is asked for once; then routes and
//! endpoints change for so many seconds, twenty of each a second, while requests go on. Told are the memory of the process
//! that is its own (what it maps of its file is left out), what its cache takes, and the time from a publication to its
//! acknowledgement.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::panic)]

#[path = "../feed/tests/feed/control.rs"]
mod control;

use control::{Control, group};
use lychgate_api::{Kind, Object, Objects};
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_feed::Version;
use lychgate_testkit::{Dial, free_addr};
use lychgate_translate::{Options, Translation, translate};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const SERVICES: usize = 50;

/// The objects, and what they mean.
struct World {
    objects: Objects,
    translation: Translation,
    backend: SocketAddr,
}

impl World {
    fn new(routes: usize, listener: SocketAddr, backend: SocketAddr) -> Self {
        let port = listener.port();
        let gateway = json!({
            "metadata": {"name": "front", "namespace": "shop"},
            "spec": {"gatewayClassName": "lychgate", "listeners": [
                {"name": "http", "port": port, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}},
            ]},
        });
        let mut objects = vec![object(Kind::Gateway, gateway)];
        for number in 0..SERVICES {
            let metadata = json!({"name": "app", "namespace": format!("shop-{number}")});
            objects.push(object(Kind::Service, json!({"metadata": metadata, "spec": {"ports": [{"port": 80}]}})));
            objects.push(slice(number, 1, backend));
        }
        objects.extend((0..routes).map(|number| route(number, 1)));
        let objects: Objects = objects.into_iter().collect();
        let translation = translate(&objects, &options(), None);
        assert_eq!(translation.snapshot.routes.len(), routes);
        Self { objects, translation, backend }
    }

    fn change(&mut self, object: Object) {
        self.objects = std::mem::take(&mut self.objects).insert(object);
        self.translation = translate(&self.objects, &options(), Some(&self.translation));
    }

    /// Publishes, and tells how long it takes until that is served.
    async fn publish(&self, control: &Control) -> Duration {
        let Translation { snapshot, endpoints, .. } = &self.translation;
        let begun = Instant::now();
        let version: Version = control.feed.publish(&group(), snapshot, endpoints);
        control.acknowledged("one", |ack| ack.version == version).await;
        begun.elapsed()
    }
}

fn options() -> Options {
    Options { standalone: true, ..Options::default() }
}

fn object(kind: Kind, value: Value) -> Object {
    Object::decode(kind, value).unwrap()
}

/// Two addresses, then one, and so on.
fn slice(number: usize, version: usize, backend: SocketAddr) -> Object {
    let all = ["127.0.0.1", "127.0.0.2"];
    let addresses = all.iter().take(1 + version % 2);
    let endpoints: Vec<Value> = addresses.map(|address| json!({"addresses": [address]})).collect();
    let metadata = json!({"name": "app-1", "namespace": format!("shop-{number}"),
                          "labels": {"kubernetes.io/service-name": "app"}});
    let ports = json!([{"port": backend.port()}]);
    let slice = json!({"metadata": metadata, "addressType": "IPv4", "ports": ports, "endpoints": endpoints});
    object(Kind::EndpointSlice, slice)
}

fn route(number: usize, generation: i64) -> Object {
    let set = json!([{"name": "version", "value": generation.to_string()}]);
    let filters = json!([{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": set}}]);
    let metadata = json!({"name": format!("r{number}"), "namespace": format!("shop-{}", number % SERVICES),
                          "generation": generation});
    let spec = json!({
        "parentRefs": [{"name": "front", "namespace": "shop"}],
        "hostnames": [host(number)],
        "rules": [{"filters": filters, "backendRefs": [{"name": "app", "port": 80}]}],
    });
    object(Kind::HttpRoute, json!({"metadata": metadata, "spec": spec}))
}

fn host(number: usize) -> String {
    format!("r{number}.front.example")
}

struct Gateway(Child);

impl Gateway {
    fn start(program: &str, control: &Control) -> Self {
        let home = control.home.path();
        let child = Command::new(program)
            .args(["--control", &format!("https://{}", control.address), "--admin", "127.0.0.1:0", "--log", "warn"])
            .arg("--token-file")
            .arg(home.join("token"))
            .arg("--trust-bundle")
            .arg(home.join("ca.crt"))
            .arg("--cache")
            .arg(home.join("cache"))
            .env("POD_NAME", "one")
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Once what is free was given back.
    async fn tell(&self, when: &str, home: &Path) {
        tokio::time::sleep(Duration::from_secs(4)).await;
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0.id())).unwrap();
        let kib = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<f64>().unwrap()
        };
        let cache = std::fs::metadata(home.join("cache/config")).map_or(0, |file| file.len());
        let (own, cache) = (kib("Anonymous:") / 1024.0, cache as f64 / 1024.0 / 1024.0);
        println!("{when:<28} {own:>8.1} MiB of its own, {cache:>6.2} MiB in its cache");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ask(at: SocketAddr, routes: impl Iterator<Item = usize>) {
    let mut connection = Dial::http1(at).connect("any.example").await.unwrap();
    for number in routes {
        let reply = connection.get(&format!("http://{}/", host(number))).await.unwrap();
        assert_eq!(reply.status, 200, "route {number}");
    }
}

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!("{what:<28} p50 {:.2} ms, p90 {:.2} ms, of {}", at(50), at(90), times.len());
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let program = args.next().expect("the program to measure");
    let routes = args.next().map_or(5000, |text| text.parse().unwrap());
    let seconds = args.next().map_or(60, |text| text.parse().unwrap());
    // Both addresses that endpoints have.
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let echo = EchoServer::bind(EchoConfig::default().with_http(everywhere)).await.unwrap();
    let backend = echo.local_addr(Port::Http).unwrap();
    let control = Control::start().await;
    let gateway = Gateway::start(&program, &control);
    let at = free_addr();
    let home = control.home.path();
    let mut world = World::new(0, at, backend);
    world.publish(&control).await;
    gateway.tell("without a route", home).await;
    world = World::new(routes, at, backend);
    println!("all routes at once {:.0} ms", world.publish(&control).await.as_secs_f64() * 1e3);
    gateway.tell("with all routes", home).await;
    ask(at, 0..routes).await;
    gateway.tell("each asked once", home).await;
    let (mut of_routes, mut of_endpoints) = (Vec::new(), Vec::new());
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    for turn in 0..seconds * 20 {
        pace.tick().await;
        world.change(route(turn * 7919 % routes, turn as i64 + 2));
        of_routes.push(world.publish(&control).await);
        world.change(slice(turn % SERVICES, turn / SERVICES, world.backend));
        of_endpoints.push(world.publish(&control).await);
        ask(at, (0..5).map(|more| (turn * 5 + more) % routes)).await;
    }
    gateway.tell("after the changes", home).await;
    told("a route, until acknowledged", of_routes);
    told("endpoints, the same", of_endpoints);
}
