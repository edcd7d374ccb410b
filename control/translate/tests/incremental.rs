//! What the next translation shares with the one before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lychgate_api::{Kind, Object, ObjectKey, ObjectRef, Objects};
use lychgate_ir::{BackendId, BackendKind, ListenerId, ObjectName, RouteId, RouteKind, Transport};
use lychgate_translate::{ObjectStatus, Options, Translation, translate};
use serde_json::{Value, json};
use std::sync::Arc;

fn object(kind: Kind, value: Value) -> Object {
    Object::decode(kind, value).unwrap()
}

fn route(name: &str, service: &str, hostname: &str) -> Object {
    object(
        Kind::HttpRoute,
        json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "parentRefs": [{"name": "edge"}],
                "hostnames": [hostname],
                "rules": [
                    {"backendRefs": [{"name": service, "port": 80}]},
                    {"matches": [{"path": {"value": "/other"}}], "backendRefs": [{"name": "one", "port": 80}]},
                ],
            },
        }),
    )
}

fn gateway(ports: &[u16]) -> Object {
    let listeners: Vec<_> =
        ports.iter().map(|port| json!({"name": format!("http-{port}"), "port": port, "protocol": "HTTP"})).collect();
    object(
        Kind::Gateway,
        json!({
            "metadata": {"name": "edge", "namespace": "shop"},
            "spec": {"gatewayClassName": "lychgate", "listeners": listeners},
        }),
    )
}

fn service(name: &str, protocol: Option<&str>) -> Object {
    object(
        Kind::Service,
        json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"ports": [{"port": 80, "appProtocol": protocol}]},
        }),
    )
}

fn slice(service: &str, addresses: &[&str]) -> Object {
    let endpoints: Vec<_> = addresses.iter().map(|address| json!({"addresses": [address]})).collect();
    object(
        Kind::EndpointSlice,
        json!({
            "metadata": {
                "name": service, "namespace": "shop", "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "ports": [{"port": 8080}],
            "endpoints": endpoints,
        }),
    )
}

fn objects() -> Objects {
    let objects = [
        gateway(&[80]),
        service("one", None),
        service("two", None),
        slice("one", &["10.0.0.1"]),
        slice("two", &["10.0.1.1"]),
        route("one", "one", "one.example"),
        route("two", "two", "two.example"),
    ];
    objects.into_iter().collect()
}

fn options() -> Options {
    Options { standalone: true, node_addresses: Vec::new() }
}

fn next(objects: &Objects, before: &Translation) -> Translation {
    let next = translate(objects, &options(), Some(before));
    assert!(next == translate(objects, &options(), None), "depends on what came before");
    next
}

fn route_id(name: &str) -> RouteId {
    RouteId { kind: RouteKind::Http, name: ObjectName::new("shop", name) }
}

fn backend_id(name: &str) -> BackendId {
    BackendId { kind: BackendKind::Service, name: ObjectName::new("shop", name), port: 80, transport: Transport::Tcp }
}

fn reference(kind: Kind, name: &str) -> ObjectRef {
    ObjectRef { kind, key: ObjectKey::new("shop", name) }
}

/// Whether both share the route, rules and all.
fn shares_route(a: &Translation, b: &Translation, name: &str) -> bool {
    let id = route_id(name);
    let status = reference(Kind::HttpRoute, name);
    Arc::ptr_eq(&a.snapshot.routes[&id], &b.snapshot.routes[&id])
        && Arc::ptr_eq(a.statuses.get(&status).unwrap(), b.statuses.get(&status).unwrap())
}

#[test]
fn a_changed_route_leaves_the_others_alone() {
    let before = translate(&objects(), &options(), None);
    let after = next(&objects().insert(route("two", "one", "two.example")), &before);
    // All objects are new, and yet the first route is the same.
    assert!(shares_route(&before, &after, "one"));
    assert!(!shares_route(&before, &after, "two"));
    // Of the changed route, the rule that did not change is shared.
    let rules = |translation: &Translation| translation.snapshot.routes[&route_id("two")].rules.clone();
    assert!(!Arc::ptr_eq(&rules(&before)[0], &rules(&after)[0]));
    assert!(Arc::ptr_eq(&rules(&before)[1], &rules(&after)[1]));
    let listener = |translation: &Translation| -> Vec<(ListenerId, usize)> {
        translation.snapshot.listeners.iter().map(|(id, l)| (id.clone(), Arc::as_ptr(l).addr())).collect()
    };
    assert_eq!(listener(&before), listener(&after));
    assert!(!after.snapshot.backends.contains_key(&backend_id("two")));
}

#[test]
fn neighbours_share_what_they_have_alike() {
    let before = translate(&objects().insert(route("three", "one", "one.example")), &options(), None);
    let after = next(
        &objects().insert(route("three", "one", "one.example")).insert(route("four", "two", "one.example")),
        &before,
    );
    let of = |name: &str| after.snapshot.routes[&route_id(name)].clone();
    let (one, three, four) = (of("one"), of("three"), of("four"));
    assert!(Arc::ptr_eq(&one.attachments, &three.attachments));
    let forward = |route: &lychgate_ir::Route, rule: usize| route.rules[rule].forward.clone().unwrap();
    assert!(Arc::ptr_eq(&forward(&one, 0), &forward(&three, 0)) && Arc::ptr_eq(&forward(&one, 0), &forward(&one, 1)));
    assert!(Arc::ptr_eq(&one.id.name.namespace, &three.id.name.namespace));
    assert!(Arc::ptr_eq(&one.id.name.name, &one.rules[1].id.route.name.name));
    // A route that comes later shares with those that are there.
    assert!(Arc::ptr_eq(&one.attachments, &four.attachments) && Arc::ptr_eq(&forward(&one, 1), &forward(&four, 1)));
    assert!(!Arc::ptr_eq(&forward(&one, 0), &forward(&four, 0)));
}

#[test]
fn endpoints_come_and_go_without_the_snapshot() {
    let objects = objects();
    let before = translate(&objects, &options(), None);
    let after = next(&objects.clone().insert(slice("two", &["10.0.1.2"])), &before);
    assert!(Arc::ptr_eq(&before.snapshot, &after.snapshot));
    let set = |translation: &Translation, name: &str| translation.endpoints[&backend_id(name)].clone();
    assert!(Arc::ptr_eq(&set(&before, "one"), &set(&after, "one")));
    assert!(!Arc::ptr_eq(&set(&before, "two"), &set(&after, "two")));
    // The same addresses in another object are the same set.
    let again = next(&objects.insert(slice("two", &["10.0.1.2"])), &after);
    assert!(Arc::ptr_eq(&set(&after, "two"), &set(&again, "two")));
}

#[test]
fn a_service_that_comes_or_goes_reaches_its_routes() {
    let objects = objects();
    let before = translate(&objects, &options(), None);
    let without = objects.clone().remove(&reference(Kind::Service, "two"));
    let after = next(&without, &before);
    assert!(shares_route(&before, &after, "one"));
    assert!(!shares_route(&before, &after, "two"));
    assert_eq!(after.statuses.problems().count(), 1);
    let back = next(&objects, &after);
    assert!(back == before);
    // A property of the Service that no rule shows changes the backend only.
    let ws = next(&objects.insert(service("two", Some("kubernetes.io/ws"))), &before);
    assert!(shares_route(&before, &ws, "two"));
    let backend = |translation: &Translation, name: &str| translation.snapshot.backends[&backend_id(name)].clone();
    assert!(!Arc::ptr_eq(&backend(&before, "two"), &backend(&ws, "two")));
    assert!(Arc::ptr_eq(&backend(&before, "one"), &backend(&ws, "one")));
}

#[test]
fn a_listener_that_comes_reaches_all_routes_but_not_their_rules() {
    let objects = objects();
    let before = translate(&objects, &options(), None);
    let after = next(&objects.insert(gateway(&[80, 8080])), &before);
    assert!(!shares_route(&before, &after, "one"));
    let route = |translation: &Translation| translation.snapshot.routes[&route_id("one")].clone();
    assert_eq!(route(&after).attachments.len(), 2);
    assert!(Arc::ptr_eq(&route(&before).rules[0], &route(&after).rules[0]));
    let ids: Vec<_> = before.snapshot.listeners.keys().collect();
    assert!(ids.iter().all(|id| Arc::ptr_eq(&before.snapshot.listeners[*id], &after.snapshot.listeners[*id])));
}

#[test]
fn other_options_are_another_translation() {
    let before = translate(&objects(), &options(), None);
    let cluster = Options { standalone: false, node_addresses: Vec::new() };
    assert!(translate(&objects(), &cluster, Some(&before)) == translate(&objects(), &cluster, None));
}

#[test]
fn problems_are_what_does_not_work() {
    let before = translate(&objects(), &options(), None);
    assert_eq!(before.statuses.problems().count(), 0);
    let lost = route("one", "nowhere", "one.example");
    let after = next(&objects().insert(lost), &before);
    let problems: Vec<_> = after.statuses.problems().collect();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].object.to_string(), "HTTPRoute/shop/one");
    assert_eq!(problems[0].place.to_string(), "parent Gateway/edge");
    assert_eq!(problems[0].condition.reason, "BackendNotFound");
    let status = after.statuses.get(&reference(Kind::Gateway, "edge")).unwrap();
    let ObjectStatus::Gateway(status) = &**status else { panic!("not a Gateway's status") };
    assert_eq!(status.listeners[0].attached_routes, 2);
}

/// A route of another kind whose hosts and backend are as those of [`route`].
fn grpc_route(name: &str, hostname: &str, created: &str) -> Object {
    object(
        Kind::GrpcRoute,
        json!({
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
            "spec": {
                "parentRefs": [{"name": "edge"}],
                "hostnames": [hostname],
                "rules": [{"backendRefs": [{"name": "one", "port": 80}]}],
            },
        }),
    )
}

#[test]
fn a_rival_costs_those_whom_it_meets() {
    let before = translate(&objects(), &options(), None);
    let with_rival = objects().insert(grpc_route("calls", "*.example", "2026-01-01T00:00:00Z"));
    let after = next(&with_rival, &before);
    // Neither has an age, so that the GRPCRoute is senior to both.
    assert!(after.snapshot.routes.keys().all(|id| id.kind == RouteKind::Grpc), "{:?}", after.snapshot.routes);
    let gone = next(&objects(), &after);
    assert!(gone == before);

    let apart = objects().insert(grpc_route("calls", "one.example", "2026-01-01T00:00:00Z"));
    let after = next(&apart, &before);
    assert!(!after.snapshot.routes.contains_key(&route_id("one")));
    assert!(shares_route(&before, &after, "two"));
    // Who lost once and has not changed is not translated again.
    let later = next(&apart.insert(service("three", None)), &after);
    let status = reference(Kind::HttpRoute, "one");
    assert!(Arc::ptr_eq(after.statuses.get(&status).unwrap(), later.statuses.get(&status).unwrap()));
}

/// Listeners are read each time, but what they ask has to come and go with them.
#[test]
fn services_of_listeners_come_and_go_with_their_filters() {
    let asking = |service: Option<&str>| {
        let filters = service.map(|name| {
            json!({"requests": [{"type": "ExternalAuth", "externalAuth": {
                "protocol": "HTTP", "http": {}, "backendRef": {"name": name, "port": 80},
            }}]})
        });
        let listener = json!({"name": "http-80", "port": 80, "protocol": "HTTP", "filters": filters});
        object(
            Kind::Gateway,
            json!({
                "metadata": {"name": "edge", "namespace": "shop"},
                "spec": {"gatewayClassName": "lychgate", "listeners": [listener]},
            }),
        )
    };
    let objects: Objects = [asking(None), service("one", None), service("two", None), route("r", "one", "a.example")]
        .into_iter()
        .collect();
    let options = Options { standalone: true, ..Options::default() };
    let has = |translation: &Translation, name: &str| {
        translation.snapshot.backends.keys().any(|id| &*id.name.name == name) && {
            let id = translation.snapshot.backends.keys().find(|id| &*id.name.name == name).unwrap();
            translation.endpoints.contains_key(id)
        }
    };
    let mut before = translate(&objects, &options, None);
    assert!(!has(&before, "two"));
    for (service, there) in [(Some("two"), true), (Some("two"), true), (None, false), (Some("gone"), false)] {
        let objects = objects.clone().insert(asking(service));
        let next = translate(&objects, &options, Some(&before));
        assert_eq!(has(&next, "two"), there, "{service:?}");
        assert!(next == translate(&objects, &options, None), "{service:?}: depends on what came before");
        before = next;
    }
}

/// As many that nobody can serve as good ones: each says what is wrong with it, and nothing else is different.
#[test]
fn ten_thousand_invalid_routes_harm_no_good_one() {
    let many = 10_000;
    let good = (0..many).map(|at| route(&format!("good-{at}"), "one", &format!("good-{at}.example")));
    let objects: Objects = objects().iter().chain(good).collect();
    let before = translate(&objects, &options(), None);
    let invalid = |at: usize| {
        let path = json!({"type": "RegularExpression", "value": format!("/({at}")});
        let rules = json!([{"matches": [{ "path": path }], "backendRefs": [{"name": "one", "port": 80}]}]);
        object(
            Kind::HttpRoute,
            json!({
                "metadata": {"name": format!("invalid-{at}"), "namespace": "shop"},
                "spec": {"parentRefs": [{"name": "edge"}], "hostnames": [format!("invalid-{at}.example")], "rules": rules},
            }),
        )
    };
    let objects: Objects = objects.iter().chain((0..many).map(invalid)).collect();
    let after = next(&objects, &before);
    for at in 0..many {
        assert!(shares_route(&before, &after, &format!("good-{at}")));
        let status = after.statuses.get(&reference(Kind::HttpRoute, &format!("invalid-{at}"))).unwrap();
        let ObjectStatus::Route(status) = &**status else { panic!("not a route's status") };
        let accepted = status.parents[0].conditions.iter().find(|condition| condition.r#type == "Accepted").unwrap();
        assert!(accepted.message.contains("path.value"), "{accepted:?}");
    }
    assert_eq!(after.statuses.problems().count(), many);
}

/// An egress Gateway with two policies, one of which names a Secret.
fn outward() -> Objects {
    let target = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "out"}]);
    let policy = |name: &str, rule: Value| {
        let value = json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"targetRefs": target, "rules": [rule]},
        });
        object(Kind::EgressPolicy, value)
    };
    let listeners = json!([{"name": "proxy", "port": 3128, "protocol": "lychgate.dev/Proxy"}]);
    let out = json!({
        "metadata": {"name": "out", "namespace": "shop"},
        "spec": {"gatewayClassName": "lychgate-egress", "listeners": listeners},
    });
    let credential = json!({"header": "X-Key", "secretRef": {"name": "key", "key": "token"}});
    [
        object(Kind::Gateway, out),
        policy("plain", json!({"action": "Allow", "to": {"hosts": ["a.example"]}})),
        policy("keyed", json!({"action": "Allow", "to": {"hosts": ["b.example"]}, "credential": credential})),
        secret("one"),
        pod("web", "10.1.0.1"),
    ]
    .into_iter()
    .fold(objects(), Objects::insert)
}

fn secret(token: &str) -> Object {
    let value = json!({"metadata": {"name": "key", "namespace": "shop"}, "stringData": {"token": token}});
    object(Kind::Secret, value)
}

fn pod(name: &str, address: &str) -> Object {
    let value = json!({"metadata": {"name": name, "namespace": "shop"}, "status": {"podIP": address}});
    object(Kind::Pod, value)
}

fn policy_of(translation: &Translation, name: &str) -> Arc<lychgate_ir::egress::EgressPolicy> {
    let id = lychgate_ir::egress::EgressPolicyId(ObjectName::new("shop", name));
    translation.snapshot.egress_policies[&id].clone()
}

#[test]
fn pods_that_come_and_go_change_who_is_behind_an_address_and_nothing_else() {
    let objects = outward();
    let first = translate(&objects, &options(), None);
    let second = next(&objects.clone().insert(pod("other", "10.1.0.2")), &first);
    let addresses: Vec<String> = second.snapshot.workloads.keys().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.1.0.1", "10.1.0.2"]);
    let here = "10.1.0.1".parse().unwrap();
    assert!(Arc::ptr_eq(&first.snapshot.workloads[&here], &second.snapshot.workloads[&here]));
    assert!(shares_route(&first, &second, "one"));
    // One that claims the address of another takes it from it, and has it not either.
    let third = next(&objects.clone().insert(pod("thief", "10.1.0.1")), &second);
    assert!(third.snapshot.workloads.is_empty());
    // What is new of a pod, and is not kept, is no news.
    let fourth = next(&objects.insert(pod("web", "10.1.0.1")), &first);
    assert!(Arc::ptr_eq(&first.snapshot, &fourth.snapshot));
}

#[test]
fn a_secret_that_changes_is_another_text_and_no_other_policy() {
    let objects = outward();
    let first = translate(&objects, &options(), None);
    let second = next(&objects.clone().insert(secret("two")), &first);
    let texts: Vec<&str> = second.snapshot.secrets.values().map(|secret| secret.text.expose()).collect();
    assert_eq!(texts, ["two"]);
    for name in ["plain", "keyed"] {
        assert!(Arc::ptr_eq(&policy_of(&first, name), &policy_of(&second, name)), "{name}");
    }
    // Without it, the rule that names it says so, and the other one does not care.
    let third = next(&objects.remove(&reference(Kind::Secret, "key")), &second);
    assert!(third.snapshot.secrets.is_empty());
    assert_ne!(policy_of(&second, "keyed"), policy_of(&third, "keyed"));
    assert!(Arc::ptr_eq(&policy_of(&second, "plain"), &policy_of(&third, "plain")));
}
