//! Connections that the network leads to a gate while they are on their way to somebody else: nftables redirects them, in
//! a network that the test makes.
//!
//! A workload, the gate as its router, and the world behind. The gate passes no packet on, so that what arrives in the world has
//! gone through its listener. Namespaces need root; without, the test says so and ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "redirected/network.rs"]
mod network;

use lychgate_testkit::Authority;
use lychgate_testkit::dns::NameServer;
use network::{API, API_V6, DOCS, GATE, GATE_OUTSIDE, network, redirect};
use std::net::SocketAddr;
use std::path::Path;
use support::netns::inside;
use support::{Ended, Running, is_there, text, until};

/// Set for the part that runs in the gate's namespace: the names of the others.
const NAMESPACES: &str = "LYCHGATE_TEST_NAMESPACES";

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
  infrastructure: {parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: out}}
  listeners:
  - {name: caught, port: 15001, protocol: lychgate.dev/Transparent}
---
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {name: out, namespace: egress}
spec:
  egress:
    default: {mode: Enforce}
    dns: {upstreams: [{protocol: UDP, address: 127.0.0.1, port: DNS_PORT}]}
    inspection: {certificateRef: {name: inspection}, exclude: [api.pay.example]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop}
spec: {serviceAccountName: cart, containers: [{name: cart, image: cart}]}
status: {phase: Running, podIP: 10.77.0.2, podIPs: [{ip: 10.77.0.2}, {ip: 'fd77::2'}]}
---
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}]
  subjects: [{serviceAccount: cart}]
  mode: Enforce
  rules:
  - name: pay
    action: Allow
    to: {hosts: [api.pay.example], within: [192.0.2.0/24, '2001:db8::/32']}
    tls: {mode: Inspect}
  - name: docs
    action: Allow
    to: {hosts: [docs.pay.example], within: [192.0.2.0/24]}
    protocols: [{type: HTTP, http: {methods: [GET]}}]
    tls: {mode: Inspect, caCertificateRefs: [{group: '', kind: ConfigMap, name: world}]}
  - name: the-gate-itself
    action: Allow
    to: {networks: [10.78.0.1/32]}
"#;

/// Origins for the names, with certificates.
fn origins(world: &str, authority: &Authority, dir: &Path) -> Vec<Running> {
    let origin = |name: &str, addresses: &[&str]| {
        let leaf = authority.server(&[name]);
        let (cert, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
        std::fs::write(&cert, leaf.chain_pem()).unwrap();
        std::fs::write(&key, leaf.key_pem()).unwrap();
        let mut command = inside(world, env!("CARGO_BIN_EXE_lychgate"));
        command.args(["echo", "--cert", text(&cert), "--key", text(&key)]);
        for address in addresses {
            command.args(["--http", &format!("{address}:80"), "--https", &format!("{address}:443")]);
        }
        Running::start(command, "echo")
    };
    vec![
        origin("api.pay.example", &[API]),
        origin("api.pay.example", &["[2001:db8::1]"]),
        origin("docs.pay.example", &[DOCS]),
    ]
}

/// The workload.
struct Workload {
    namespace: String,
    /// Whom it believes: the world, and the gate that looks into TLS.
    ca: String,
    /// The gate alone.
    gate_ca: String,
}

impl Workload {
    /// What curl gets: the statuses of all that it asks for, and why it failed, if it did.
    fn curl(&self, arguments: &[&str]) -> Ended {
        let mut command = inside(&self.namespace, "curl");
        command.args([
            "-q",
            "-sS",
            "--max-time",
            "20",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}\n",
            "--cacert",
            &self.ca,
        ]);
        command.args(arguments).output().unwrap().into()
    }

    /// Asks for a page of a name at an address, which it believes the name to be at.
    fn get(&self, scheme: &str, name: &str, address: &str) -> Ended {
        let resolved: Vec<String> = [80, 443].iter().map(|port| format!("{name}:{port}:{address}")).collect();
        self.curl(&["--resolve", &resolved[0], "--resolve", &resolved[1], &format!("{scheme}://{name}/")])
    }
}

fn is_denied_in_tls(ended: &Ended) -> bool {
    // The exit code of a handshake that failed, by the alert that the gate sends.
    ended.code == Some(35) && ended.stderr.contains("access denied")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_redirected_goes_on_where_its_name_leads_there_and_nowhere_else() {
    let Ok(others) = std::env::var(NAMESPACES) else { return in_a_network() };
    let (workload, world) = others.split_once(' ').unwrap();
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new("world");
    let inspection = Authority::new("inspection");
    let (ca, gate_ca) = (dir.path().join("ca.pem"), dir.path().join("gate-ca.pem"));
    std::fs::write(&ca, [authority.pem(), inspection.pem()].concat()).unwrap();
    std::fs::write(&gate_ca, inspection.pem()).unwrap();
    let workload =
        Workload { namespace: workload.to_owned(), ca: text(&ca).to_owned(), gate_ca: text(&gate_ca).to_owned() };
    let _origins = origins(world, &authority, dir.path());
    let dns = NameServer::start().await;
    dns.addresses("api.pay.example", &[API.parse().unwrap(), API_V6.parse().unwrap()]);
    dns.addresses("docs.pay.example", &[DOCS.parse().unwrap()]);
    dns.addresses("evil.example", &[API.parse().unwrap()]);

    // Without the gate there is no way.
    assert_ne!(workload.curl(&["--connect-timeout", "1", &format!("http://{API}/")]).code, Some(0));
    let config = dir.path().join("config");
    std::fs::create_dir(&config).unwrap();
    let written = CONFIG.replace("DNS_PORT", &dns.addr().port().to_string());
    std::fs::write(config.join("gateway.yaml"), written).unwrap();
    std::fs::write(config.join("inspection.yaml"), inspection.secret("egress", "inspection")).unwrap();
    std::fs::write(config.join("world.yaml"), authority.config_map("shop", "world")).unwrap();
    let gateway = Running::gateway(&config, &[]);
    redirect();

    reached(&workload);
    refused(&workload);
    looked_into(&workload);
    leads_to_no_loop(&workload, &gateway);
}

/// Makes the network, and runs the test once more, in the gate's place.
fn in_a_network() {
    for program in ["nft", "curl"] {
        if !is_there(program) {
            eprintln!("skipped: there is no {program}");
            return;
        }
    }
    let Some(namespaces) = network() else { return };
    let [workload, gate, world] = &namespaces.names;
    let own = std::env::current_exe().unwrap();
    let name = "what_is_redirected_goes_on_where_its_name_leads_there_and_nowhere_else";
    let mut again = inside(gate, text(&own));
    again.args(["--exact", name, "--nocapture"]).env(NAMESPACES, format!("{workload} {world}"));
    let ended: Ended = again.output().unwrap().into();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("1 passed"), "{}", ended.stdout);
}

fn reached(workload: &Workload) {
    for (scheme, name, address) in [
        ("https", "api.pay.example", API),
        ("http", "api.pay.example", API),
        ("https", "docs.pay.example", DOCS),
        ("https", "api.pay.example", "[2001:db8::1]"),
        ("http", "api.pay.example", "[2001:db8::1]"),
    ] {
        let ended = workload.get(scheme, name, address);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "200\n"), "{scheme} {name} {address}: {ended:#?}");
    }
}

/// TLS of the one name is looked into, that of the other one never, although its rule would.
fn looked_into(workload: &Workload) {
    let resolve = format!("docs.pay.example:443:{DOCS}");
    let docs = ["--cacert", &workload.gate_ca, "--resolve", &resolve, "https://docs.pay.example/"];
    assert_eq!(workload.curl(&docs).stdout, "200\n");
    assert_eq!(workload.curl(&[&["-d", "x"][..], &docs].concat()).stdout, "403\n");
    let resolve = format!("api.pay.example:443:{API}");
    let api = workload.curl(&["--cacert", &workload.gate_ca, "--resolve", &resolve, "https://api.pay.example/"]);
    assert_eq!(api.code, Some(60), "it is not the gate's certificate: {api:#?}");
}

fn refused(workload: &Workload) {
    // Names that are allowed, or lead there, but not both.
    for (name, address) in [("docs.pay.example", API), ("api.pay.example", DOCS), ("evil.example", API)] {
        let ended = workload.get("https", name, address);
        assert!(is_denied_in_tls(&ended), "{name} {address}: {ended:#?}");
        let ended = workload.get("http", name, address);
        assert_eq!(ended.stdout, "403\n", "{name} {address}: {ended:#?}");
    }
    // By address alone, TLS has no server name, and Host is no name.
    let ended = workload.curl(&["--insecure", &format!("https://{API}/")]);
    assert!(is_denied_in_tls(&ended), "{ended:#?}");
    assert_eq!(workload.curl(&[&format!("http://{API}/")]).stdout, "403\n");
    assert_eq!(workload.curl(&[&format!("http://[{API_V6}]/")]).stdout, "403\n");
    // Another Host, after one that is allowed, over the same connection.
    let (resolve, url) = (format!("api.pay.example:80:{API}"), "http://api.pay.example/");
    let other =
        ["-o", "/dev/null", "-H", "Host: evil.example", "--resolve", &resolve, "-w", "%{http_code} %{num_connects}\n"];
    let ended = workload.curl(&[&["--resolve", &resolve, url, "--next", "-sS"][..], &other, &[url]].concat());
    assert_eq!(ended.stdout, "200\n403 0\n", "{ended:#?}");
}

/// The listener itself is nowhere to go, directly, and by a rule that allows an address of the gate.
fn leads_to_no_loop(workload: &Workload, gateway: &Running) {
    let not_redirected = |count: u32| {
        let line = format!(r#"lychgate_refused_total{{reason="egress_not_redirected"}} {count}"#);
        until(&line, || gateway.ask("/metrics").1.lines().any(|found| found == line));
    };
    let ended = workload.curl(&[&format!("http://{GATE}:15001/")]);
    // Closed: what curl said may have come before or after.
    assert!(matches!(ended.code, Some(52 | 56)) && ended.stdout == "000\n", "{ended:#?}");
    not_redirected(1);
    let ended = workload.curl(&[&format!("http://{GATE_OUTSIDE}:15001/")]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "502\n"), "{ended:#?}");
    not_redirected(2);
    let admin: SocketAddr = gateway.admin();
    let ended = workload.curl(&[&format!("http://{GATE}:{}/metrics", admin.port())]);
    assert_eq!(ended.stdout, "403\n", "{ended:#?}");
}
