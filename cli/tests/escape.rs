//! `lychgate egress verify` from inside a network of its own: one that lets everything out, one that lets nothing, and one
//! whose only way out is a gate.
//!
//! Namespaces need root; without, the tests say so and end. The targets are addresses inside of them: nobody else is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "escape/gate.rs"]
mod gate;
#[path = "redirected/network.rs"]
#[allow(dead_code, reason = "nothing is redirected here")]
mod network;

use lychgate_testkit::Authority;
use std::collections::BTreeMap;
use std::process::Command;
use support::netns::{Namespaces, inside, ip};
use support::{Ended, Running, lychgate, text};

/// Where the world is, as the workload sees it.
const WORLD: &str = "192.0.2.1";
const WORLD_V6: &str = "2001:db8::1";
const METADATA: &str = "169.254.169.254";

/// Two namespaces with a wire between them: a workload, and the world.
struct Net {
    namespaces: Namespaces<2>,
}

impl Net {
    /// `None` where this may not be made.
    fn new() -> Option<Self> {
        let net = Self { namespaces: Namespaces::new()? };
        let [workload, world] = &net.namespaces.names;
        for line in [
            format!("-n {workload} link add wire0 type veth peer name wire1 netns {world}"),
            format!("-n {workload} addr add 10.77.0.2/24 dev wire0"),
            format!("-n {workload} addr add fd77::2/64 dev wire0 nodad"),
            format!("-n {world} addr add 10.77.0.1/24 dev wire1"),
            format!("-n {world} addr add fd77::1/64 dev wire1 nodad"),
            format!("-n {world} addr add {WORLD}/32 dev lo"),
            format!("-n {world} addr add {METADATA}/32 dev lo"),
            format!("-n {world} addr add {WORLD_V6}/128 dev lo nodad"),
            format!("-n {world} link set lo up"),
            format!("-n {world} link set wire1 up"),
            format!("-n {workload} link set lo up"),
            format!("-n {workload} link set wire0 up"),
            format!("-n {workload} route add default via 10.77.0.1"),
            format!("-n {workload} -6 route add default via fd77::1"),
        ] {
            ip(&line);
        }
        Some(net)
    }

    /// Nothing leaves any more but to the other end of the wire.
    fn close(&self) {
        let [workload, _] = &self.namespaces.names;
        ip(&format!("-n {workload} route replace prohibit default"));
        ip(&format!("-n {workload} -6 route del default"));
        ip(&format!("-n {workload} -6 route add prohibit default"));
    }

    /// The command, in one of the namespaces.
    fn inside(namespace: &str, args: &[&str]) -> Command {
        let mut command = inside(namespace, env!("CARGO_BIN_EXE_lychgate"));
        command.args(args);
        command
    }

    fn verify(&self, more: &[&str]) -> (Option<i32>, BTreeMap<String, String>) {
        let resolver = format!("{WORLD}:53");
        let args = [
            &["egress", "verify", "-o", "json", "--patience", "1500", "--target", WORLD, "--target-v6", WORLD_V6][..],
            &["--metadata", METADATA, "--resolver", &resolver],
            more,
        ]
        .concat();
        let [workload, _] = &self.namespaces.names;
        verified(Self::inside(workload, &args))
    }
}

/// Runs `lychgate egress verify -o json`: how it ended, and what it found for each attempt.
fn verified(mut command: Command) -> (Option<i32>, BTreeMap<String, String>) {
    let ended: Ended = command.output().unwrap().into();
    let found: serde_json::Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"));
    let found = found.as_array().unwrap().iter().map(|one| {
        let name = format!("{}: {}", one["attempt"].as_str().unwrap(), one["to"].as_str().unwrap());
        (name, one["found"].as_str().unwrap().to_owned())
    });
    (ended.code, found.collect())
}

/// Servers of the world: TLS, HTTP, something that answers datagrams, and something that answers whatever is said on TCP.
fn world(net: &Net, dir: &std::path::Path) -> Vec<Running> {
    let leaf = Authority::new("world").server(&["www.example.net"]);
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&cert, leaf.chain_pem()).unwrap();
    std::fs::write(&key, leaf.key_pem()).unwrap();
    let tls = ["--cert", text(&cert), "--key", text(&key)];
    let at = |address: &str, port: u16| format!("{address}:{port}");
    let (http, other, https) = (at(WORLD, 80), at(WORLD, 8080), at(WORLD, 443));
    let v6 = at(&format!("[{WORLD_V6}]"), 443);
    let (metadata, dns, v6_http) = (at(METADATA, 80), at(WORLD, 53), at(&format!("[{WORLD_V6}]"), 80));
    let v4: Vec<&str> = [
        &["echo", "--http", &http, "--http", &other, "--http", &metadata, "--https", &https][..],
        &["--udp", &https, "--tcp", &dns],
        &tls,
    ]
    .concat();
    let v6: Vec<&str> = [&["echo", "--http", &v6_http, "--https", &v6, "--udp", &v6][..], &tls].concat();
    let names: Vec<&str> = vec!["echo", "--http", "127.0.0.1:3999", "--udp", &dns];
    let [_, world] = &net.namespaces.names;
    [v4, v6, names].iter().map(|args| Running::start(Net::inside(world, args), "echo")).collect()
}

#[test]
fn an_open_network_is_told_attempt_by_attempt_and_a_closed_one_lets_nothing_through() {
    let Some(net) = Net::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let _world = world(&net, dir.path());
    let (code, found) = net.verify(&[]);
    assert_eq!(code, Some(1), "{found:#?}");
    for name in [
        "address: TLS to 192.0.2.1:443",
        "address: HTTP to 192.0.2.1:80",
        "other port: HTTP to 192.0.2.1:8080",
        "IPv6: TLS to [2001:db8::1]:443",
        "QUIC: datagrams to 192.0.2.1:443",
        "QUIC: datagrams to [2001:db8::1]:443",
        "metadata: HTTP to 169.254.169.254:80",
        "other DNS: datagram to 192.0.2.1:53",
        "other DNS: TCP to 192.0.2.1:53",
        "own DNS: www.example.net from 192.0.2.1:53",
    ] {
        assert_eq!(found.get(name).map(String::as_str), Some("THROUGH"), "{name}: {found:#?}");
    }
    let tunnel = found.iter().find(|(name, _)| name.starts_with("DNS tunnel")).unwrap();
    assert_eq!(tunnel.1, "THROUGH");
    // Nobody listens there, and what was not asked for is said not to be tried.
    assert_eq!(found["other DNS: TLS to 192.0.2.1:853"], "stopped");
    assert_eq!(found["allowed host: TLS"], "skipped");

    net.close();
    let (code, found) = net.verify(&[]);
    assert_eq!(code, Some(0), "{found:#?}");
    assert!(found.values().all(|found| found == "stopped" || found == "skipped"), "{found:#?}");
    // A network that lets nothing out looks the same: so the host that may be reached has to be.
    let (code, found) = net.verify(&["--allowed", "www.example.net"]);
    assert_eq!(code, Some(1));
    assert_eq!(found["allowed host: www.example.net:443"], "NOT THERE");
}

/// What the text looks like, where nothing needs a namespace.
#[test]
fn a_table_says_what_was_tried() {
    let loopback = ["--target", "127.0.0.1", "--target-v6", "::1", "--metadata", "127.0.0.1", "--port", "1"];
    let resolver = ["--resolver", "127.0.0.1:1", "--patience", "300"];
    let ended: Ended = lychgate(&[&["egress", "verify"][..], &loopback, &resolver].concat()).output().unwrap().into();
    assert!(ended.stdout.contains("other port"), "{ended:#?}");
    assert!(ended.stdout.contains("stopped   other port"), "{ended:#?}");
}
