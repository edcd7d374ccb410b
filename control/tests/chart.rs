//! The chart, rendered by a real Helm. `make test-chart` brings it; without it these tests do not run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use lychgate_api::Kind;
use lychgate_control::provision::LiveKind;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

fn chart() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../charts/lychgate")
}

fn helm(arguments: &[&str]) -> Output {
    let program = std::env::var_os("HELM").unwrap_or_else(|| "helm".into());
    let output = Command::new(&program).args(arguments).output();
    output.unwrap_or_else(|error| panic!("{}: {error}; run make test-chart", program.display()))
}

fn render(values: &[&str]) -> Result<Vec<Value>, String> {
    let chart = chart();
    let mut arguments = vec!["template", "gate", chart.to_str().unwrap(), "--namespace", "lychgate-system"];
    arguments.extend(values.iter().flat_map(|value| ["--set", value]));
    let output = helm(&arguments);
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap());
    Ok(documents.filter(|document| !document.is_null()).collect())
}

fn profile(name: &str) -> Vec<Value> {
    render(&[&format!("profile={name}")]).unwrap()
}

const REMOTE: [&str; 4] = [
    "profile=remote",
    "remote.group=lychgate-edge",
    "remote.control=https://feed.example.com:9910",
    "remote.trustBundle=PEM",
];

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

fn names(objects: &[Value]) -> String {
    let name = |object: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
    };
    let names: BTreeSet<String> = objects.iter().map(name).collect();
    names.into_iter().collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "needs Helm: make test-chart"]
fn each_profile_brings_what_its_name_says() {
    for name in ["minimal", "default", "demo", "empty", "preview"] {
        insta::assert_snapshot!(format!("profile-{name}"), names(&profile(name)));
    }
    insta::assert_snapshot!("profile-remote", names(&render(&REMOTE).unwrap()));
}

#[test]
#[ignore = "needs Helm: make test-chart"]
fn the_chart_has_no_fault_that_helm_knows() {
    let output = helm(&["lint", "--strict", chart().to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "needs Helm: make test-chart"]
fn values_that_mean_nothing_are_refused() {
    for wrong in
        ["profile=all", "profil=demo", "image.pullPolicy=Sometimes", "control.replicas=many", "revision=Canary"]
    {
        assert!(render(&[wrong]).is_err(), "{wrong}");
    }
    let missing = render(&["profile=remote"]).unwrap_err();
    assert!(missing.contains("remote.group"), "{missing}");
}

/// Whether the rules let somebody do this.
fn may(role: &Value, group: &str, resource: &str, verb: &str) -> bool {
    let has = |list: &Value, word: &str| list.as_array().unwrap().iter().any(|each| each == word);
    role["rules"]
        .as_array()
        .unwrap()
        .iter()
        .any(|rule| has(&rule["apiGroups"], group) && has(&rule["resources"], resource) && has(&rule["verbs"], verb))
}

#[test]
#[ignore = "needs Helm: make test-chart"]
fn egress_gateways_are_the_only_way_out_where_that_is_asked_for() {
    assert!(!names(&profile("default")).contains("NetworkPolicy lychgate-egress"), "nobody asked");
    let asked = ["egress.networkPolicies.enabled=true", "egress.networkPolicies.namespaces={shop,bank}"];
    let also = "egress.networkPolicies.also[0].to[0].podSelector.matchLabels.app=db";
    let objects = render(&[&asked[..], &[also]].concat()).unwrap();
    let policies: Vec<&Value> = objects
        .iter()
        .filter(|object| object["kind"] == "NetworkPolicy" && object["metadata"]["name"] == "lychgate-egress")
        .collect();
    let namespaces: Vec<&Value> = policies.iter().map(|policy| &policy["metadata"]["namespace"]).collect();
    assert_eq!(namespaces, ["shop", "bank"]);
    insta::assert_yaml_snapshot!("egress-policy", policies[0]["spec"]);
    let without = render(&asked[..1]).unwrap_err();
    assert!(without.contains("egress.networkPolicies.namespaces"), "{without}");
    let own = render(&["egress.networkPolicies.enabled=true", "egress.networkPolicies.namespaces={lychgate-system}"]);
    assert!(own.unwrap_err().contains("lychgate-system has egress Gateways"));
}

#[test]
#[ignore = "needs Helm: make test-chart"]
fn the_control_plane_may_do_what_it_does_and_no_more() {
    let objects = profile("minimal");
    let role = find(&objects, "ClusterRole", "lychgate-control-lychgate-system");
    let plural = |kind: &str| match kind {
        "BackendTLSPolicy" => "backendtlspolicies".to_owned(),
        "GatewayClass" => "gatewayclasses".to_owned(),
        "EgressPolicy" => "egresspolicies".to_owned(),
        // As it is called, it is many already.
        "GatewayParameters" => "gatewayparameters".to_owned(),
        other => format!("{}s", other.to_lowercase()),
    };
    for kind in Kind::ALL {
        for verb in ["list", "watch"] {
            assert!(may(role, kind.group(), &plural(kind.as_str()), verb), "{verb} {kind}");
        }
    }
    for kind in LiveKind::ALL {
        let group = kind.api_version().split_once('/').map_or("", |(group, _)| group);
        for verb in ["get", "list", "watch", "create", "patch", "delete"] {
            assert!(may(role, group, &plural(kind.as_str()), verb), "{verb} {}", kind.as_str());
        }
    }
    assert!(may(role, "authentication.k8s.io", "tokenreviews", "create"));
    for (group, resource, verb) in [
        ("", "secrets", "create"),
        ("", "secrets", "patch"),
        ("", "secrets", "delete"),
        ("", "pods", "create"),
        ("gateway.networking.k8s.io", "gateways", "patch"),
        ("gateway.networking.k8s.io", "gateways", "delete"),
        ("rbac.authorization.k8s.io", "clusterroles", "list"),
    ] {
        assert!(!may(role, group, resource, verb), "{verb} {resource}");
    }
    assert!(!role.to_string().contains('*'), "{role}");
}

/// The pod of a Deployment, and its container.
fn pod(deployment: &Value) -> (&Value, &Value) {
    let pod = &deployment["spec"]["template"]["spec"];
    (pod, &pod["containers"][0])
}

#[test]
#[ignore = "needs Helm: make test-chart"]
fn pods_may_do_nothing() {
    let (local, remote) = (profile("demo"), render(&REMOTE).unwrap());
    for (objects, name) in [(&local, "lychgate-control"), (&remote, "lychgate-edge")] {
        let (pod, container) = pod(find(objects, "Deployment", name));
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL", "{name}");
    }
}

#[test]
#[ignore = "needs Helm: make test-chart"]
fn the_program_takes_the_arguments_of_the_chart() {
    let values = ["profile=preview", "revision=canary", "image.pullPolicy=Always", "image.pullSecrets={one,two}"];
    let objects = render(&values).unwrap();
    let (_, container) = pod(find(&objects, "Deployment", "lychgate-control-canary"));
    let arguments: Vec<&str> =
        container["args"].as_array().unwrap().iter().map(|each| each.as_str().unwrap()).collect();
    // It gets as far as looking for the cluster.
    let program =
        Command::new(env!("CARGO_BIN_EXE_lychgate-control")).args(arguments).arg("--kubeconfig=/nowhere").output();
    let said = String::from_utf8(program.unwrap().stderr).unwrap();
    assert!(said.contains("/nowhere") && !said.contains("Usage"), "{said}");
}

#[test]
#[ignore = "needs Helm: make test-chart"]
fn replicas_of_a_control_plane_reach_each_other_and_no_other() {
    let objects = render(&["profile=minimal", "revision=canary"]).unwrap();
    let name = "lychgate-control-canary";
    let deployment = find(&objects, "Deployment", name);
    let (_, container) = pod(deployment);
    let variables = container["env"].as_array().unwrap();
    let address = variables.iter().find(|variable| variable["name"] == "LYCHGATE_POD_IP").unwrap();
    assert_eq!(address["valueFrom"]["fieldRef"]["fieldPath"], "status.podIP");
    let policy = find(&objects, "NetworkPolicy", name);
    let feed = policy["spec"]["ingress"].as_array().unwrap().iter().find(|rule| rule["ports"][0]["port"] == "feed");
    let labels = &deployment["spec"]["selector"]["matchLabels"];
    let peers = feed.unwrap()["from"].as_array().unwrap();
    let replicas: Vec<&Value> = peers.iter().filter(|peer| peer["podSelector"]["matchLabels"] == *labels).collect();
    assert_eq!(replicas.len(), 1, "{peers:?}");
    assert!(replicas[0].get("namespaceSelector").is_none(), "of this namespace alone");
}

#[test]
#[ignore = "needs Helm: make test-chart"]
fn a_revision_shares_nothing_with_another() {
    let (plain, canary) = (profile("minimal"), render(&["profile=minimal", "revision=canary"]).unwrap());
    let all = |objects: &[Value]| names(objects).lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let shared: Vec<String> = all(&plain).intersection(&all(&canary)).cloned().collect();
    assert!(shared.is_empty(), "{shared:?}");
    // Classes are everybody's, and so they are the first one's.
    assert!(!names(&canary).contains("GatewayClass"));
}
