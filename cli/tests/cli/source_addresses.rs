//! Two replicas with one configuration, each with an address of its own in a second network, from which they leave.
//!
//! The world, and a gate on either side of it. Namespaces need root; without, the test says so and ends.

use crate::support::netns::{Namespaces, inside, ip};
use crate::support::{Ended, Running, dir, is_there, text};

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
  addresses: [{value: 127.0.0.1}]
  infrastructure: {parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: out}}
  listeners:
  - {name: proxy, port: 3128, protocol: lychgate.dev/Proxy}
---
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {name: out, namespace: egress}
spec:
  egress: {default: {mode: Enforce}}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop}
spec: {serviceAccountName: cart, containers: [{name: cart, image: cart}]}
status: {phase: Running, podIP: 127.0.0.2, podIPs: [{ip: 127.0.0.2}]}
---
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}]
  subjects: [{serviceAccount: cart}]
  rules:
  - action: Allow
    to: {networks: [192.0.2.1/32, '2001:db8::1/128']}
    sourceAddresses: [203.0.113.0/24, 'fd79::/64']
"#;

/// The gates and the world. What the gates have on their wires is no address of the rule.
fn network() -> Option<Namespaces<3>> {
    let namespaces = Namespaces::new()?;
    let [one, other, world] = &namespaces.names;
    for (gate, number) in [(one, 1), (other, 2)] {
        for line in [
            format!("-n {gate} link add wire type veth peer name to{number} netns {world}"),
            format!("-n {gate} addr add 10.8{number}.0.2/24 dev wire"),
            format!("-n {gate} addr add fd8{number}::2/64 dev wire nodad"),
            format!("-n {gate} addr add 203.0.113.{number}/32 dev lo"),
            format!("-n {gate} addr add fd79::{number}/128 dev lo nodad"),
            format!("-n {world} addr add 10.8{number}.0.1/24 dev to{number}"),
            format!("-n {world} addr add fd8{number}::1/64 dev to{number} nodad"),
            format!("-n {gate} link set lo up"),
            format!("-n {gate} link set wire up"),
            format!("-n {world} link set to{number} up"),
            format!("-n {gate} route add default via 10.8{number}.0.1"),
            format!("-n {gate} -6 route add default via fd8{number}::1"),
            format!("-n {world} route add 203.0.113.{number}/32 via 10.8{number}.0.2"),
            format!("-n {world} -6 route add fd79::{number}/128 via fd8{number}::2"),
        ] {
            ip(&line);
        }
    }
    ip(&format!("-n {world} addr add 192.0.2.1/32 dev lo"));
    ip(&format!("-n {world} addr add 2001:db8::1/128 dev lo nodad"));
    ip(&format!("-n {world} link set lo up"));
    Some(namespaces)
}

/// What a workload beside the gate gets: the status, and whom the destination saw.
fn get(gate: &str, destination: &str) -> (String, Option<String>) {
    let mut curl = inside(gate, "curl");
    curl.args(["-q", "-sS", "--max-time", "20", "--interface", "127.0.0.2", "-w", "\n%{http_code}"]);
    curl.args(["-x", "http://127.0.0.1:3128", &format!("http://{destination}/")]);
    let ended: Ended = curl.output().unwrap().into();
    let (body, status) = ended.stdout.rsplit_once('\n').unwrap();
    let client = body.split_once(r#""client": ""#).and_then(|(_, rest)| Some(rest.split_once('"')?.0));
    let client = client.and_then(|client| Some(client.rsplit_once(':')?.0.to_owned()));
    (status.to_owned(), client)
}

#[test]
fn replicas_leave_from_the_address_that_each_has_and_from_no_other() {
    if !is_there("curl") {
        eprintln!("skipped: there is no curl");
        return;
    }
    let Some(namespaces) = network() else { return };
    let [one, other, world] = &namespaces.names;
    let mut echo = inside(world, env!("CARGO_BIN_EXE_lychgate"));
    echo.args(["echo", "--http", "192.0.2.1:80", "--http", "[2001:db8::1]:80"]);
    let _origin = Running::start(echo, "echo");
    let config = dir(&[("gateway.yaml", CONFIG)]);
    let gates = [one, other].map(|gate| {
        let mut command = inside(gate, env!("CARGO_BIN_EXE_lychgate"));
        command.args(["run", "--admin", "127.0.0.1:0", "--config", text(config.path())]);
        Running::start(command, "/livez")
    });
    let seen = |gate: &str, destination: &str, client: Option<&str>| {
        let status = if client.is_some() { "200" } else { "503" };
        let got = get(gate, destination);
        assert_eq!((got.0.as_str(), got.1.as_deref()), (status, client), "{destination}");
    };
    seen(one, "192.0.2.1", Some("203.0.113.1"));
    seen(other, "192.0.2.1", Some("203.0.113.2"));
    seen(one, "[2001:db8::1]", Some("[fd79::1]"));
    seen(other, "[2001:db8::1]", Some("[fd79::2]"));
    // It loses it: what would leave from elsewhere does not leave. The other one, and the other family, are as they were.
    ip(&format!("-n {one} addr del 203.0.113.1/32 dev lo"));
    seen(one, "192.0.2.1", None);
    seen(one, "[2001:db8::1]", Some("[fd79::1]"));
    seen(other, "192.0.2.1", Some("203.0.113.2"));
    // Another one is as good.
    ip(&format!("-n {one} addr add 203.0.113.9/32 dev lo"));
    ip(&format!("-n {world} route add 203.0.113.9/32 via 10.81.0.2"));
    seen(one, "192.0.2.1", Some("203.0.113.9"));
    let [gate, _other] = gates;
    let log = gate.end();
    assert!(log.stdout.contains("egress_source_address") || log.stderr.contains("egress_source_address"), "{log:#?}");
}
