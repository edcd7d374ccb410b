//! A workload whose only way out is an egress Gateway, told of as a proxy and as a resolver.

use crate::network::{API, DOCS, GATE, network};
use crate::support::netns::{inside, ip};
use crate::support::{Ended, Running, text, until};
use crate::verified;
use lychgate_testkit::Authority;
use lychgate_testkit::dns::NameServer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Set for the part that runs in the gate's namespace: the names of the others.
const NAMESPACES: &str = "LYCHGATE_TEST_NAMESPACES";
/// The name of the test, as the test binary knows it.
const OWN: &str = "gate::where_a_gate_is_the_only_way_out_its_policies_are_what_gets_through";
const METADATA: &str = "169.254.169.254";

const CONFIG: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: egress}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: out, namespace: egress}
spec:
  gatewayClassName: lychgate-egress
  addresses: [{value: 10.77.0.1}]
  infrastructure: {parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: out}}
  listeners:
  - {name: proxy, port: 3128, protocol: lychgate.dev/Proxy}
  - {name: dns, port: 53, protocol: lychgate.dev/DNS}
---
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {name: out, namespace: egress}
spec:
  egress:
    default: {mode: Enforce}
    dns: {upstreams: [{protocol: UDP, address: 127.0.0.1, port: DNS_PORT}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop}
spec: {serviceAccountName: cart, containers: [{name: cart, image: cart}]}
status: {phase: Running, podIP: 10.77.0.2, podIPs: [{ip: 10.77.0.2}]}
"#;

/// What the workload may reach, and nothing else.
const NARROW: &str = r#"
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}]
  subjects: [{serviceAccount: cart}]
  rules:
  - name: pay
    action: Allow
    to: {hosts: [api.pay.example], within: [192.0.2.1/32]}
"#;

/// What somebody writes who wants it to work at last.
const WIDE: &str = r#"
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}]
  subjects: [{serviceAccount: cart}]
  rules:
  - name: any-name
    action: Allow
    to: {hosts: ['**'], within: [192.0.2.0/24, 169.254.169.254/32]}
    exceptions: [OtherSNI, UnverifiedName]
  - name: any-address
    action: Allow
    to: {networks: [192.0.2.0/24, 169.254.169.254/32]}
"#;

/// The workload, as `verify` is run in it.
struct Workload<'a> {
    namespace: &'a str,
}

impl Workload<'_> {
    fn verify(&self) -> (Option<i32>, BTreeMap<String, String>) {
        let mut command = inside(self.namespace, env!("CARGO_BIN_EXE_lychgate"));
        let (proxy, resolver) = (format!("http://{GATE}:3128"), format!("{GATE}:53"));
        command.args(["egress", "verify", "-o", "json", "--patience", "1500", "--proxy", &proxy]);
        command.args(["--allowed", "api.pay.example", "--resolver", &resolver, "--target", DOCS]);
        command.args(["--target-v6", "2001:db8::1", "--metadata", METADATA, "--metadata-name", "rebound.example"]);
        verified(command)
    }
}

/// The directory that the gate serves.
struct Config(PathBuf);

impl Config {
    fn new(dir: &Path, dns: u16) -> Self {
        let config = Self(dir.join("config"));
        std::fs::create_dir(&config.0).unwrap();
        std::fs::write(config.0.join("gateway.yaml"), CONFIG.replace("DNS_PORT", &dns.to_string())).unwrap();
        config.allows(NARROW);
        config
    }

    fn allows(&self, policy: &str) {
        // Whole at once, because the gate may read at any moment.
        let (new, there) = (self.0.with_extension("new"), self.0.join("policy.yaml"));
        std::fs::write(&new, policy).unwrap();
        std::fs::rename(new, there).unwrap();
    }
}

/// The host that may be reached, the one that may not, and the metadata service.
fn world(namespace: &str, dir: &Path) -> Vec<Running> {
    let authority = Authority::new("world");
    let leaf = authority.server(&["api.pay.example", "www.example.net"]);
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&cert, leaf.chain_pem()).unwrap();
    std::fs::write(&key, leaf.key_pem()).unwrap();
    let origin = |args: &[String]| {
        let mut command = inside(namespace, env!("CARGO_BIN_EXE_lychgate"));
        command.args(["echo", "--cert", text(&cert), "--key", text(&key)]).args(args);
        Running::start(command, "echo")
    };
    let at = |address: &str, port: u16| format!("{address}:{port}");
    let args = |args: &[(&str, String)]| -> Vec<String> {
        args.iter().flat_map(|(flag, value)| [(*flag).to_owned(), value.clone()]).collect()
    };
    vec![
        origin(&args(&[("--http", at(API, 80)), ("--https", at(API, 443))])),
        origin(&args(&[
            ("--http", at(DOCS, 80)),
            ("--http", at(DOCS, 8080)),
            ("--http", at(METADATA, 80)),
            ("--https", at(DOCS, 443)),
            // Whatever answers datagrams there, as QUIC would.
            ("--udp", at(DOCS, 443)),
        ])),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_gate_is_the_only_way_out_its_policies_are_what_gets_through() {
    let Ok(others) = std::env::var(NAMESPACES) else { return in_a_network() };
    let (workload, world_name) = others.split_once(' ').unwrap();
    // A router by default or not, as this host is: the gate passes no packet on.
    forwards(false);
    let dir = tempfile::tempdir().unwrap();
    let _world = world(world_name, dir.path());
    let dns = NameServer::start().await;
    dns.addresses("api.pay.example", &[API.parse().unwrap()]);
    dns.addresses("www.example.net", &[DOCS.parse().unwrap()]);
    dns.addresses("rebound.example", &[METADATA.parse().unwrap()]);
    let config = Config::new(dir.path(), dns.addr().port());
    let gateway = Running::gateway(&config.0, &["--poll", "50"]);
    let workload = Workload { namespace: workload };

    nothing_gets_through(&workload);
    assert!(!dns.asked().iter().any(|asked| asked.contains("www.example.net")), "{:?}", dns.asked());
    config.allows(WIDE);
    until("the wide policy is served", || gateway.ask("/config").1.contains("any-address"));
    a_policy_that_is_too_wide_is_told(&workload);
    config.allows(NARROW);
    until("the narrow policy is served", || !gateway.ask("/config").1.contains("any-address"));
    ip(&format!("-n {world_name} route add 10.77.0.0/24 via 10.78.0.1"));
    forwards(true);
    what_a_router_lets_pass_is_told(&workload);
}

/// Makes the network, and runs the test once more, in the gate's place.
fn in_a_network() {
    let Some(namespaces) = network() else { return };
    let [workload, gate, world] = &namespaces.names;
    ip(&format!("-n {world} addr add {METADATA}/32 dev lo"));
    let own = std::env::current_exe().unwrap();
    let mut again = inside(gate, text(&own));
    again.args(["--exact", OWN, "--nocapture"]).env(NAMESPACES, format!("{workload} {world}"));
    let ended: Ended = again.output().unwrap().into();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("1 passed"), "{}", ended.stdout);
}

/// Whether the namespace that this runs in is a router.
fn forwards(is_router: bool) {
    std::fs::write("/proc/sys/net/ipv4/ip_forward", if is_router { "1" } else { "0" }).unwrap();
}

fn nothing_gets_through(workload: &Workload<'_>) {
    let (code, found) = workload.verify();
    assert_eq!(code, Some(0), "{found:#?}");
    // All of it was tried, and what may be reached was.
    for (name, word) in &found {
        let expected = if name.starts_with("allowed host") { "reached" } else { "stopped" };
        assert_eq!(word, expected, "{name}: {found:#?}");
    }
}

/// What the gate lets through, by what `verify` calls it. None of it is beyond the gate's power to stop.
const BY_THE_GATE: [&str; 9] = [
    "own DNS: www.example.net from 10.77.0.1:53",
    "metadata name: rebound.example from 10.77.0.1:53",
    "CONNECT address: 192.0.2.2:443",
    "CONNECT name: www.example.net:443",
    "SOCKS5 name: www.example.net:443",
    "metadata: GET http://169.254.169.254:80/ from the proxy",
    "metadata name: GET http://rebound.example/ from the proxy",
    "claimed SNI: CONNECT 192.0.2.2:443, then TLS for api.pay.example",
    "other SNI: CONNECT api.pay.example:443, then TLS for www.example.net",
];

fn a_policy_that_is_too_wide_is_told(workload: &Workload<'_>) {
    let (code, found) = workload.verify();
    assert_eq!(code, Some(1), "{found:#?}");
    for (name, word) in &found {
        let expected = match name.as_str() {
            name if name.starts_with("allowed host") => "reached",
            name if BY_THE_GATE.contains(&name) => "THROUGH",
            // Past the gate there is no way, and a name that carries data is refused whatever policies say.
            _ => "stopped",
        };
        assert_eq!(word, expected, "{name}: {found:#?}");
    }
    for name in BY_THE_GATE {
        assert!(found.contains_key(name), "{name} was not tried: {found:#?}");
    }
}

/// A gate that routes as well is no way out but one of two: what goes past it, datagrams among it, is told.
fn what_a_router_lets_pass_is_told(workload: &Workload<'_>) {
    let (code, found) = workload.verify();
    assert_eq!(code, Some(1), "{found:#?}");
    for name in [
        "address: TLS to 192.0.2.2:443",
        "other port: HTTP to 192.0.2.2:8080",
        "QUIC: datagrams to 192.0.2.2:443",
        "metadata: HTTP to 169.254.169.254:80",
        "other SNI: TLS for www.example.net to api.pay.example",
    ] {
        assert_eq!(found.get(name).map(String::as_str), Some("THROUGH"), "{name}: {found:#?}");
    }
    for name in BY_THE_GATE {
        assert_eq!(found[name], "stopped", "{name}: {found:#?}");
    }
}
