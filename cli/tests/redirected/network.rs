//! A workload, the gate as its router, and the world behind.

use crate::support::netns::{Namespaces, ip};
use std::io::Write;
use std::process::{Command, Stdio};

/// Where `api.pay.example` is, and where `docs.pay.example` is.
pub(crate) const API: &str = "192.0.2.1";
pub(crate) const DOCS: &str = "192.0.2.2";
pub(crate) const API_V6: &str = "2001:db8::1";
/// The gate, as the workload and as the world see it.
pub(crate) const GATE: &str = "10.77.0.1";
pub(crate) const GATE_OUTSIDE: &str = "10.78.0.1";

/// All that comes from the workload, wherever it is going.
const REDIRECTION: &str = r#"
table inet lychgate {
  chain caught {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "inside" meta l4proto tcp redirect to :15001
  }
}
"#;

/// The world, the gate and the workload, with wires between them.
pub(crate) fn network() -> Option<Namespaces<3>> {
    let namespaces = Namespaces::new()?;
    let [workload, gate, world] = &namespaces.names;
    for line in [
        format!("-n {workload} link add wire type veth peer name inside netns {gate}"),
        format!("-n {world} link add wire type veth peer name outside netns {gate}"),
        format!("-n {workload} addr add 10.77.0.2/24 dev wire"),
        format!("-n {workload} addr add fd77::2/64 dev wire nodad"),
        format!("-n {gate} addr add {GATE}/24 dev inside"),
        format!("-n {gate} addr add fd77::1/64 dev inside nodad"),
        format!("-n {gate} addr add {GATE_OUTSIDE}/24 dev outside"),
        format!("-n {gate} addr add fd78::1/64 dev outside nodad"),
        format!("-n {world} addr add 10.78.0.2/24 dev wire"),
        format!("-n {world} addr add fd78::2/64 dev wire nodad"),
        format!("-n {world} addr add {API}/32 dev lo"),
        format!("-n {world} addr add {DOCS}/32 dev lo"),
        format!("-n {world} addr add {API_V6}/128 dev lo nodad"),
        format!("-n {workload} link set lo up"),
        format!("-n {workload} link set wire up"),
        format!("-n {gate} link set lo up"),
        format!("-n {gate} link set inside up"),
        format!("-n {gate} link set outside up"),
        format!("-n {world} link set lo up"),
        format!("-n {world} link set wire up"),
        format!("-n {workload} route add default via {GATE}"),
        format!("-n {workload} -6 route add default via fd77::1"),
        format!("-n {gate} route add default via 10.78.0.2"),
        format!("-n {gate} -6 route add default via fd78::2"),
    ] {
        ip(&line);
    }
    Some(namespaces)
}

/// Redirects what comes from the workload, from now on.
pub(crate) fn redirect() {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(REDIRECTION.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success());
}
