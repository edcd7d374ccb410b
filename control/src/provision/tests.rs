//! From objects to what there shall be, as goldens; and what is never deleted.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)]

use super::drift::{is_current, keep_replicas, mark};
use super::*;
use lychgate_admission::read_text;
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use lychgate_translate::{MissingAddress, ObjectStatus, Options, Translation, translate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const CLASSES: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: lychgate}
spec: {controllerName: lychgate.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: lychgate-egress}
spec: {controllerName: lychgate.dev/egress-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: other}
spec: {controllerName: example.com/other}
";

const EDGE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop, uid: u-edge}
spec:
  gatewayClassName: lychgate
  listeners: [{name: http, port: 80, protocol: HTTP}]
";

/// The same Gateway, of another class.
fn of_class(class: &str, protocol: &str) -> String {
    let edge = EDGE.replace("gatewayClassName: lychgate", &format!("gatewayClassName: {class}"));
    edge.replace("protocol: HTTP", &format!("protocol: {protocol}"))
}

fn context() -> Context {
    Context {
        image: "registry.example/lychgate-gateway:1".to_owned(),
        pull_policy: None,
        pull_secrets: Vec::new(),
        control: "https://lychgate-control.lychgate-system.svc:9910".to_owned(),
        trust_bundle: "PEM".to_owned(),
        revision: None,
    }
}

struct World {
    objects: Objects,
    translation: Translation,
    groups: Groups,
}

fn world(documents: &[&str]) -> World {
    let text = [&[CLASSES], documents].concat().join("\n---\n");
    let read = read_text("test.yaml", &text);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    let objects: Objects = read.objects.into_iter().map(|admitted| admitted.object).collect();
    let translation = translate(&objects, &Options::default(), None);
    let groups = groups(&objects, &translation.snapshot, &translation.statuses);
    World { objects, translation, groups }
}

impl World {
    fn desired(&self) -> Vec<Value> {
        self.groups.wanted.values().flat_map(|group| desired(group, &context())).collect()
    }

    /// What an API server would have after all of this was written.
    fn live(&self) -> BTreeMap<LiveKey, Live> {
        self.desired().into_iter().map(written).collect()
    }

    fn obsolete(&self, live: &BTreeMap<LiveKey, Live>) -> Vec<String> {
        let desired: BTreeSet<LiveKey> = self.desired().iter().filter_map(LiveKey::of).collect();
        let statuses = &self.translation.statuses;
        obsolete(live, &self.groups, &desired, &self.objects, statuses).into_iter().map(LiveKey::to_string).collect()
    }
}

fn written(object: Value) -> (LiveKey, Live) {
    let key = LiveKey::of(&object).unwrap();
    let mut object = mark(object);
    object["metadata"]["managedFields"] = json!([{"manager": "lychgate-control", "operation": "Apply"}]);
    (key, Live(object))
}

#[test]
fn a_plain_gateway() {
    insta::assert_yaml_snapshot!(world(&[EDGE]).desired());
}

#[test]
fn an_egress_gateway_is_for_the_cluster_only() {
    let services = world(&[&of_class("lychgate-egress", "lychgate.dev/Proxy")]);
    let services: Vec<Value> = services.desired().into_iter().filter(|object| object["kind"] == "Service").collect();
    assert_eq!(services[0]["spec"]["type"], "ClusterIP");
}

#[test]
fn by_their_labels_network_policies_know_the_only_way_out() {
    let direction = |class: &str, protocol: &str| {
        let world = world(&[&of_class(class, protocol)]);
        let deployment = world.desired().into_iter().find(|object| object["kind"] == "Deployment").unwrap();
        deployment["spec"]["template"]["metadata"]["labels"]["lychgate.dev/direction"].clone()
    };
    assert_eq!(direction("lychgate-egress", "lychgate.dev/Proxy"), "egress");
    assert_eq!(direction("lychgate", "HTTP"), Value::Null, "a way in is no way out");
}

/// The pod of an egress Gateway whose parameters say this of its deployment.
fn pod_of(deployment: &str) -> Value {
    let world = with_deployment("lychgate-egress", "lychgate.dev/Proxy", deployment);
    let deployment = world.desired().into_iter().find(|object| object["kind"] == "Deployment").unwrap();
    deployment["spec"]["template"]["spec"].clone()
}

/// A Gateway whose parameters say this of its deployment.
fn with_deployment(class: &str, protocol: &str, deployment: &str) -> World {
    let parameters = format!(
        "apiVersion: lychgate.dev/v1alpha1\nkind: GatewayParameters\nmetadata: {{name: out, namespace: shop}}\nspec: \
         {{deployment: {{{deployment}}}}}"
    );
    let named = format!("gatewayClassName: {class}");
    let refers = format!(
        "{named}\n  infrastructure: {{parametersRef: {{group: lychgate.dev, kind: GatewayParameters, name: out}}}}"
    );
    let gateway = of_class(class, protocol).replace(&named, &refers);
    world(&[&gateway, &parameters])
}

/// The mount and the volume of a name, if there are.
fn volume_of(pod: &Value, name: &str) -> (Option<Value>, Option<Value>) {
    let named = |list: &Value| list.as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
    (named(&pod["containers"][0]["volumeMounts"]), named(&pod["volumes"]))
}

#[test]
fn an_audit_log_has_a_volume_and_nothing_else_does() {
    let pod = pod_of("args: [--audit-dir=/var/lib/lychgate/audit, --audit-required]");
    let args = pod["containers"][0]["args"].as_array().unwrap();
    assert!(args.contains(&json!("--audit-dir=/var/lib/lychgate/audit")), "{args:?}");
    let (mount, volume) = volume_of(&pod, "audit");
    assert_eq!(mount, Some(json!({"name": "audit", "mountPath": "/var/lib/lychgate"})));
    assert_eq!(volume, Some(json!({"name": "audit", "emptyDir": {}})));
    assert_eq!(volume_of(&pod_of("args: [--access-log=-]"), "audit"), (None, None));
}

#[test]
fn the_key_of_an_audit_log_is_mounted_from_its_secret_and_only_with_a_log() {
    let key = "auditKeyRef: {name: signing, key: audit.pem}";
    let pod = pod_of(&format!("args: [--audit-dir=/var/lib/lychgate/audit], {key}"));
    let args = pod["containers"][0]["args"].as_array().unwrap();
    assert!(args.contains(&json!("--audit-key=/var/run/lychgate/audit/key.pem")), "{args:?}");
    let (mount, volume) = volume_of(&pod, "audit-key");
    assert_eq!(mount, Some(json!({"name": "audit-key", "mountPath": "/var/run/lychgate/audit", "readOnly": true})));
    let secret =
        json!({"secretName": "signing", "items": [{"key": "audit.pem", "path": "key.pem"}], "defaultMode": 288});
    assert_eq!(volume, Some(json!({"name": "audit-key", "secret": secret})));
    // With a key and no log, and with a key where nothing leaves, the Gateway is refused: no pods are made.
    for (class, protocol) in [("lychgate-egress", "lychgate.dev/Proxy"), ("lychgate", "HTTP")] {
        let made = with_deployment(class, protocol, key).desired();
        assert!(made.iter().all(|object| object["kind"] != "Deployment"), "{class}: {made:?}");
    }
}

#[test]
fn what_a_class_is_called_means_nothing_and_dns_has_a_port_of_each_transport() {
    let objects = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: outwards}
spec: {controllerName: lychgate.dev/egress-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: out, namespace: shop, uid: u-out}
spec:
  gatewayClassName: outwards
  listeners:
    - {name: proxy, port: 3128, protocol: lychgate.dev/Proxy}
    - {name: dns, port: 5353, protocol: lychgate.dev/DNS}
    - {name: dns-tcp, port: 5353, protocol: lychgate.dev/DNSoverTCP}
";
    let services: Vec<Value> =
        world(&[objects]).desired().into_iter().filter(|object| object["kind"] == "Service").collect();
    assert_eq!(services[0]["spec"]["type"], "ClusterIP");
    let ports = services[0]["spec"]["ports"].as_array().unwrap().iter();
    let ports: Vec<String> =
        ports.map(|port| format!("{}/{}", port["protocol"].as_str().unwrap(), port["port"])).collect();
    assert_eq!(ports, ["TCP/3128", "TCP/5353", "UDP/5353"]);
}

const EVERYTHING: &str = "
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {name: all, namespace: shop}
spec:
  deployment:
    replicas: 9
    autoscaling: {minReplicas: 2, maxReplicas: 8, targetCpuUtilization: 70}
    resources: {requests: {cpu: 2, memory: 128Mi}, limits: {memory: 1Gi}}
    disruptionBudget: {maxUnavailable: 1}
    topologySpread: [{topologyKey: topology.kubernetes.io/zone, maxSkew: 2, whenUnsatisfiable: DoNotSchedule}]
    nodeSelector: {kubernetes.io/os: linux}
    tolerations: [{key: edge, operator: Exists, effect: NoSchedule}]
    priorityClassName: system-cluster-critical
    drainSeconds: 120
    args: [--access-log=-, --max-connections=1000]
    labels: {team: edge, lychgate.dev/group: forged}
    annotations: {sidecar.example/inject: 'false'}
  service:
    type: LoadBalancer
    loadBalancerClass: example.com/lb
    loadBalancerSourceRanges: [192.0.2.0/24]
    externalTrafficPolicy: Local
    ipFamilyPolicy: PreferDualStack
    extraPorts:
      - {name: metrics, port: 9090, targetPort: 9900}
      - {name: mine, port: 80}
    labels: {lb: edge}
    annotations: {lb.example/size: big}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop, uid: u-edge}
spec:
  gatewayClassName: lychgate
  infrastructure:
    labels: {key2: value2, app.kubernetes.io/managed-by: somebody}
    annotations: {key1: value1}
    parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: all}
  allowedListeners: {namespaces: {from: Same}}
  listeners:
    - {name: http, port: 80, protocol: HTTP}
    - {name: dns, port: 53, protocol: UDP}
    - {name: admin, port: 9900, protocol: TCP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: more, namespace: shop}
spec:
  parentRef: {name: edge}
  listeners: [{name: late, port: 8080, protocol: HTTP}]
";

#[test]
fn every_parameter_has_its_effect() {
    insta::assert_yaml_snapshot!(world(&[EVERYTHING]).desired());
}

const SHARED: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: late
  namespace: shop
  uid: u-late
  creationTimestamp: 2026-01-02T00:00:00Z
  annotations: {lychgate.dev/share: front}
spec:
  gatewayClassName: lychgate
  infrastructure: {labels: {a: late, b: late}}
  addresses: [{value: 192.0.2.7}]
  listeners: [{name: http, port: 81, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: early
  namespace: shop
  uid: u-early
  creationTimestamp: 2026-01-01T00:00:00Z
  annotations: {lychgate.dev/share: front}
spec:
  gatewayClassName: lychgate
  infrastructure: {labels: {a: early}}
  listeners: [{name: http, port: 82, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: elsewhere
  namespace: other
  uid: u-elsewhere
  annotations: {lychgate.dev/share: front}
spec:
  gatewayClassName: lychgate
  listeners: [{name: http, port: 83, protocol: HTTP}]
";

#[test]
fn gateways_that_share() {
    let desired = world(&[SHARED]).desired();
    let services: Vec<Value> = desired.into_iter().filter(|object| object["kind"] == "Service").collect();
    insta::assert_yaml_snapshot!(services);
}

/// One Gateway that shares, created on that day, with parameters of its own.
fn sharing(name: &str, day: u8, listeners: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: {name}
  namespace: shop
  creationTimestamp: 2026-01-0{day}T00:00:00Z
  annotations: {{lychgate.dev/share: front}}
spec:
  gatewayClassName: lychgate
  infrastructure: {{parametersRef: {{group: lychgate.dev, kind: GatewayParameters, name: {name}}}}}
  listeners: [{listeners}]
---
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {{name: {name}, namespace: shop}}
spec: {{deployment: {{replicas: {day}}}}}
"
    )
}

#[test]
fn statuses_call_the_one_senior_whose_pods_are_made() {
    let http = |name: &str, port: u16| format!("{{name: {name}, port: {port}, protocol: HTTP}}");
    let tcp = "{name: tcp, port: 80, protocol: TCP}";
    let bare = "{name: bare, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: lost}]}}";
    // Why the first is not served: its listeners conflict with each other, or it has no certificate.
    for not_served in [format!("{}, {tcp}", http("http", 80)), bare.to_owned()] {
        let world = world(&[
            &sharing("first", 1, &not_served),
            &sharing("second", 2, &http("http", 80)),
            &sharing("third", 3, &http("http", 81)),
        ]);
        let group = world.groups.wanted.values().next().unwrap();
        assert_eq!(group.parameters.deployment.replicas, Some(2), "{not_served}");
        let accepted = |name: &str| {
            let object = ObjectRef { kind: Kind::Gateway, key: ObjectKey::new("shop", name) };
            let Some(ObjectStatus::Gateway(status)) = world.translation.statuses.get(&object).map(|it| &**it) else {
                panic!("{name} has no status");
            };
            status.conditions.iter().find(|it| it.r#type == "Accepted").unwrap().message.clone()
        };
        assert!(!accepted("second").contains("no effect"), "{not_served}: {}", accepted("second"));
        assert!(accepted("third").contains("has the pods of Gateway shop/second"), "{}", accepted("third"));
    }
}

#[test]
fn the_longest_name_fits() {
    let long = format!("{}.{}", "a".repeat(200), "b".repeat(52));
    let desired = world(&[&EDGE.replace("name: edge", &format!("name: {long}"))]).desired();
    for object in &desired {
        assert!(object["metadata"]["name"].as_str().unwrap().len() <= 63);
        for value in object["metadata"]["labels"].as_object().unwrap().values() {
            assert!(value.as_str().unwrap().len() <= 63, "{value}");
        }
    }
    assert_eq!(desired.len(), 4);
}

#[test]
fn what_others_add_is_no_drift_and_what_they_change_is() {
    let deployment = mark(world(&[EDGE]).desired().remove(2));
    let mut there = deployment.clone();
    there["status"] = json!({"replicas": 1});
    there["spec"]["progressDeadlineSeconds"] = 600.into();
    there["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] = "/dev/termination-log".into();
    assert!(is_current(&Live(there.clone()), &deployment));

    let mut scaled = there.clone();
    scaled["spec"]["replicas"] = 5.into();
    assert!(!is_current(&Live(scaled), &deployment));
    let mut joined = there.clone();
    joined["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "sidecar"}));
    assert!(!is_current(&Live(joined), &deployment));
    // A field that was wanted before, and is not any more, is only seen by the mark.
    let mut before = there;
    before["metadata"]["annotations"]["lychgate.dev/applied"] = "0".into();
    assert!(!is_current(&Live(before), &deployment));
}

#[test]
fn an_autoscaler_takes_over_without_a_moment_with_one_pod() {
    let wanted = || json!({"spec": {}});
    let live = |managers: Value| Live(json!({"metadata": {"managedFields": managers}, "spec": {"replicas": 7}}));
    let ours = json!({"manager": "lychgate-control", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
    let autoscaler = json!({"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:replicas": {}}}});

    let mut new = wanted();
    keep_replicas(&mut new, None, 2);
    assert_eq!(new["spec"]["replicas"], 2);
    let mut before = wanted();
    keep_replicas(&mut before, Some(&live(json!([ours]))), 2);
    assert_eq!(before["spec"]["replicas"], 7);
    let mut after = wanted();
    keep_replicas(&mut after, Some(&live(json!([ours, autoscaler]))), 2);
    assert_eq!(after, wanted());
}

#[test]
fn nothing_is_deleted_because_a_view_is_empty() {
    let live = world(&[EDGE]).live();
    assert!(!live.is_empty());
    assert!(world(&[]).obsolete(&live).is_empty());
    // Not even the classes are known.
    let nothing = translate(&Objects::default(), &Options::default(), None);
    let none = groups(&Objects::default(), &nothing.snapshot, &nothing.statuses);
    assert!(obsolete(&live, &none, &BTreeSet::new(), &Objects::default(), &nothing.statuses).is_empty());
    // A class that is gone takes nothing along either.
    let unknown = EDGE.replace("gatewayClassName: lychgate", "gatewayClassName: lost");
    assert!(world(&[&unknown]).obsolete(&live).is_empty());
}

#[test]
fn a_refused_gateway_keeps_its_data_plane() {
    let live = world(&[EDGE]).live();
    let refused = EDGE.replace(
        "listeners:",
        "infrastructure: {parametersRef: {group: lychgate.dev, kind: GatewayParameters, name: lost}}\n  listeners:",
    );
    let world = world(&[&refused]);
    assert!(world.groups.wanted.is_empty());
    assert_eq!(world.groups.held.len(), 1);
    assert!(world.obsolete(&live).is_empty());
}

#[test]
fn a_gateway_that_is_another_controllers_gives_its_data_plane_up() {
    let live = world(&[EDGE]).live();
    let other = world(&[&EDGE.replace("gatewayClassName: lychgate", "gatewayClassName: other")]);
    assert_eq!(other.obsolete(&live).len(), live.len());
    // A new Gateway of the old name is not the one that it was made for.
    let reborn = EDGE.replace("u-edge", "u-new").replace("gatewayClassName: lychgate", "gatewayClassName: other");
    assert!(world(&[&reborn]).obsolete(&live).is_empty());
}

#[test]
fn what_others_made_is_never_deleted() {
    let mut live = world(&[EDGE]).live();
    for live in live.values_mut() {
        live.0["metadata"]["managedFields"] = json!([{"manager": "helm", "operation": "Update"}]);
    }
    let other = world(&[&EDGE.replace("gatewayClassName: lychgate", "gatewayClassName: other")]);
    assert!(other.obsolete(&live).is_empty());
}

#[test]
fn parts_that_are_wanted_no_more_go() {
    let live = world(&[EVERYTHING]).live();
    let gone = world(&[EDGE]).obsolete(&live);
    let expected = ["HorizontalPodAutoscaler/shop/lychgate-edge", "PodDisruptionBudget/shop/lychgate-edge"];
    assert_eq!(gone, expected);
    // A Gateway that shares from now on leaves what it had alone.
    let shared = EDGE.replace("uid: u-edge", "uid: u-edge, annotations: {lychgate.dev/share: front}");
    assert_eq!(world(&[&shared]).obsolete(&world(&[EDGE]).live()).len(), 4);
}

fn balanced(live: &mut BTreeMap<LiveKey, Live>, name: &str, ingress: Value) {
    let key = LiveKey { kind: LiveKind::Service, key: ObjectKey::new("shop", name) };
    live.get_mut(&key).unwrap().0["status"] = json!({"loadBalancer": {"ingress": ingress}});
}

fn assigned(world: &World, live: &BTreeMap<LiveKey, Live>) -> (Vec<String>, Option<&'static str>) {
    let (_, assigned) = addresses(&world.groups, live).pop_first().unwrap();
    let missing = assigned.missing.map(|missing| match missing {
        MissingAddress::NotAssigned(_) => "not assigned",
        MissingAddress::NotUsable(_) => "not usable",
    });
    (assigned.addresses.into_iter().map(|address| format!("{}={}", address.r#type, address.value)).collect(), missing)
}

#[test]
fn addresses_are_those_of_the_service() {
    let world = world(&[EDGE]);
    let mut live = world.live();
    assert_eq!(assigned(&world, &live), (Vec::new(), Some("not assigned")));
    balanced(&mut live, "lychgate-edge", json!([{"ip": "192.0.2.9"}, {"hostname": "lb.example"}]));
    let both = vec!["IPAddress=192.0.2.9".to_owned(), "Hostname=lb.example".to_owned()];
    assert_eq!(assigned(&world, &live), (both, None));
}

#[test]
fn a_static_address_is_usable_once_a_load_balancer_gives_it() {
    let asked = EDGE.replace("listeners:", "addresses: [{value: 192.0.2.1}, {value: '2001:db8::1'}]\n  listeners:");
    let world = world(&[&asked]);
    let mut live = world.live();
    let services: Vec<(String, Value)> = live
        .iter()
        .filter(|(key, _)| key.kind == LiveKind::Service)
        .map(|(key, live)| (key.key.name.clone(), live.0["spec"]["loadBalancerIP"].clone()))
        .collect();
    assert_eq!(services.len(), 2);
    assert_eq!(assigned(&world, &live), (Vec::new(), Some("not usable")));
    let (four, _) = services.iter().find(|(_, ip)| ip == "192.0.2.1").unwrap();
    // Another address than the one that was asked for is of no use.
    balanced(&mut live, four, json!([{"ip": "192.0.2.2"}]));
    assert_eq!(assigned(&world, &live), (Vec::new(), Some("not usable")));
    balanced(&mut live, four, json!([{"ip": "192.0.2.1"}]));
    assert_eq!(assigned(&world, &live), (vec!["IPAddress=192.0.2.1".to_owned()], Some("not usable")));
    let (six, _) = services.iter().find(|(_, ip)| ip == "2001:db8::1").unwrap();
    balanced(&mut live, six, json!([{"ip": "2001:db8::1"}]));
    assert_eq!(assigned(&world, &live).1, None);
}

#[test]
fn an_address_inside_of_the_cluster_is_that_of_a_service() {
    let asked = EDGE.replace(
        "listeners:",
        "addresses: [{routability: Cluster}, {value: 10.96.0.77, routability: Cluster}]\n  listeners:",
    );
    let world = world(&[&asked]);
    assert_eq!(world.translation.statuses.problems().count(), 0);
    let mut live = world.live();
    assert_eq!(assigned(&world, &live), (Vec::new(), Some("not usable")));
    for live in live.values_mut().filter(|live| live.0["kind"] == "Service") {
        assert_eq!(live.0["spec"]["type"], "ClusterIP");
        let ip = live.0["spec"]["clusterIP"].as_str().unwrap_or("10.96.0.5").to_owned();
        live.0["spec"]["clusterIPs"] = json!([ip]);
    }
    let (_, assigned) = addresses(&world.groups, &live).pop_first().unwrap();
    let told: Vec<String> = assigned.addresses.iter().map(|it| format!("{} {:?}", it.value, it.routability)).collect();
    assert_eq!(told, ["10.96.0.5 Some(Cluster)", "10.96.0.77 Some(Cluster)"]);
    assert_eq!(assigned.missing, None);
}

#[test]
fn a_gateway_that_is_served_elsewhere_has_no_data_plane_here() {
    let remote = EDGE
        .replace("uid: u-edge", "uid: u-edge, annotations: {lychgate.dev/remote: east}")
        .replace("listeners:", "addresses: [{value: 192.0.2.1}]\n  listeners:");
    let world = world(&[&remote]);
    assert!(world.desired().is_empty());
    let key = ObjectKey::new("shop", "lychgate-edge");
    assert_eq!(world.groups.remote.get(&key).map(|remote| remote.cluster.as_str()), Some("east"));
    assert_eq!(assigned(&world, &BTreeMap::new()), (vec!["IPAddress=192.0.2.1".to_owned()], None));
    // What it had here goes.
    let before = super::tests::world(&[EDGE]).live();
    assert_eq!(world.obsolete(&before).len(), before.len());
}
