//! The CRDs' constraints and rules refuse what they are for, each shown by a small change to a valid object.

#![allow(clippy::panic)]

use lychgate_admission::admit;
use serde_json::{Value, json};

fn http_route(rules: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop"},
        "spec": {"parentRefs": [{"name": "gate"}], "rules": rules},
    })
}

fn rule(rule: &Value) -> Value {
    http_route(&json!([rule]))
}

fn filters(filters: &Value) -> Value {
    rule(&json!({"matches": [{"path": {"value": "/a"}}], "filters": filters}))
}

fn path(kind: &str, value: &str) -> Value {
    rule(&json!({"matches": [{"path": {"type": kind, "value": value}}]}))
}

fn gateway(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["gatewayClassName"] = "lychgate".into();
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gate"}, "spec": spec,
    })
}

fn listeners(listeners: &Value) -> Value {
    gateway(&json!({"listeners": listeners}))
}

fn http() -> Value {
    json!([{"name": "http", "port": 80, "protocol": "HTTP"}])
}

fn backend_tls(spec: Value) -> Value {
    let mut policy = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy", "metadata": {"name": "tls"},
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": "shop"}],
            "validation": {"hostname": "shop.example", "wellKnownCACertificates": "System"},
        },
    });
    if let (Some(all), Value::Object(given)) = (policy["spec"].as_object_mut(), spec) {
        all.extend(given);
    }
    policy
}

fn xbackend(spec: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.x-k8s.io/v1alpha1", "kind": "XBackend", "metadata": {"name": "out"}, "spec": spec,
    })
}

fn grpc(rules: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute", "metadata": {"name": "shop"},
        "spec": {"parentRefs": [{"name": "gate"}], "rules": rules},
    })
}

fn admitted(value: &Value) {
    if let Err(violations) = admit(value.clone()) {
        let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
        panic!("refused {value}:\n{}", violations.join("\n"));
    }
}

fn refused(value: &Value, because: &str) {
    match admit(value.clone()) {
        Ok(_) => panic!("admitted, though {because}: {value}"),
        Err(violations) => {
            let messages: Vec<_> = violations.iter().map(ToString::to_string).collect();
            assert!(messages.iter().any(|message| message.contains(because)), "{because:?} is not in {messages:#?}");
        }
    }
}

#[test]
fn http_route_paths() {
    for (kind, value) in
        [("Exact", "/a"), ("PathPrefix", "/a/%20b"), ("RegularExpression", "a.*//"), ("Exact", "/a:b@c")]
    {
        admitted(&path(kind, value));
    }
    for (value, because) in [
        ("a", "start with '/'"),
        ("/a//b", "must not contain '//'"),
        ("/a/./b", "must not contain '/./'"),
        ("/a/../b", "must not contain '/../'"),
        ("/a%2fb", "must not contain '%2f'"),
        ("/a%2Fb", "must not contain '%2F'"),
        ("/a#b", "must not contain '#'"),
        ("/a/..", "must not end with '/..'"),
        ("/a/.", "must not end with '/.'"),
        ("/a b", "must only contain valid characters"),
        ("/%zz", "must only contain valid characters"),
    ] {
        refused(&path("Exact", value), because);
    }
    refused(&path("Glob", "/a"), "is none of \"Exact\"");
    refused(&path("Exact", &format!("/{}", "a".repeat(1024))), "at most 1024 characters");
}

#[test]
fn http_route_filters_are_unions() {
    for (name, body) in [
        ("RequestHeaderModifier", json!({"add": [{"name": "a", "value": "b"}]})),
        ("ResponseHeaderModifier", json!({"remove": ["a"]})),
        ("RequestMirror", json!({"backendRef": {"name": "b", "port": 80}, "percent": 5})),
        ("RequestRedirect", json!({"port": 80})),
        ("URLRewrite", json!({"path": {"type": "ReplaceFullPath", "replaceFullPath": "/"}})),
        ("CORS", json!({"allowOrigins": ["https://*.example.com"]})),
        ("ExtensionRef", json!({"group": "lychgate.dev", "kind": "X", "name": "x"})),
        ("ExternalAuth", json!({"protocol": "HTTP", "backendRef": {"name": "b", "port": 80}, "http": {"path": "/"}})),
    ] {
        let field = match name {
            "URLRewrite" => "urlRewrite".to_owned(),
            "CORS" => "cors".to_owned(),
            _ => name.get(..1).unwrap_or_default().to_lowercase() + name.get(1..).unwrap_or_default(),
        };
        admitted(&filters(&json!([{"type": name, &field: body}])));
        refused(
            &filters(&json!([{"type": name}])),
            &format!("filter.{field} must be specified for {name} filter.type"),
        );
        let other = if name == "CORS" { "URLRewrite" } else { "CORS" };
        refused(&filters(&json!([{"type": other, &field: body}])), &format!("filter.{field} must be nil"));
    }
    refused(&filters(&json!([{"type": "Teleport"}])), "is none of");
}

#[test]
fn http_route_filters_go_together_or_do_not() {
    let redirect = json!({"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}});
    let rewrite = json!({"type": "URLRewrite", "urlRewrite": {"hostname": "a.example"}});
    let modify = json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["a"]}});
    refused(&filters(&json!([redirect, rewrite])), "but not both");
    refused(&filters(&json!([redirect, redirect])), "RequestRedirect filter cannot be repeated");
    refused(&filters(&json!([rewrite, rewrite])), "URLRewrite filter cannot be repeated");
    refused(&filters(&json!([modify, modify])), "RequestHeaderModifier filter cannot be repeated");
    let backends = json!([{"name": "shop", "port": 80}]);
    refused(
        &rule(&json!({"filters": [redirect], "backendRefs": backends})),
        "must not be used together with backendRefs",
    );
    let replace = json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": "/b"});
    let prefix_rewrite = json!([{"type": "URLRewrite", "urlRewrite": {"path": replace}}]);
    admitted(&filters(&prefix_rewrite));
    let exact = json!([{"path": {"type": "Exact", "value": "/a"}}]);
    refused(&rule(&json!({"matches": exact, "filters": prefix_rewrite})), "exactly one PathPrefix match");
    let two = json!([{"path": {"value": "/a"}}, {"path": {"value": "/b"}}]);
    let prefix_redirect = json!([{"type": "RequestRedirect", "requestRedirect": {"path": replace}}]);
    refused(&rule(&json!({"matches": two, "filters": prefix_redirect})), "exactly one PathPrefix match");
    let inside = json!([{"name": "shop", "port": 80, "filters": prefix_rewrite}]);
    refused(&rule(&json!({"matches": two, "backendRefs": inside})), "exactly one PathPrefix match");
    let wrong = json!({"type": "ReplaceFullPath", "replacePrefixMatch": "/b"});
    let because = "type must be 'ReplacePrefixMatch' when replacePrefixMatch is set";
    refused(&filters(&json!([{"type": "URLRewrite", "urlRewrite": {"path": wrong}}])), because);
}

#[test]
fn http_route_details() {
    refused(&rule(&json!({"timeouts": {"request": "1s", "backendRequest": "1001ms"}})), "cannot be longer");
    admitted(&rule(&json!({"timeouts": {"request": "0s", "backendRequest": "1h"}})));
    refused(&http_route(&json!([{"name": "a"}, {"name": "a"}])), "Rule name must be unique within the route");
    admitted(&http_route(&json!([{"name": "a"}, {"name": "b"}, {}, {}])));
    let matches: Vec<_> = (0..64).map(|n| json!({"path": {"value": format!("/{n}")}})).collect();
    let of_64 = json!({"matches": matches});
    admitted(&http_route(&json!([of_64, of_64])));
    refused(&http_route(&json!([of_64, of_64, {}])), "total number of matches");
    let mirror = json!({"backendRef": {"name": "b", "port": 80}, "percent": 5, "fraction": {"numerator": 1}});
    refused(&filters(&json!([{"type": "RequestMirror", "requestMirror": mirror}])), "Only one of percent or fraction");
    let mirror = json!({"backendRef": {"name": "b", "port": 80}, "fraction": {"numerator": 101}});
    refused(
        &filters(&json!([{"type": "RequestMirror", "requestMirror": mirror}])),
        "less than or equal to denominator",
    );
    let cors = json!({"allowMethods": ["*", "GET"]});
    refused(&filters(&json!([{"type": "CORS", "cors": cors}])), "cannot contain '*' alongside");
    let cors = json!({"allowOrigins": ["https://a.example/path"]});
    refused(&filters(&json!([{"type": "CORS", "cors": cors}])), "is not an origin");
    refused(&rule(&json!({"backendRefs": [{"name": "shop"}]})), "Must have port for Service reference");
    let xbackend = json!({"group": "gateway.networking.x-k8s.io", "kind": "XBackend", "name": "out"});
    admitted(&rule(&json!({"backendRefs": [xbackend]})));
    refused(&rule(&json!({"retry": {"codes": [399]}})), "is not between 400 and 599");
    let cookie = json!({"sessionPersistence": {"type": "Header"}});
    refused(&rule(&cookie), "header must be specified for Header type");
    let permanent = json!({"sessionPersistence": {"cookie": {"lifetimeType": "Permanent"}}});
    refused(&rule(&permanent), "AbsoluteTimeout must be specified");
    let twice = json!({"headers": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]});
    refused(&rule(&json!({"matches": [twice]})), "an earlier item has name \"a\" already");
}

#[test]
fn parents_are_told_apart() {
    let with = |parents: Value| {
        let mut route = http_route(&json!([{}]));
        route["spec"]["parentRefs"] = parents;
        route
    };
    admitted(&with(json!([{"name": "a"}, {"name": "a", "namespace": "b"}, {"name": "b"}])));
    admitted(&with(json!([{"name": "a", "sectionName": "x"}, {"name": "a", "sectionName": "y"}])));
    admitted(&with(
        json!([{"name": "a", "sectionName": "x", "port": 1}, {"name": "a", "sectionName": "x", "port": 2}]),
    ));
    refused(&with(json!([{"name": "a"}, {"name": "a"}])), "sectionName or port must be unique");
    refused(&with(json!([{"name": "a"}, {"name": "a", "port": 80}])), "sectionName or port must be specified");
}

#[test]
fn gateway_listeners() {
    let tls = json!({"certificateRefs": [{"name": "cert"}]});
    admitted(&listeners(&json!([
        {"name": "http", "port": 80, "protocol": "HTTP"},
        {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls, "hostname": "a.example"},
        {"name": "other", "port": 443, "protocol": "HTTPS", "tls": tls, "hostname": "*.example"},
        {"name": "tls", "port": 8443, "protocol": "TLS", "tls": {"mode": "Passthrough"}},
        {"name": "tcp", "port": 5432, "protocol": "TCP"},
        {"name": "own", "port": 5433, "protocol": "lychgate.dev/own"},
    ])));
    for (one, because) in [
        (json!({"protocol": "HTTP", "tls": tls}), "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']"),
        (json!({"protocol": "TCP", "hostname": "a.example"}), "hostname must not be specified for protocols"),
        (json!({"protocol": "HTTPS", "tls": {"mode": "Passthrough"}}), "tls mode must be Terminate for protocol HTTPS"),
        (json!({"protocol": "HTTPS", "tls": {}}), "certificateRefs or options must be specified"),
        (json!({"protocol": "TLS"}), "tls mode must be set for protocol TLS"),
        (json!({"protocol": "http_2"}), "is not a protocol"),
        (json!({"protocol": "HTTP", "port": 0}), "is not between 1 and 65535"),
        (json!({"protocol": "HTTP", "hostname": "*"}), "is not a hostname"),
        (json!({"protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "Everywhere"}}}), "is none of"),
    ] {
        let mut listener = json!({"name": "one", "port": 1000});
        if let (Some(all), Value::Object(given)) = (listener.as_object_mut(), one) {
            all.extend(given);
        }
        refused(&listeners(&json!([listener])), because);
    }
    let same = json!([{"name": "a", "port": 80, "protocol": "HTTP"}, {"name": "b", "port": 80, "protocol": "HTTP"}]);
    refused(&listeners(&same), "Combination of port, protocol and hostname must be unique");
    let names = json!([{"name": "a", "port": 80, "protocol": "HTTP"}, {"name": "a", "port": 81, "protocol": "HTTP"}]);
    refused(&listeners(&names), "an earlier item has name \"a\" already");
    refused(&listeners(&json!([])), "must have at least 1 item");
}

#[test]
fn gateway_addresses_and_tls() {
    let with = |addresses: Value| gateway(&json!({"listeners": http(), "addresses": addresses}));
    admitted(&with(json!([{"value": "10.0.0.1"}, {"value": "::1"}, {"type": "Hostname", "value": "a.example"}])));
    admitted(&with(json!([{"type": "NamedAddress", "value": "any"}])));
    refused(&with(json!([{"value": "a.example"}])), "is not an IPv4 address or an IPv6 address");
    refused(&with(json!([{"value": "10.0.0.1"}, {"value": "10.0.0.1"}])), "IPAddress values must be unique");
    refused(&with(json!([{"type": "Hostname", "value": "A"}])), "Hostname value must be empty or contain only valid");
    refused(&with(json!([{"routability": "k8s.io/a", "value": "10.0.0.1"}])), "k8s.io and its subdomains are reserved");
    admitted(&with(json!([{"routability": "lychgate.dev/a", "value": "10.0.0.1"}])));
    let frontend = |per_port: Value| {
        gateway(&json!({"listeners": http(), "tls": {"frontend": {"default": {}, "perPort": per_port}}}))
    };
    admitted(&frontend(json!([{"port": 443, "tls": {}}])));
    refused(&frontend(json!([{"port": 443, "tls": {}}, {"port": 443, "tls": {}}])), "an earlier item has port 443");
    let annotations = json!({"listeners": http(), "infrastructure": {"annotations": {"a b": "c"}}});
    refused(&gateway(&annotations), "Annotation keys must be");
}

#[test]
fn backend_tls_policies() {
    admitted(&backend_tls(json!({})));
    let neither = json!({"validation": {"hostname": "a.example"}});
    refused(&backend_tls(neither), "exactly one of the fields");
    let ca = json!([{"group": "", "kind": "ConfigMap", "name": "ca"}]);
    let both =
        json!({"validation": {"hostname": "a.example", "caCertificateRefs": ca, "wellKnownCACertificates": "System"}});
    refused(&backend_tls(both), "exactly one of the fields");
    let with_name = |name: Value| {
        let validation = json!({"hostname": "a.example", "caCertificateRefs": ca, "subjectAltNames": [name]});
        backend_tls(json!({"validation": validation}))
    };
    admitted(&with_name(json!({"type": "URI", "uri": "spiffe://a.example/b"})));
    refused(&with_name(json!({"type": "URI", "uri": "no uri"})), "is not an absolute URI");
    refused(&with_name(json!({"type": "URI"})), "must contain URI");
    refused(&with_name(json!({"type": "Hostname"})), "must contain Hostname");
    refused(&with_name(json!({"type": "Hostname", "hostname": "a", "uri": "a://b"})), "must not contain URI");
    let target = json!({"group": "", "kind": "Service", "name": "shop"});
    refused(&backend_tls(json!({"targetRefs": [target, target]})), "sectionName must be unique");
    refused(&backend_tls(json!({"targetRefs": []})), "must have at least 1 item");
    refused(
        &backend_tls(json!({"validation": {"hostname": "*.a", "wellKnownCACertificates": "System"}})),
        "is not a DNS name",
    );
}

#[test]
fn the_other_kinds() {
    admitted(&grpc(&json!([{"matches": [{"method": {"service": "a.B", "method": "C"}}]}])));
    refused(&grpc(&json!([{"matches": [{"method": {"type": "Exact"}}]}])), "One or both of 'service' or 'method'");
    refused(
        &grpc(&json!([{"matches": [{"method": {"service": "a/B"}}]}])),
        "service must only contain valid characters",
    );
    let external =
        json!({"type": "ExternalHostname", "port": {"number": 443}, "externalHostname": {"hostname": "a.example"}});
    admitted(&xbackend(&external));
    refused(&xbackend(&json!({"type": "ExternalHostname", "port": {"number": 1}})), "externalHostname must be set");
    let mut local = external.clone();
    local["externalHostname"]["hostname"] = "a.svc.cluster.local".into();
    refused(&xbackend(&local), "hostname must not be an IP address or end with .cluster.local");
    let mut h2 = external;
    h2["protocol"] = "HTTP2".into();
    refused(&xbackend(&h2), "tls must be enabled when protocol is HTTP2");
    let tls_route = |version: &str, hostnames: Value| {
        json!({
            "apiVersion": format!("gateway.networking.k8s.io/{version}"), "kind": "TLSRoute", "metadata": {"name": "t"},
            "spec": {"hostnames": hostnames, "rules": [{"backendRefs": [{"name": "shop", "port": 443}]}]},
        })
    };
    admitted(&tls_route("v1", json!(["a.example", "*.b.example"])));
    refused(&tls_route("v1", json!(["10.0.0.1"])), "Hostnames cannot contain an IP");
    refused(&tls_route("v1", json!([])), "must have at least 1 item");
    let set = |listeners: Value| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ListenerSet", "metadata": {"name": "more"},
            "spec": {"parentRef": {"name": "gate"}, "listeners": listeners},
        })
    };
    admitted(&set(http()));
    let same = json!([{"name": "a", "port": 80, "protocol": "HTTP"}, {"name": "b", "port": 80, "protocol": "HTTP"}]);
    refused(&set(same), "Combination of port, protocol and hostname must be unique");
}

#[test]
fn core_kinds() {
    let service = |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec});
    admitted(&service(json!({"ports": [{"port": 80, "targetPort": "http"}], "selector": {"a": "b"}})));
    admitted(&service(json!({"clusterIP": "None"})));
    admitted(&service(json!({"type": "ExternalName", "externalName": "a.example."})));
    refused(&service(json!({"type": "ExternalName"})), "must be a DNS name where the type is ExternalName");
    refused(&service(json!({})), "must have at least one port");
    refused(&service(json!({"ports": [{"port": 80}, {"port": 81}]})), "each port must have a name");
    let same = json!({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]});
    refused(&service(same), "names of ports must be unique");
    refused(&service(json!({"ports": [{"port": 80, "targetPort": 65536}]})), "must be a port from 1 to 65535");
    refused(&service(json!({"ports": [{"port": 80}], "clusterIP": "nowhere"})), "must be an IP address");
    let config =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
    admitted(&config(json!({"ca.crt": "x"})));
    refused(&config(json!({"a/b": "x"})), "keys must be made of");
    refused(&config(json!({"a": 1})), "must be a string, not an integer");
    let slice = |endpoints: Value| {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "e"},
            "addressType": "FQDN", "endpoints": endpoints, "ports": null,
        })
    };
    admitted(&slice(json!([{"addresses": ["a.example"]}])));
    admitted(&slice(Value::Null));
    refused(&slice(json!([{"addresses": ["a b"]}])), "is not a DNS name");
    refused(&slice(json!([{"addresses": []}])), "must have at least 1 item");
}

#[test]
fn metadata() {
    let with = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    admitted(&with(json!({"name": "a.b", "creationTimestamp": null, "labels": {"a.b/C": "D"}, "uid": "x"})));
    admitted(&with(json!({"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"a": {}}]})));
    refused(&with(json!({"name": "A"})), "is no name");
    refused(&with(json!({"name": ""})), "is no name");
    refused(&with(json!({"name": 1})), "must be a string");
    refused(&with(json!({"name": "a", "namespace": "a.b"})), "is no namespace");
    refused(&with(json!({"name": "a", "labels": {"a": 1}})), "must be a string");
    refused(&with(json!({"name": "a", "creationTimestamp": "today"})), "RFC 3339");
    refused(&with(json!({"name": "a", "annotations": {"a": "x".repeat(262_144)}})), "at most 262144 bytes");
    refused(&json!({"apiVersion": "v1", "kind": "ConfigMap"}), "metadata.name: is required");
    refused(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": []}), "must be a map");
}

fn egress(spec: &Value) -> Value {
    let target = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "out"}]);
    let mut policy = json!({
        "apiVersion": "lychgate.dev/v1alpha1", "kind": "EgressPolicy", "metadata": {"name": "cart"},
        "spec": {"targetRefs": target},
    });
    if let (Some(all), Value::Object(given)) = (policy["spec"].as_object_mut(), spec.clone()) {
        all.extend(given);
    }
    policy
}

fn egress_rule(rule: &Value) -> Value {
    egress(&json!({"rules": [rule]}))
}

#[test]
fn egress_policies_say_whom_they_are_about() {
    admitted(&egress(&json!({"subjects": [{"serviceAccount": "cart"}, {"everyone": {}}], "mode": "Shadow"})));
    refused(&egress(&json!({"subjects": [{}]})), "write exactly one of serviceAccount");
    let two = json!({"subjects": [{"serviceAccount": "cart", "namespace": "shop"}]});
    refused(&egress(&two), "write exactly one of serviceAccount");
    let service = json!({"targetRefs": [{"group": "", "kind": "Service", "name": "shop"}]});
    refused(&egress(&service), "an EgressPolicy is for Gateways");
    refused(&egress(&json!({"shadow": {"percent": 5}})), "shadow is for mode Shadow");
    refused(&egress(&json!({"mode": "Shadow", "shadow": {"percent": 101}})), "percent");
}

#[test]
fn egress_rules_say_one_thing() {
    let hosts = json!({"hosts": ["a.example"], "within": ["10.0.0.0/8"]});
    admitted(&egress_rule(&json!({"action": "Allow", "to": hosts, "ports": ["443", "1-2"]})));
    admitted(&egress_rule(&json!({"action": "Deny"})));
    for (rule, because) in [
        (json!({"action": "Allow", "to": {}}), "write hosts or networks"),
        (json!({"action": "Allow", "to": {"hosts": ["a"], "networks": ["10.0.0.0/8"]}}), "write hosts or networks"),
        (json!({"action": "Allow", "to": {"networks": ["10.0.0.0/8"], "within": ["10.0.0.0/8"]}}), "within says"),
        (json!({"action": "Deny", "limits": {"connections": 1}}), "remove them from a rule that denies"),
        (json!({"action": "Allow", "limits": {"per": "Source"}}), "write at least one of connections"),
        (json!({"action": "Allow", "protocols": [{"type": "TLS", "http": {}}]}), "http is for type HTTP"),
        (json!({"action": "Allow", "ports": ["https"]}), "ports[0]"),
        (json!({"action": "Allow", "tls": {"mode": "Originate", "pins": ["sha256/AA=="]}}), "pins[0]"),
    ] {
        refused(&egress_rule(&rule), because);
    }
    let both = json!([{"group": "", "kind": "ConfigMap", "name": "ca"}]);
    let tls = json!({"mode": "Originate", "wellKnownCACertificates": "System", "caCertificateRefs": both});
    refused(&egress_rule(&json!({"action": "Allow", "tls": tls})), "write one of caCertificateRefs");
}

#[test]
fn resolvers_are_named_where_they_have_a_certificate() {
    let parameters = |upstream: Value| {
        json!({
            "apiVersion": "lychgate.dev/v1alpha1", "kind": "GatewayParameters", "metadata": {"name": "out"},
            "spec": {"egress": {"dns": {"upstreams": [upstream]}}},
        })
    };
    admitted(&parameters(json!({"address": "192.0.2.53"})));
    admitted(&parameters(json!({"address": "192.0.2.53", "protocol": "TLS", "name": "dns.example"})));
    refused(&parameters(json!({"address": "192.0.2.53", "protocol": "HTTPS"})), "name is the name of the resolver");
    refused(&parameters(json!({"address": "192.0.2.53", "name": "dns.example"})), "name is the name of the resolver");
}

#[test]
fn addresses_of_pods_are_addresses() {
    let pod = |ip: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
            "spec": {"containers": []}, "status": {"podIPs": [{"ip": ip}]},
        })
    };
    admitted(&pod("10.0.0.1"));
    refused(&pod("web"), "it must be an IP address");
}
