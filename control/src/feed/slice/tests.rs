#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use lychgate_admission::read_text;
use lychgate_api::Objects;
use lychgate_translate::{Options, Translation, translate};

const OBJECTS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: c}
spec: {controllerName: lychgate.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: a, namespace: d}
spec: {gatewayClassName: c, listeners: [{name: l, protocol: HTTP, port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: b, namespace: d}
spec: {gatewayClassName: c, listeners: [{name: l, protocol: HTTP, port: 80}, {name: t, protocol: TCP, port: 81}]}
---
apiVersion: v1
kind: Service
metadata: {name: one, namespace: d}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: two, namespace: d}
spec: {clusterIP: 10.0.0.2, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: copy, namespace: d}
spec: {clusterIP: 10.0.0.3, ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: only-a, namespace: d}
spec:
  parentRefs: [{name: a}]
  rules:
    - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}}}]
      backendRefs: [{name: one, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: both, namespace: d}
spec:
  parentRefs: [{name: a}, {name: b}]
  hostnames: [h.example]
  rules: [{backendRefs: [{name: two, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: stream, namespace: d}
spec:
  parentRefs: [{name: b, sectionName: t}]
  rules: [{backendRefs: [{name: one, port: 80}]}]
";

fn endpoints(of: &str, address: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {of}, namespace: d, labels: {{kubernetes.io/service-name: {of}}}}}\naddressType: IPv4\n\
         ports: [{{name: '', port: 8080}}]\nendpoints: [{{addresses: [{address}], conditions: {{ready: true}}}}]\n"
    )
}

fn translated(text: &str, before: Option<&Translation>) -> Translation {
    let read = read_text("f.yaml", text);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    let objects: Objects = read.objects.into_iter().map(|admitted| admitted.object).collect();
    translate(&objects, &Options::default(), before)
}

fn groups(translation: &Translation) -> BTreeMap<GatewayId, String> {
    let gateways = translation.snapshot.listeners.keys().map(|id| id.gateway.clone());
    gateways.map(|gateway| (gateway.clone(), gateway.0.name.to_string())).collect()
}

fn cut(slicer: &mut Slicer<String>, translation: &Translation) -> BTreeMap<String, Slice> {
    slicer.cut(&translation.snapshot, &translation.endpoints, &groups(translation)).clone()
}

fn names<K: ToString>(keys: impl Iterator<Item = K>) -> Vec<String> {
    keys.map(|key| key.to_string()).collect()
}

#[test]
fn everybody_gets_what_concerns_them_and_nothing_else() {
    let text = [OBJECTS, &endpoints("one", "10.1.0.1"), &endpoints("two", "10.1.0.2")].concat();
    let translation = translated(&text, None);
    let slices = cut(&mut Slicer::default(), &translation);
    assert_eq!(names(slices.keys()), ["a", "b"]);
    let (a, b) = (&slices["a"], &slices["b"]);
    assert_eq!(names(a.snapshot.listeners.keys()), ["Gateway/d/a/l"]);
    assert_eq!(names(a.snapshot.routes.keys()), ["HTTPRoute/d/both", "HTTPRoute/d/only-a"]);
    assert_eq!(names(a.snapshot.backends.keys()), ["Service/d/copy:80", "Service/d/one:80", "Service/d/two:80"]);
    assert_eq!(names(b.snapshot.routes.keys()), ["HTTPRoute/d/both"]);
    assert_eq!(names(b.snapshot.stream_routes.keys()), ["TCPRoute/d/stream"]);
    assert_eq!(names(b.snapshot.backends.keys()), ["Service/d/one:80", "Service/d/two:80"]);
    for (name, slice) in &slices {
        let mut attachments = slice.snapshot.routes.values().flat_map(|route| &*route.attachments);
        assert!(attachments.all(|attachment| &*attachment.listener.gateway.0.name == name));
        assert!(slice.endpoints.keys().all(|id| slice.snapshot.backends.contains_key(id)));
    }
    let both = a.snapshot.routes.values().find(|route| &*route.id.name.name == "both").unwrap();
    assert_eq!(both.attachments.len(), 1);
}

#[test]
fn a_change_costs_only_those_whom_it_concerns() {
    let text = [OBJECTS, &endpoints("one", "10.1.0.1")].concat();
    let (mut slicer, first) = (Slicer::default(), translated(&text, None));
    let before = cut(&mut slicer, &first);
    let again = cut(&mut slicer, &translated(&text, Some(&first)));
    assert!(before.iter().all(|(group, slice)| Arc::ptr_eq(&slice.snapshot, &again[group].snapshot)));
    // Another host on the route that only one has.
    let changed =
        text.replace("  parentRefs: [{name: a}]\n", "  parentRefs: [{name: a}]\n  hostnames: [new.example]\n");
    let second = translated(&changed, Some(&first));
    let after = cut(&mut slicer, &second);
    assert!(!Arc::ptr_eq(&before["a"].snapshot, &after["a"].snapshot));
    assert!(Arc::ptr_eq(&before["b"].snapshot, &after["b"].snapshot));
    let both =
        |slice: &Slice| slice.snapshot.routes.values().find(|route| &*route.id.name.name == "both").unwrap().clone();
    assert!(Arc::ptr_eq(&both(&before["a"]), &both(&after["a"])), "a part of a route that is the same is the same");
    // Pods come and go in a lane of their own.
    let third = translated(&[OBJECTS, &endpoints("one", "10.1.0.9")].concat(), None);
    let moved = cut(&mut slicer, &third);
    assert!(Arc::ptr_eq(&moved["b"].snapshot, &after["b"].snapshot));
    assert_ne!(moved["b"].endpoints, after["b"].endpoints);
}

/// Whatever was cut before, the slices are those that somebody cuts who begins now.
#[test]
fn what_was_before_does_not_show() {
    let without = |text: &str, name: &str| {
        let objects = text.split("---\n").filter(|object| !object.contains(&format!("name: {name},")));
        objects.collect::<Vec<_>>().join("---\n")
    };
    let endpoints = endpoints("one", "10.1.0.1");
    let whole = [OBJECTS, &endpoints].concat();
    let texts = [
        whole.clone(),
        without(&whole, "both"),
        whole.replace("parentRefs: [{name: a}]", "parentRefs: [{name: b}]"),
        without(&without(&whole, "only-a"), "stream"),
        whole.replace("name: one, port: 80}]\n---", "name: copy, port: 80}]\n---"),
        without(&whole, "b"),
        whole,
    ];
    let (mut slicer, mut before) = (Slicer::default(), None);
    for text in texts {
        let translation = translated(&text, before.as_ref());
        let slices = cut(&mut slicer, &translation);
        assert_eq!(slices, cut(&mut Slicer::default(), &translation));
        before = Some(translation);
    }
}

#[test]
fn a_group_that_serves_nothing_yet_has_an_empty_slice() {
    let translation = translated(OBJECTS, None);
    let mut groups = groups(&translation);
    groups.insert(GatewayId(lychgate_ir::ObjectName::new("d", "new")), "new".to_owned());
    let mut slicer = Slicer::default();
    let slices = slicer.cut(&translation.snapshot, &translation.endpoints, &groups);
    assert_eq!(slices["new"], Slice::default());
}

#[test]
fn who_asks_a_service_gets_it() {
    let auth = "---
apiVersion: v1
kind: Service
metadata: {name: auth, namespace: d}
spec: {clusterIP: 10.0.0.4, ports: [{port: 80}]}
";
    let asking = "externalAuth: {protocol: GRPC, grpc: {}, backendRef: {name: auth, port: 80}}";
    let of = |text: &str, group: &str| {
        let slices = cut(&mut Slicer::default(), &translated(text, None));
        let slice = &slices[group];
        (names(slice.snapshot.backends.keys()), slice.endpoints.keys().map(ToString::to_string).collect::<Vec<_>>())
    };
    let listener = format!("filters: {{requests: [{{type: ExternalAuth, {asking}}}]}}");
    let b = "listeners: [{name: l, protocol: HTTP, port: 80}, {name: t";
    let by_listener = OBJECTS.replace(b, &b.replace("port: 80}", &format!("port: 80, {listener}}}"))) + auth;
    let by_rule = OBJECTS
        .replace("[{type: RequestMirror", &format!("[{{type: ExternalAuth, {asking}}}, {{type: RequestMirror"))
        + auth;
    let has = |(backends, endpoints): (Vec<String>, Vec<String>)| {
        let it = "Service/d/auth:80".to_owned();
        assert_eq!(backends.contains(&it), endpoints.contains(&it));
        backends.contains(&it)
    };
    assert_eq!((has(of(&by_listener, "a")), has(of(&by_listener, "b"))), (false, true));
    assert_eq!((has(of(&by_rule, "a")), has(of(&by_rule, "b"))), (true, false));
}

const OUTWARD: &str = "---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: e}
spec: {controllerName: lychgate.dev/egress-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: out, namespace: d}
spec: {gatewayClassName: e, listeners: [{name: p, protocol: lychgate.dev/Proxy, port: 3128}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: away, namespace: d}
spec: {gatewayClassName: e, listeners: [{name: p, protocol: lychgate.dev/Proxy, port: 3128}]}
---
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: keyed, namespace: d}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out}]
  rules:
    - {action: Allow, to: {hosts: [one.example]}, credential: {header: X-Key, secretRef: {name: keys, key: one}}}
    - {action: Allow, to: {hosts: [two.example]}, via: {type: HTTP, host: p.example, port: 1, credentialsRef: {name: keys}}}
---
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: plain, namespace: d}
spec:
  targetRefs:
    - {group: gateway.networking.k8s.io, kind: Gateway, name: out}
    - {group: gateway.networking.k8s.io, kind: Gateway, name: away}
  rules: [{action: Allow, to: {hosts: [any.example]}}]
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: d}
stringData: {one: '1', username: u, password: p, unused: x}
---
apiVersion: v1
kind: Pod
metadata: {name: shop, namespace: d}
status: {podIP: 10.1.0.1}
";

fn first_policy(snapshot: &Snapshot) -> &Arc<lychgate_ir::egress::EgressPolicy> {
    snapshot.egress_policies.values().next().unwrap()
}

#[test]
fn what_may_leave_is_for_those_through_whom_it_leaves() {
    let text = [OBJECTS, OUTWARD].concat();
    let (mut slicer, first) = (Slicer::default(), translated(&text, None));
    let slices = cut(&mut slicer, &first);
    let (out, away, a) = (&slices["out"].snapshot, &slices["away"].snapshot, &slices["a"].snapshot);
    assert_eq!(names(out.egress.keys()), ["Gateway/d/out"]);
    assert_eq!(names(out.egress_policies.keys()), ["EgressPolicy/d/keyed", "EgressPolicy/d/plain"]);
    assert_eq!(names(out.secrets.keys()), ["Secret/d/keys/one", "Secret/d/keys/password", "Secret/d/keys/username"]);
    assert_eq!(names(away.egress_policies.keys()), ["EgressPolicy/d/plain"]);
    assert!(away.secrets.is_empty(), "a policy of another Gateway names them");
    assert_eq!(names(away.workloads.keys()), ["10.1.0.1"]);
    assert!(a.egress.is_empty() && a.egress_policies.is_empty() && a.secrets.is_empty() && a.workloads.is_empty());
    // Another pod is news for those through whom something leaves, and for nobody else.
    let second = translated(&text.replace("10.1.0.1", "10.1.0.2"), Some(&first));
    let moved = cut(&mut slicer, &second);
    assert_eq!(names(moved["away"].snapshot.workloads.keys()), ["10.1.0.2"]);
    assert!(Arc::ptr_eq(&moved["a"].snapshot, &slices["a"].snapshot));
    assert!(Arc::ptr_eq(first_policy(&moved["out"].snapshot), first_policy(out)));
}
