//! Where calls go, and what is done to them on the way.

use super::{Bed, UNARY, call, grpc_route};
use crate::support::{Site, echo, gateway, http_gateway, service, service_speaking};
use crate::tls::{to_xbackend, xbackend};
use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer, Port};
use lychgate_testkit::{Authority, ClientTls, Dial, free_addr, free_addrs, grpc, server_tls};

#[tokio::test]
async fn calls_are_shared_by_weight_and_reach_backends_over_http2() {
    let rules = "    - backendRefs: [{name: blue, port: 80, weight: 3}, {name: green, port: 80, weight: 1}]\n";
    let bed = Bed::serve(&grpc_route("grpc", "[]", rules)).await;
    let mut connection = Dial::h2c(bed.address).connect("a.example").await.unwrap();
    for _ in 0..200 {
        let reply = grpc::call(&mut connection, &format!("http://a.example/{UNARY}"), &[], b"x").await.unwrap();
        assert_eq!(reply.status, Some(0));
    }
    let (blue, green) = bed.seen();
    assert_eq!(blue + green, 200);
    assert!((15..=90).contains(&green), "{blue} {green}");
    assert_eq!(bed.blue.nth_request(1).await.unwrap().report.proto, "HTTP/2.0");
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn one_backend_speaks_http1_to_requests_and_http2_to_calls() {
    let routes = grpc_route("grpc", "[grpc.example]", "    - backendRefs: [{name: blue, port: 80}]\n")
        + &crate::support::http_route("web", "[web.example]", "    - backendRefs: [{name: blue, port: 80}]\n");
    let bed = Bed::serve(&routes).await;
    for round in 0..3 {
        assert_eq!(call(bed.address, "grpc.example", UNARY, &[]).await.status, Some(0));
        assert_eq!(Dial::http1(bed.address).get("http://web.example/").await.unwrap().status, 200);
        let protocols = [1, 2].map(|n| 2 * round + n);
        let first = bed.blue.nth_request(protocols[0]).await.unwrap();
        let second = bed.blue.nth_request(protocols[1]).await.unwrap();
        assert_eq!((&*first.report.proto, &*second.report.proto), ("HTTP/2.0", "HTTP/1.1"));
    }
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn headers_are_edited_and_copies_are_sent() {
    let rules = "    - name: edited\n      filters:\n        - {type: RequestHeaderModifier, requestHeaderModifier: {set: \
                 [{name: x-set, value: rule}], remove: [x-gone]}}\n        - {type: ResponseHeaderModifier, \
                 responseHeaderModifier: {add: [{name: x-added, value: here}]}}\n        - {type: RequestMirror, \
                 requestMirror: {backendRef: {name: green, port: 80}}}\n      backendRefs:\n        - name: blue\n          \
                 port: 80\n          filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: \
                 x-backend, value: blue}]}}]\n";
    let bed = Bed::serve(&grpc_route("grpc", "[]", rules)).await;
    let reply = bed.call(UNARY, &[("x-gone", "1"), ("x-set", "client")]).await;
    assert_eq!((reply.status, &*reply.messages), (Some(0), &[bytes_of(b"message")][..]));
    assert_eq!(reply.headers["x-added"], "here");
    let seen = bed.blue.nth_request(1).await.unwrap();
    let headers = &seen.report.headers;
    assert_eq!(
        (headers["X-Set"].as_slice(), headers["X-Backend"].as_slice()),
        (&["rule".to_owned()][..], &["blue".to_owned()][..])
    );
    assert!(!headers.contains_key("X-Gone"));
    let copy = bed.green.nth_request(1).await.unwrap();
    assert_eq!((&*copy.report.proto, &*copy.report.path), ("HTTP/2.0", &*format!("/{UNARY}")));
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn a_share_of_the_calls_is_mirrored() {
    let rules = "    - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: green, port: 80}, percent: 50}}]\n      \
                 backendRefs: [{name: blue, port: 80}]\n";
    let bed = Bed::serve(&grpc_route("grpc", "[]", rules)).await;
    for _ in 0..100 {
        let reply = bed.call(UNARY, &[]).await;
        assert_eq!(reply.status, Some(0));
    }
    let mirrored = bed.green.wait_for(|counts| counts.requests >= 20).await.requests;
    assert!(mirrored <= 80, "{mirrored}");
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn a_session_stays_with_its_endpoint_and_the_rule_s_name_is_shown() {
    let [(one, at_one), (two, at_two), (three, at_three)] = [echo("one").await, echo("two").await, echo("three").await];
    let address = free_addr();
    let rules = "    - name: sticky\n      sessionPersistence: {type: Header, header: {name: X-Session}}\n      backendRefs: \
                 [{name: it, port: 80}]\n";
    let files =
        http_gateway(address.port()) + &service("it", &[at_one, at_two, at_three]) + &grpc_route("grpc", "[]", rules);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let counts = || [&one, &two, &three].map(|pod| pod.counts().requests);
    for _ in 0..3 {
        let before = counts();
        let first = call(address, "a.example", UNARY, &[]).await;
        let session = first.headers["x-session"].to_str().unwrap();
        for _ in 0..4 {
            let next = call(address, "a.example", UNARY, &[("x-session", session)]).await;
            assert_eq!((next.status, next.headers["x-session"].to_str().unwrap()), (Some(0), session));
        }
        let after = counts();
        let mut shares: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        shares.sort_unstable();
        assert_eq!(shares, [0, 0, 5]);
    }
    let metrics = Dial::http1(site.admin()).get("http://admin/metrics").await.unwrap().text();
    assert!(metrics.contains("route=\"GRPCRoute/default/grpc\",rule=\"sticky\""), "{metrics}");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn listeners_of_sets_take_calls_and_services_may_be_names_outside() {
    let (far, at_far) = echo("far").await;
    let [own, extra] = free_addrs();
    let files = http_gateway(own.port())
        .replace("  listeners:", "  allowedListeners: {namespaces: {from: Same}}\n  listeners:")
        + &format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: {{name: extra, namespace: \
             default}}\nspec:\n  parentRef: {{name: gw}}\n  listeners: [{{name: calls, protocol: HTTP, port: \
             {}}}]\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: far, namespace: default}}\nspec: {{type: \
             ExternalName, externalName: localhost, ports: [{{name: grpc, port: {}}}]}}\n---\n",
            extra.port(),
            at_far.port()
        )
        + &grpc_route("grpc", "[]", &format!("    - backendRefs: [{{name: far, port: {}}}]\n", at_far.port()))
            .replace("{name: gw}", "{kind: ListenerSet, name: extra}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    assert_eq!(call(extra, "a.example", UNARY, &[]).await.status, Some(0));
    assert_eq!(
        call(own, "a.example", UNARY, &[]).await.status,
        Some(12),
        "it is not a route of the Gateway's own listener"
    );
    assert_eq!(far.counts().requests, 1);
    assert_eq!(site.stop().await, 0);
}

fn bytes_of(bytes: &'static [u8]) -> bytes::Bytes {
    bytes::Bytes::from_static(bytes)
}

#[tokio::test]
async fn over_tls_on_both_sides() {
    let authority = Authority::new("root");
    let tls = server_tls(&authority.server(&["grpc.internal"]));
    let config = EchoConfig::default().with_https(([127, 0, 0, 1], 0).into(), tls);
    let server = EchoServer::bind(config.with_identity(EchoIdentity::pod("sealed"))).await.unwrap();
    let address = free_addr();
    let files = gateway(&format!(
        "    - {{name: https, protocol: HTTPS, port: {}, tls: {{certificateRefs: [{{name: cert}}]}}}}\n",
        address.port()
    )) + &authority.server(&["grpc.example"]).secret("default", "cert")
        + "---\n"
        + &authority.config_map("default", "ca")
        + "---\n"
        + &service("sealed", &[server.local_addr(Port::Https).unwrap()])
        + "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {name: sealed, namespace: \
           default}\nspec:\n  targetRefs: [{group: \"\", kind: Service, name: sealed}]\n  validation: {hostname: \
           grpc.internal, caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}]}\n---\n"
        + &grpc_route("grpc", "[grpc.example]", "    - backendRefs: [{name: sealed, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let dial = Dial::tls(address, &ClientTls::trusting(&authority));
    let mut connection = dial.connect("grpc.example").await.unwrap();
    let reply = grpc::call(&mut connection, &format!("https://grpc.example/{UNARY}"), &[], b"x").await.unwrap();
    assert_eq!(reply.status, Some(0));
    let seen = server.nth_request(1).await.unwrap();
    assert_eq!(seen.report.tls.as_ref().unwrap().negotiated_protocol, "h2");
    drop(connection);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn names_outside_and_services_that_say_h2c() {
    let (outside, to_outside) = echo("outside").await;
    let (h2c, to_h2c) = echo("h2c").await;
    let address = free_addr();
    let files = http_gateway(address.port())
        + &service_speaking("h2c", Some("kubernetes.io/h2c"), &[to_h2c])
        + &xbackend("outside", to_outside.port(), "  protocol: GRPC\n")
        + &grpc_route("outside", "[outside.example]", &format!("    - backendRefs: [{}]\n", to_xbackend("outside")))
        + &grpc_route("h2c", "[h2c.example]", "    - backendRefs: [{name: h2c, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert_eq!(call(address, "outside.example", UNARY, &[]).await.status, Some(0));
    assert_eq!(call(address, "h2c.example", UNARY, &[]).await.status, Some(0));
    assert_eq!((outside.counts().requests, h2c.counts().requests), (1, 1));
    assert_eq!(site.stop().await, 0);
}
