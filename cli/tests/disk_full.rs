//! A gate whose audit log is on a disk that fills up, and has room again: a small file system of its own stands for it.
//!
//! Mounting needs root; without, the tests say so and end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lychgate_testkit::dns::hickory_proto::op::{Message, ResponseCode};
use lychgate_testkit::dns::hickory_proto::rr::RecordType;
use lychgate_testkit::dns::{NameServer, addresses_in, ask, extended_error, question};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Ended, PATIENCE, Running, free_ports, lychgate, run, text, until};

/// A file system of 256 KiB.
struct Disk {
    home: tempfile::TempDir,
}

impl Disk {
    /// `None`, and a line that says why, where it may not be made.
    fn new() -> Option<Self> {
        let disk = Self { home: tempfile::tempdir().unwrap() };
        std::fs::create_dir(disk.path()).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k", "lychgate-test"]).arg(disk.path());
        if mount.output().is_ok_and(|mounted| mounted.status.success()) {
            return Some(disk);
        }
        eprintln!("skipped: nothing can be mounted here; root is needed");
        None
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    fn audit(&self) -> PathBuf {
        self.path().join("audit")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = File::create(self.path().join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).output();
    }
}

const CONFIG: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: egress}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: out, namespace: egress}
spec:
  gatewayClassName: lychgate-egress
  addresses: [{value: 127.0.0.1}]
  infrastructure: {parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: out}}
  listeners:
  - {name: proxy, port: PROXY_PORT, protocol: lychgate.dev/Proxy}
  - {name: dns, port: DNS_PORT, protocol: lychgate.dev/DNS}
---
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {name: out, namespace: egress}
spec:
  egress:
    default: {mode: Enforce}
    dns: {upstreams: [{protocol: UDP, address: 127.0.0.1, port: UPSTREAM_PORT}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: egress}
spec: {serviceAccountName: cart, containers: [{name: cart, image: cart}]}
status: {phase: Running, podIP: 127.0.0.1, podIPs: [{ip: 127.0.0.1}]}
---
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: cart, namespace: egress}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}]
  subjects: [{serviceAccount: cart}]
  rules:
  - action: Allow
    to: {hosts: ['*.example'], within: [127.0.0.0/8]}
"#;

/// A gate with its log on the disk, an origin, and the resolver that it asks.
struct World {
    gateway: Running,
    _origin: Running,
    dns: NameServer,
    proxy: SocketAddr,
    resolver: SocketAddr,
    /// Of the origin: HTTP, and what comes back as it went.
    http: u16,
    tcp: u16,
    _config: tempfile::TempDir,
}

impl World {
    async fn new(disk: &Disk, more: &[&str]) -> Self {
        let [http, tcp, proxy, resolver] = free_ports();
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let dns = NameServer::start().await;
        for name in ["api.example", "fresh.example", "late.example"] {
            dns.addresses(name, &["127.0.0.1".parse().unwrap()]);
        }
        let config = CONFIG
            .replace("PROXY_PORT", &proxy.to_string())
            .replace("DNS_PORT", &resolver.to_string())
            .replace("UPSTREAM_PORT", &dns.addr().port().to_string());
        let dir = support::dir(&[("gateway.yaml", &config)]);
        let origin = lychgate(&["echo", "--http", &at(http).to_string(), "--tcp", &at(tcp).to_string()]);
        let origin = Running::start(origin, "echo");
        let audit = disk.audit();
        let gateway = Running::gateway(dir.path(), &[&["--audit-dir", text(&audit)][..], more].concat());
        until("the gate listens", || TcpStream::connect(at(proxy)).is_ok());
        Self { gateway, _origin: origin, dns, proxy: at(proxy), resolver: at(resolver), http, tcp, _config: dir }
    }

    /// What the proxy says to the head of a request, and the connection.
    fn asked(&self, head: &str) -> (String, TcpStream) {
        let mut stream = TcpStream::connect(self.proxy).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            answer.push(byte[0]);
        }
        (String::from_utf8(answer).unwrap(), stream)
    }

    fn get(&self) -> (String, String) {
        let host = format!("api.example:{}", self.http);
        let head = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let (head, mut stream) = self.asked(&head);
        let mut body = String::new();
        stream.read_to_string(&mut body).unwrap();
        (status(&head), body)
    }

    fn tunnel(&self) -> (String, TcpStream) {
        let host = format!("api.example:{}", self.tcp);
        let (head, stream) = self.asked(&format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        (status(&head), stream)
    }

    /// The reply of SOCKS5.
    fn socks(&self) -> u8 {
        let mut stream = TcpStream::connect(self.proxy).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[5, 1, 0]).unwrap();
        let mut chosen = [0; 2];
        stream.read_exact(&mut chosen).unwrap();
        assert_eq!(chosen, [5, 0]);
        let name = b"api.example";
        let request = [&[5, 1, 0, 3, u8::try_from(name.len()).unwrap()][..], name, &self.tcp.to_be_bytes()].concat();
        stream.write_all(&request).unwrap();
        let mut reply = [0; 4];
        stream.read_exact(&mut reply).unwrap();
        reply[1]
    }

    async fn question(&self, name: &str) -> Message {
        ask(self.resolver, &question(name, RecordType::A)).await
    }

    /// The value of a metric.
    fn metric(&self, series: &str) -> u64 {
        let (_, metrics) = self.gateway.ask("/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned));
        line.map_or(0, |value| value.parse().unwrap())
    }

    fn dropped(&self) -> u64 {
        self.metric(r#"lychgate_audit_records_total{result="dropped"}"#)
    }
}

fn status(head: &str) -> String {
    head.split_whitespace().nth(1).unwrap_or("none").to_owned()
}

/// Bytes go through a tunnel and come back. They must not look like HTTP that is still to come.
fn carries(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
    let mut back = vec![0; bytes.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, bytes);
}

/// What `lychgate audit verify` says of the log.
fn verified(dir: &Path) -> String {
    let Ended { code, stdout, stderr } = run(&["audit", "verify", text(dir)]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_be_recorded_does_not_leave_until_there_is_room_again() {
    let Some(disk) = Disk::new() else { return };
    let world = World::new(&disk, &["--audit-required"]).await;
    assert_eq!(world.get().0, "200");
    let (opened, mut tunnel) = world.tunnel();
    assert_eq!((opened.as_str(), world.socks()), ("200", 0));
    assert!(!addresses_in(&world.question("api.example").await).is_empty());
    carries(&mut tunnel, b"\0before");

    disk.fill();
    // A little fits where some room was taken before.
    let begun = std::time::Instant::now();
    while world.get().0 == "200" {
        assert!(begun.elapsed() < PATIENCE, "the disk is never full");
    }
    let (refused, said) = world.get();
    assert_eq!(refused, "503", "{said}");
    assert!(said.contains("(egress_unrecorded): nothing may leave that cannot be recorded"), "{said}");
    assert_eq!(world.tunnel().0, "503");
    assert_eq!(world.socks(), 1, "general failure");
    let reply = world.question("fresh.example").await;
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(extended_error(&reply), Some((0, "nothing may leave that cannot be recorded".to_owned())));
    assert!(!world.dns.asked().iter().any(|asked| asked.contains("fresh")), "{:?}", world.dns.asked());
    assert!(world.metric(r#"lychgate_refused_total{reason="egress_unrecorded"}"#) >= 4);
    assert_eq!(world.metric(r#"lychgate_egress_questions_total{gateway="egress/out",outcome="unrecorded"}"#), 1);
    until("it is told that the log fails", || world.metric("lychgate_audit_failing") == 1);
    // What was recorded when it began goes on; that its end is missing is told below.
    carries(&mut tunnel, b"\0meanwhile");
    drop(tunnel);
    until("its end finds no room", || world.dropped() > 0);

    disk.free();
    until("there is room again, and nobody had to ask", || world.metric("lychgate_audit_failing") == 0);
    assert_eq!((world.get().0, world.tunnel().0, world.socks()), ("200".to_owned(), "200".to_owned(), 0));
    assert!(!addresses_in(&world.question("late.example").await).is_empty());
    let World { gateway, .. } = world;
    assert_eq!(gateway.end().code, Some(0));
    let said = verified(&disk.audit());
    assert!(said.starts_with("whole: ") && said.contains("records were dropped"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_need_not_be_recorded_leaves_and_what_is_missing_is_told_to_the_number() {
    let Some(disk) = Disk::new() else { return };
    let world = World::new(&disk, &[]).await;
    assert_eq!(world.get().0, "200");
    disk.fill();
    until("there is no room any more", || {
        assert_eq!(world.get().0, "200");
        world.dropped() > 0
    });
    let (opened, mut tunnel) = world.tunnel();
    assert_eq!((opened.as_str(), world.socks()), ("200", 0));
    carries(&mut tunnel, b"\0meanwhile");
    assert!(!addresses_in(&world.question("fresh.example").await).is_empty());
    drop(tunnel);
    assert_eq!(world.metric(r#"lychgate_refused_total{reason="egress_unrecorded"}"#), 0);

    disk.free();
    until("there is room again", || world.metric("lychgate_audit_failing") == 0);
    assert_eq!(world.get().0, "200");
    let dropped = world.dropped();
    assert!(dropped > 0);
    let World { gateway, .. } = world;
    assert_eq!(gateway.end().code, Some(0));
    let said = verified(&disk.audit());
    assert!(said.starts_with("whole: ") && said.contains(&format!("\n{dropped} records were dropped")), "{said}");
}
