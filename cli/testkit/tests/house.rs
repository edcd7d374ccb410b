//! The house rules about who may depend on whom, read from what cargo resolves.
//!
//! A reversed arrow compiles, and costs its price later: these tests stop it while it is one line. CONTRIBUTING.md says
//! why each room is where it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::LazyLock;

use serde::Deserialize;

/// Our crates, and which of ours each may use in what is shipped. Tests may use more.
const ROOMS: &[(&str, &[&str])] = &[
    ("lychgate-persistent", &[]),
    ("lychgate-ir", &["lychgate-persistent"]),
    ("lychgate-api", &["lychgate-persistent"]),
    ("lychgate-router", &["lychgate-ir", "lychgate-persistent"]),
    ("lychgate-filters", &["lychgate-ir", "lychgate-router"]),
    ("lychgate-egress", &["lychgate-ir", "lychgate-router"]),
    ("lychgate-audit", &["lychgate-ir"]),
    ("lychgate-dns", &["lychgate-egress", "lychgate-ir"]),
    ("lychgate-telemetry", &["lychgate-ir"]),
    (
        "lychgate-engine",
        &[
            "lychgate-audit",
            "lychgate-dns",
            "lychgate-egress",
            "lychgate-filters",
            "lychgate-ir",
            "lychgate-persistent",
            "lychgate-router",
            "lychgate-telemetry",
        ],
    ),
    ("lychgate-feed", &["lychgate-ir", "lychgate-persistent"]),
    ("lychgate-admission", &["lychgate-api"]),
    ("lychgate-translate", &["lychgate-api", "lychgate-ir", "lychgate-persistent"]),
    (
        "lychgate-control",
        &["lychgate-api", "lychgate-feed", "lychgate-ir", "lychgate-persistent", "lychgate-translate"],
    ),
    (
        "lychgate-gateway",
        &[
            "lychgate-admission",
            "lychgate-api",
            "lychgate-audit",
            "lychgate-engine",
            "lychgate-feed",
            "lychgate-filters",
            "lychgate-ir",
            "lychgate-router",
            "lychgate-telemetry",
            "lychgate-translate",
        ],
    ),
    ("lychgate-replay", &["lychgate-audit", "lychgate-egress", "lychgate-ir"]),
    (
        "lychgate-cli",
        &[
            "lychgate-admission",
            "lychgate-api",
            "lychgate-audit",
            "lychgate-control",
            "lychgate-dns",
            "lychgate-echo",
            "lychgate-egress",
            "lychgate-feed",
            "lychgate-gateway",
            "lychgate-ir",
            "lychgate-replay",
            "lychgate-router",
            "lychgate-translate",
        ],
    ),
    // The echo server and the test clients know nothing of the gate, or a test of the gate would agree with itself.
    ("lychgate-echo", &[]),
    ("lychgate-testkit", &[]),
    // It starts the command, and knows nothing of how it is made.
    ("lychgate-attack", &["lychgate-testkit"]),
    ("lychgate-bench", &["lychgate-testkit"]),
];

/// Pure: data in, data out. Nothing here waits, so nothing here brings a runtime.
const WITHOUT_RUNTIME: &[&str] = &[
    "lychgate-persistent",
    "lychgate-ir",
    "lychgate-api",
    "lychgate-router",
    "lychgate-filters",
    "lychgate-egress",
    "lychgate-audit",
    "lychgate-replay",
    "lychgate-admission",
    "lychgate-translate",
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dep>,
}

#[derive(Deserialize)]
struct Dep {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Deserialize)]
struct DepKind {
    /// Absent for what is shipped, `dev` for tests, `build` for build scripts.
    kind: Option<String>,
}

/// Who uses whom in what is shipped, by name. Several versions of a crate count as one.
struct House {
    ours: BTreeSet<String>,
    uses: BTreeMap<String, BTreeSet<String>>,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let run = |program: String, arguments: &[&str]| {
        let output = Command::new(&program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let tool = |variable: &str, name: &str| std::env::var(variable).unwrap_or_else(|_| name.to_owned());
    let about = run(tool("RUSTC", "rustc"), &["-vV"]);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    // For this host alone: the others' crates need not be on this machine.
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", host];
    let metadata: Metadata = serde_json::from_str(&run(tool("CARGO", "cargo"), &arguments)).unwrap();

    let names: BTreeMap<&str, &str> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
    let name = |id: &str| names[id].to_owned();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in &metadata.resolve.nodes {
        let shipped = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|dep| dep.kind.is_none()));
        uses.entry(name(&node.id)).or_default().extend(shipped.map(|dep| name(&dep.pkg)));
    }
    House { ours: metadata.workspace_members.iter().map(|id| name(id)).collect(), uses }
});

impl House {
    fn direct(&self, name: &str) -> &BTreeSet<String> {
        self.uses.get(name).unwrap_or_else(|| panic!("no crate {name}"))
    }

    /// The way from `from` to the first crate that is `unwanted`, if there is one.
    fn way(&self, from: &str, unwanted: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut seen = BTreeSet::new();
        let mut ways = std::collections::VecDeque::from([vec![from.to_owned()]]);
        while let Some(way) = ways.pop_front() {
            let last = way.last().unwrap();
            if unwanted(last) {
                return Some(way);
            }
            if seen.insert(last.clone()) {
                ways.extend(self.direct(last).iter().map(|next| [way.as_slice(), std::slice::from_ref(next)].concat()));
            }
        }
        None
    }
}

#[test]
fn every_room_has_a_place() {
    let known: BTreeSet<String> = ROOMS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(HOUSE.ours, known, "a crate came or went: say in ROOMS where it stands");
}

#[test]
fn no_arrow_is_reversed() {
    for (room, may_use) in ROOMS {
        let uses = HOUSE.direct(room).iter().filter(|name| HOUSE.ours.contains(*name));
        let wrong: Vec<&String> = uses.filter(|name| !may_use.contains(&name.as_str())).collect();
        assert!(wrong.is_empty(), "{room} may not use {wrong:?}; it may use {may_use:?}");
    }
}

#[test]
fn only_the_engine_knows_pingora() {
    for room in HOUSE.ours.iter().filter(|name| *name != "lychgate-engine") {
        let pingora: Vec<&String> = HOUSE.direct(room).iter().filter(|name| name.starts_with("pingora")).collect();
        assert!(pingora.is_empty(), "{room} uses {pingora:?}: say it through lychgate-engine");
    }
}

/// What the engine is measured against is Pingora as it was published, the same version of it, and built as we are.
#[test]
fn bare_pingora_is_bare() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let manifest = |path: &str| std::fs::read_to_string(root.join(path).join("Cargo.toml")).unwrap();
    let section = |text: &str, head: &str| {
        let (_, rest) = text.split_once(&format!("\n[{head}]\n")).unwrap_or_else(|| panic!("no [{head}]"));
        rest.split("\n[").next().unwrap().trim().to_owned()
    };
    let (ours, bare) = (manifest(""), manifest("bench/bare-pingora"));
    assert_eq!(section(&bare, "profile.release"), section(&ours, "profile.release"));
    assert!(!bare.contains("path ="), "it has nothing of the gate");
    assert!(!bare.contains("[patch"), "it has no patches");
    for name in ["pingora-core", "pingora-error", "pingora-proxy"] {
        let of = |text: &str| text.lines().find(|line| line.starts_with(&format!("{name} ="))).map(str::to_owned);
        assert_eq!(of(&bare), of(&ours), "another version of {name}");
    }
}

#[test]
fn only_the_control_plane_talks_to_a_cluster() {
    let unwanted = |name: &str| name == "kube" || name.starts_with("kube-") || name == "k8s-openapi";
    assert!(HOUSE.way("lychgate-control", unwanted).is_some(), "the search finds what is there");
    // The command asks through it, and has no client of its own.
    assert!(!HOUSE.direct("lychgate-cli").iter().any(|name| unwanted(name)), "say it through lychgate-control");
    for room in HOUSE.ours.iter().filter(|room| !["lychgate-control", "lychgate-cli"].contains(&room.as_str())) {
        if let Some(way) = HOUSE.way(room, unwanted) {
            panic!("clients of a cluster belong into the control plane alone, and {}", way.join(" uses "));
        }
    }
}

#[test]
fn what_is_pure_brings_no_runtime() {
    assert!(HOUSE.way("lychgate-testkit", |name| name == "mio").is_some(), "the search finds what is far away");
    for room in WITHOUT_RUNTIME {
        if let Some(way) = HOUSE.way(room, |name| matches!(name, "tokio" | "async-std" | "smol" | "hyper")) {
            panic!("{room} is pure, but {}", way.join(" uses "));
        }
    }
}

#[test]
fn helpers_of_tests_are_not_shipped() {
    // What measures is not shipped itself.
    for room in HOUSE.ours.iter().filter(|room| !["lychgate-attack", "lychgate-bench"].contains(&room.as_str())) {
        let test_only = ["lychgate-testkit", "bolero", "insta", "proptest", "tempfile"];
        let wrong: Vec<&String> = HOUSE.direct(room).iter().filter(|name| test_only.contains(&name.as_str())).collect();
        assert!(wrong.is_empty(), "{room} ships {wrong:?}: they belong into [dev-dependencies]");
    }
}
