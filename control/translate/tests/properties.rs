//! Whatever stands in the objects: no panic, the same result with and without a translation before, and a snapshot
//! that mentions nothing it does not have.
//!
//! Objects are drawn from few names and many kinds of mistake, so that references meet, miss and conflict.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lychgate_api::{Kind, Object, Objects};
use lychgate_translate::{Options, translate};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(values).prop_map(str::to_owned)
}

fn namespace() -> impl Strategy<Value = String> {
    one_of(&["a", "b"])
}

fn name() -> impl Strategy<Value = String> {
    one_of(&["x", "y", "z"])
}

fn host() -> impl Strategy<Value = Option<String>> {
    prop::option::of(one_of(&["a.example", "*.example", "b.a.example", "*.a.example", "", "bad host", "*"]))
}

fn metadata() -> impl Strategy<Value = Value> {
    let created = prop::option::of(one_of(&["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]));
    let annotation = prop::option::of(one_of(&["2", "many", "round-robin", "least-request"]));
    (namespace(), name(), created, annotation, 0..3_i64).prop_map(
        |(namespace, name, created, annotation, generation)| {
            let annotations = annotation
                .map(|value| json!({"lychgate.dev/trusted-hops": value, "lychgate.dev/load-balancer": value}));
            json!({
                "name": name, "namespace": namespace, "creationTimestamp": created, "generation": generation,
                "annotations": annotations.unwrap_or_else(|| json!({})),
            })
        },
    )
}

fn reference(kinds: &'static [(&'static str, &'static str)]) -> impl Strategy<Value = Value> {
    (select(kinds), name(), prop::option::of(namespace())).prop_map(|((group, kind), name, namespace)| {
        without_null(json!({"group": group, "kind": kind, "name": name, "namespace": namespace}))
    })
}

fn without_null(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    value
}

const SECRETS: &[(&str, &str)] = &[("", "Secret"), ("", "ConfigMap"), ("x.io", "Secret")];
const ANCHORS: &[(&str, &str)] = &[("", "ConfigMap"), ("", "Secret"), ("x.io", "ConfigMap")];
const BACKENDS: &[(&str, &str)] = &[("", "Service"), ("gateway.networking.x-k8s.io", "XBackend"), ("x.io", "Lambda")];
const PARENTS: &[(&str, &str)] =
    &[("gateway.networking.k8s.io", "Gateway"), ("gateway.networking.k8s.io", "ListenerSet"), ("", "Service")];

fn listener() -> impl Strategy<Value = Value> {
    let protocol = one_of(&["HTTP", "HTTPS", "TLS", "TCP", "UDP", "x.io/odd"]);
    let from = one_of(&["All", "Same", "Selector", "None"]);
    let kinds = prop::collection::vec(one_of(&["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"]), 0..2);
    let mode = one_of(&["Terminate", "Passthrough"]);
    let option = prop::option::of(one_of(&["1.2", "1.3", "1.1"]));
    let certificates = prop::collection::vec(reference(SECRETS), 0..3);
    (one_of(&["one", "two"]), host(), 80..83_u16, protocol, from, kinds, certificates, (option, mode)).prop_map(
        |(name, hostname, port, protocol, from, kinds, certificates, (option, mode))| {
            let options = option.map_or_else(|| json!({}), |value| json!({"lychgate.dev/min-tls-version": value}));
            let kinds: Vec<_> = kinds.iter().map(|kind| json!({"kind": kind})).collect();
            let tls = ["HTTPS", "TLS"]
                .contains(&&*protocol)
                .then(|| json!({"mode": mode, "certificateRefs": certificates, "options": options}));
            without_null(json!({
                "name": name, "hostname": hostname, "port": port, "protocol": protocol, "tls": tls,
                "allowedRoutes": {
                    "namespaces": {"from": from, "selector": {"matchLabels": {"kubernetes.io/metadata.name": "a"}}},
                    "kinds": kinds,
                },
            }))
        },
    )
}

fn listeners() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(listener(), 1..4)
}

fn gateway() -> impl Strategy<Value = Value> {
    let class = one_of(&["lychgate", "lychgate-egress", "lychgate-egress", "foreign", "missing"]);
    let address = prop::collection::vec(one_of(&["192.0.2.1", "192.0.2.2", "::", "bad"]), 0..2);
    let anchors = prop::option::of(prop::collection::vec(reference(ANCHORS), 1..3));
    let identity = prop::option::of(reference(SECRETS));
    let parameters = prop::option::of(name());
    let from = one_of(&["All", "Same", "None"]);
    (metadata(), class, listeners(), address, anchors, identity, from, any::<bool>(), parameters).prop_map(
        |(metadata, class, listeners, addresses, anchors, identity, from, default, parameters)| {
            let parameters = parameters.map(
                |name| json!({"parametersRef": {"group": "lychgate.dev", "kind": "GatewayParameters", "name": name}}),
            );
            let addresses: Vec<_> = addresses.iter().map(|value| json!({"value": value})).collect();
            let frontend = anchors.map(|anchors| json!({"default": {"validation": {"caCertificateRefs": anchors}}}));
            let backend = identity.map(|identity| json!({"clientCertificateRef": identity}));
            json!({"metadata": metadata, "spec": without_null(json!({
                "gatewayClassName": class, "listeners": listeners, "addresses": addresses,
                "infrastructure": parameters,
                "allowedListeners": {"namespaces": {"from": from}},
                "tls": without_null(json!({"frontend": frontend, "backend": backend})),
                "defaultScope": default.then_some("All"),
            }))})
        },
    )
}

fn listener_set() -> impl Strategy<Value = Value> {
    (metadata(), reference(&PARENTS[..2]), listeners()).prop_map(|(metadata, parent, listeners)| {
        json!({"metadata": metadata, "spec": {"parentRef": parent, "listeners": listeners}})
    })
}

fn backend_ref() -> impl Strategy<Value = Value> {
    (reference(BACKENDS), prop::option::of(1..4_u16)).prop_map(|(mut reference, port)| {
        reference["port"] = json!(port);
        without_null(reference)
    })
}

fn filter() -> impl Strategy<Value = Value> {
    let text = one_of(&["x-a", "Host", "bad name", "connection", "/path", "https://*.example", "*", ""]);
    (0..7, text, backend_ref()).prop_map(|(which, text, backend)| match which {
        0 => json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {
            "set": [{"name": text, "value": "v"}], "remove": ["x-a"]}}),
        1 => json!({"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": 10}}),
        2 => json!({"type": "RequestRedirect", "requestRedirect": {
            "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": text}}}),
        3 => json!({"type": "URLRewrite", "urlRewrite": {
            "hostname": text, "path": {"type": "ReplaceFullPath", "replaceFullPath": text}}}),
        4 => json!({"type": "CORS", "cors": {"allowOrigins": [text], "allowHeaders": [text]}}),
        5 => json!({"type": "ExtensionRef", "extensionRef": {"group": "x.io", "kind": "F", "name": text}}),
        _ => json!({"type": text}),
    })
}

fn rule() -> impl Strategy<Value = Value> {
    let path =
        (one_of(&["Exact", "PathPrefix", "RegularExpression"]), one_of(&["/", "/a", "/a/", "(", "/[0-9]+", "a)|(b"]));
    let matches = prop::collection::vec(path, 0..3);
    let filters = prop::collection::vec(filter(), 0..3);
    let backends = prop::collection::vec((backend_ref(), prop::collection::vec(filter(), 0..2), 0..3_u32), 0..3);
    let cookie = prop::option::of(one_of(&["/", "bad", "/; x"]));
    (matches, filters, backends, cookie, 0..3_i32).prop_map(|(matches, filters, backends, cookie, attempts)| {
        let matches: Vec<_> =
            matches.iter().map(|(kind, value)| json!({"path": {"type": kind, "value": value}})).collect();
        let backends: Vec<_> = backends
            .into_iter()
            .map(|(mut backend, filters, weight)| {
                backend["filters"] = json!(filters);
                backend["weight"] = json!(weight);
                backend
            })
            .collect();
        without_null(json!({
            "matches": matches, "filters": filters, "backendRefs": backends, "retry": {"attempts": attempts},
            "sessionPersistence": cookie.map(|path| json!({"cookie": {"path": path}})),
        }))
    })
}

/// A rule of a GRPCRoute. Its filters and backends are as an HTTPRoute has them, types and all.
fn grpc_rule() -> impl Strategy<Value = Value> {
    let name = || prop::option::of(one_of(&["a.b", "", "a/b", "(", "a|b"]));
    let method = (one_of(&["Exact", "RegularExpression"]), name(), name());
    let headers = prop::collection::vec(one_of(&["x-a", "bad name"]), 0..2);
    (rule(), prop::collection::vec((method, headers), 0..3)).prop_map(|(mut rule, matches)| {
        let matches: Vec<_> = matches
            .iter()
            .map(|((kind, service, method), headers)| {
                let headers: Vec<_> = headers.iter().map(|name| json!({"name": name, "value": "v"})).collect();
                let method = without_null(json!({"type": kind, "service": service, "method": method}));
                json!({"method": method, "headers": headers})
            })
            .collect();
        rule["matches"] = json!(matches);
        rule
    })
}

fn stream_rule() -> impl Strategy<Value = Value> {
    prop::collection::vec((backend_ref(), 0..3_u32), 0..3).prop_map(|backends| {
        let weighted = |(mut backend, weight): (Value, u32)| {
            backend["weight"] = json!(weight);
            backend
        };
        json!({"backendRefs": backends.into_iter().map(weighted).collect::<Vec<_>>()})
    })
}

fn route(rule: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let parent = (reference(PARENTS), prop::option::of(one_of(&["one", "two"])), prop::option::of(80..83_u16));
    let parents = prop::collection::vec(parent, 0..3);
    let rules = prop::collection::vec(rule, 0..3);
    (metadata(), parents, prop::collection::vec(host(), 0..3), rules, any::<bool>()).prop_map(
        |(metadata, parents, hosts, rules, default)| {
            let parents: Vec<_> = parents
                .into_iter()
                .map(|(mut parent, section, port)| {
                    parent["sectionName"] = json!(section);
                    parent["port"] = json!(port);
                    without_null(parent)
                })
                .collect();
            let hosts: Vec<_> = hosts.into_iter().flatten().collect();
            json!({"metadata": metadata, "spec": without_null(json!({
                "parentRefs": parents, "hostnames": hosts, "rules": rules,
                "useDefaultGateways": default.then_some("All"),
            }))})
        },
    )
}

fn service() -> impl Strategy<Value = Value> {
    let app = prop::option::of(one_of(&["kubernetes.io/h2c", "kubernetes.io/wss", "kubernetes.io/x", "x.io/y"]));
    let external = prop::option::of(one_of(&["a.example", "bad name"]));
    (metadata(), app, external).prop_map(|(metadata, app, external)| {
        let port = |name: &str, port: u16| without_null(json!({"name": name, "port": port, "appProtocol": app}));
        let kind = if external.is_some() { "ExternalName" } else { "ClusterIP" };
        json!({"metadata": metadata, "spec": without_null(json!({
            "type": kind, "externalName": external,
            "ports": [port("one", 1), port("two", 2), {"name": "udp", "port": 3, "protocol": "UDP"}],
        }))})
    })
}

fn slice() -> impl Strategy<Value = Value> {
    let endpoint = (one_of(&["10.0.0.1", "10.0.0.2", "bad", "::1"]), prop::option::of(any::<bool>()), any::<bool>());
    let endpoints = prop::collection::vec(endpoint, 0..4);
    (metadata(), name(), one_of(&["IPv4", "IPv6", "FQDN"]), endpoints).prop_map(
        |(mut metadata, service, family, endpoints)| {
            metadata["labels"] = json!({"kubernetes.io/service-name": service});
            let endpoints: Vec<_> = endpoints
                .iter()
                .map(|(address, ready, flag)| {
                    json!({"addresses": [address], "conditions": without_null(json!({
                        "ready": ready, "serving": flag, "terminating": flag,
                    }))})
                })
                .collect();
            json!({
                "metadata": metadata, "addressType": family, "endpoints": endpoints,
                "ports": [{"name": "one", "port": 8080}, {"name": "two"}],
            })
        },
    )
}

fn validation() -> impl Strategy<Value = Value> {
    (prop::collection::vec(reference(ANCHORS), 0..2), any::<bool>()).prop_map(|(anchors, system)| {
        without_null(json!({
            "caCertificateRefs": anchors, "hostname": "x.example",
            "wellKnownCACertificates": system.then_some("System"),
        }))
    })
}

fn xbackend() -> impl Strategy<Value = Value> {
    let mode = one_of(&["None", "ServerOnly", "ClientAndServer"]);
    let protocol = prop::option::of(one_of(&["HTTP", "H2C", "TCP", "WSS"]));
    (metadata(), any::<bool>(), mode, protocol, prop::option::of(reference(SECRETS)), prop::option::of(validation()))
        .prop_map(|(metadata, selector, mode, protocol, identity, validation)| {
            let kind = if selector { "EndpointSelector" } else { "ExternalHostname" };
            json!({"metadata": metadata, "spec": without_null(json!({
                "type": kind, "port": {"number": 1}, "protocol": protocol,
                "externalHostname": (!selector).then(|| json!({"hostname": "x.example"})),
                "tls": without_null(json!({"mode": mode, "clientCertificateRef": identity, "validation": validation})),
            }))})
        })
}

fn policy() -> impl Strategy<Value = Value> {
    let target =
        (reference(BACKENDS), prop::option::of(one_of(&["one", "three"]))).prop_map(|(mut target, section)| {
            target["sectionName"] = json!(section);
            target["namespace"] = Value::Null;
            without_null(target)
        });
    (metadata(), prop::collection::vec(target, 1..3), validation()).prop_map(|(metadata, targets, validation)| {
        json!({"metadata": metadata, "spec": {"targetRefs": targets, "validation": validation}})
    })
}

fn grant() -> impl Strategy<Value = Value> {
    (
        metadata(),
        one_of(&["HTTPRoute", "GRPCRoute", "TCPRoute", "UDPRoute", "Gateway", "ListenerSet"]),
        namespace(),
        select(&["Service", "Secret"][..]),
    )
        .prop_map(|(metadata, from, namespace, to)| {
            json!({"metadata": metadata, "spec": {
                "from": [{"group": "gateway.networking.k8s.io", "kind": from, "namespace": namespace}],
                "to": [{"group": "", "kind": to}],
            }})
        })
}

fn http_route() -> impl Strategy<Value = Object> {
    route(rule()).prop_map(|value| Object::decode(Kind::HttpRoute, value).unwrap())
}

fn any_object() -> impl Strategy<Value = Object> {
    let of = |kind: Kind| move |value: Value| Object::decode(kind, value).unwrap();
    prop_oneof![
        3 => gateway().prop_map(of(Kind::Gateway)),
        2 => listener_set().prop_map(of(Kind::ListenerSet)),
        4 => route(rule()).prop_map(of(Kind::HttpRoute)),
        3 => route(grpc_rule()).prop_map(of(Kind::GrpcRoute)),
        2 => route(stream_rule()).prop_map(of(Kind::TlsRoute)),
        2 => route(stream_rule()).prop_map(of(Kind::TcpRoute)),
        2 => route(stream_rule()).prop_map(of(Kind::UdpRoute)),
        3 => service().prop_map(of(Kind::Service)),
        2 => slice().prop_map(of(Kind::EndpointSlice)),
        2 => xbackend().prop_map(of(Kind::XBackend)),
        2 => policy().prop_map(of(Kind::BackendTlsPolicy)),
        1 => grant().prop_map(of(Kind::ReferenceGrant)),
        3 => support::outward::policy(metadata()).prop_map(of(Kind::EgressPolicy)),
        2 => support::outward::parameters(metadata()).prop_map(of(Kind::GatewayParameters)),
        2 => support::outward::pod(metadata()).prop_map(of(Kind::Pod)),
    ]
}

/// Certificates and anchors that are good, under the names that references use; and a class of somebody else.
fn fixed() -> Vec<Object> {
    let class = json!({"metadata": {"name": "foreign"}, "spec": {"controllerName": "x.io/other"}});
    let mut objects = vec![Object::decode(Kind::GatewayClass, class).unwrap()];
    for object in support::shared("tls.yaml") {
        let name = match object.reference().to_string().as_str() {
            "Secret/shop/web-cert" | "ConfigMap/shop/ca" => "x",
            "Secret/shop/mismatched" | "ConfigMap/shop/malformed" => "y",
            _ => continue,
        };
        match object {
            Object::Secret(secret) => {
                let mut secret = (*secret).clone();
                secret.metadata.name = name.to_owned();
                secret.metadata.namespace = "a".to_owned();
                objects.push(secret.into());
            }
            Object::ConfigMap(map) => {
                let mut map = (*map).clone();
                map.metadata.name = name.to_owned();
                map.metadata.namespace = "a".to_owned();
                objects.push(map.into());
            }
            other => panic!("{:?} is no certificate", other.kind()),
        }
    }
    objects
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1024,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_panics_and_everything_is_closed(
        first in prop::collection::vec(any_object(), 0..24),
        changes in prop::collection::vec((any_object(), any::<bool>()), 0..4),
        standalone in any::<bool>(),
    ) {
        let options = Options { standalone, node_addresses: vec!["192.0.2.10".parse().unwrap()] };
        let objects: Objects = fixed().into_iter().chain(first).collect();
        let before = translate(&objects, &options, None);
        support::check_closed(&before, "the first");
        support::check_dump(&before, "the first");
        let mut changed = objects;
        for (object, remove) in changes {
            changed = if remove { changed.remove(&object.reference()) } else { changed.insert(object) };
        }
        let after = translate(&changed, &options, Some(&before));
        support::check_closed(&after, "the second");
        prop_assert!(after == translate(&changed, &options, None), "depends on what came before");
    }

    /// Also where nothing but routes changes, and one translation after the other is made of the one before.
    #[test]
    fn a_series_of_changes_gives_what_is_there_at_its_end(
        first in prop::collection::vec(any_object(), 8..24),
        changes in prop::collection::vec((prop_oneof![4 => http_route(), 1 => any_object()], any::<bool>()), 1..8),
        without_grpc in any::<bool>(),
    ) {
        let options = Options { standalone: true, node_addresses: Vec::new() };
        let stays = |object: &Object| !(without_grpc && object.kind() == Kind::GrpcRoute);
        let mut objects: Objects = fixed().into_iter().chain(first).filter(stays).collect();
        let mut translation = translate(&objects, &options, None);
        for (object, remove) in changes.into_iter().filter(|(object, _)| stays(object)) {
            objects = if remove { objects.remove(&object.reference()) } else { objects.insert(object) };
            translation = translate(&objects, &options, Some(&translation));
            support::check_closed(&translation, "a later one");
            prop_assert!(translation == translate(&objects, &options, None), "depends on what came before");
        }
    }
}
