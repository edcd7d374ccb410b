//! Metrics: everything that the reference promises is counted.

use super::{metrics, until_all_counted, until_counted};
use crate::support::{Site, echo, gateway, http_gateway, http_route, service};
use crate::tls::{ca, https, secret, tls_echo, tls_policy, trusting};
use bytes::Bytes;
use http::Request;
use lychgate_testkit::{Authority, Dial, WebSocket, free_addr, server_tls};

#[tokio::test]
async fn requests_are_counted_by_listener_rule_and_backend() {
    let (_server, backend) = echo("blue").await;
    let address = free_addr();
    let rules = "    - {name: all, backendRefs: [{name: blue, port: 80}]}\n    - {name: none, matches: [{path: {value: \
                 /none}}], backendRefs: [{name: missing, port: 80}]}\n";
    let files = http_gateway(address.port()) + &service("blue", &[backend]) + &http_route("r", "[a.example]", rules);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let client = Dial::http1(address);
    assert_eq!(client.get("http://a.example/?status=201").await.unwrap().status, 201);
    assert_eq!(client.get("http://a.example/?status=418").await.unwrap().status, 418);
    assert_eq!(client.get("http://a.example/none").await.unwrap().status, 500);
    assert_eq!(client.get("http://b.example/").await.unwrap().status, 404);
    let route = "route=\"HTTPRoute/default/r\"";
    for line in [
        format!("lychgate_rule_requests_total{{code=\"2xx\",{route},rule=\"all\"}} 1"),
        format!("lychgate_rule_requests_total{{code=\"4xx\",{route},rule=\"all\"}} 1"),
        format!("lychgate_rule_requests_total{{code=\"5xx\",{route},rule=\"none\"}} 1"),
        "lychgate_listener_requests_total{code=\"4xx\",gateway=\"default/gw\",listener=\"http\"} 2".to_owned(),
        "lychgate_listener_requests_in_flight{gateway=\"default/gw\",listener=\"http\"} 0".to_owned(),
        "lychgate_backend_requests_total{backend=\"Service/default/blue:80\",code=\"2xx\"} 1".to_owned(),
        "lychgate_backend_endpoints{backend=\"Service/default/blue:80\"} 1".to_owned(),
        "lychgate_refused_total{reason=\"no_route\"} 1".to_owned(),
        "lychgate_refused_total{reason=\"refused_by_config\"} 1".to_owned(),
        "lychgate_config_reloads_total{result=\"applied\"} 1".to_owned(),
    ] {
        until_counted(&site, &line).await;
    }
    let rest = "    - {name: all, backendRefs: [{name: blue, port: 80}]}\n";
    let files = http_gateway(address.port()) + &service("blue", &[backend]) + &http_route("r", "[a.example]", rest);
    site.write_until("all.yaml", &files, |report| report.is_clean()).await;
    let text = metrics(&site).await;
    assert!(text.contains("rule=\"all\"") && !text.contains("rule=\"none\""), "series go with their rule:\n{text}");
    site.stop().await;
}

#[tokio::test]
async fn dead_backends_and_retries_are_counted() {
    let dead = free_addr();
    let (_server, alive) = echo("alive").await;
    let address = free_addr();
    let rules = "    - {backendRefs: [{name: dead, port: 80}]}\n    - {matches: [{path: {value: /again}}], retry: {codes: \
                 [503], attempts: 1}, backendRefs: [{name: alive, port: 80}]}\n";
    let files = http_gateway(address.port())
        + &service("dead", &[dead])
        + &service("alive", &[alive])
        + &http_route("r", "[]", rules);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let client = Dial::http1(address);
    assert_eq!(client.get("http://a.example/").await.unwrap().status, 502);
    assert_eq!(client.get("http://a.example/again?fail=1&key=x&status=503").await.unwrap().status, 200);
    until_counted(&site, "lychgate_rule_retries_total{route=\"HTTPRoute/default/r\",rule=\"1\"} 1").await;
    let text = metrics(&site).await;
    let failures = "lychgate_backend_connect_failures_total{backend=\"Service/default/dead:80\",kind=\"connect\"} ";
    let counted = text.lines().find_map(|line| line.strip_prefix(failures)).unwrap();
    assert!(counted.parse::<u32>().unwrap() >= 1, "{text}");
    site.stop().await;
}

#[tokio::test]
async fn requests_in_flight_and_their_bytes_are_counted_everywhere() {
    let (server, backend) = echo("blue").await;
    let address = free_addr();
    let files = http_gateway(address.port())
        + &service("blue", &[backend])
        + &http_route("r", "[]", "    - {name: all, backendRefs: [{name: blue, port: 80}]}\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let request =
        Request::post("http://a.example/?hold=gate&size=100").body(Bytes::from_static(b"twelve bytes")).unwrap();
    let asking = tokio::spawn(async move { Dial::http1(address).send(request).await });
    server.wait_held("gate", 1).await;
    until_all_counted(
        &site,
        r#"
        lychgate_listener_requests_in_flight{gateway="default/gw",listener="http"} 1
        lychgate_rule_requests_in_flight{route="HTTPRoute/default/r",rule="all"} 1
        lychgate_backend_requests_in_flight{backend="Service/default/blue:80"} 1
        "#,
    )
    .await;
    server.release("gate");
    assert_eq!(asking.await.unwrap().unwrap().body.len(), 100);
    until_all_counted(
        &site,
        r#"
        lychgate_listener_requests_in_flight{gateway="default/gw",listener="http"} 0
        lychgate_rule_requests_in_flight{route="HTTPRoute/default/r",rule="all"} 0
        lychgate_backend_requests_in_flight{backend="Service/default/blue:80"} 0
        lychgate_listener_received_bytes_total{gateway="default/gw",listener="http"} 12
        lychgate_listener_sent_bytes_total{gateway="default/gw",listener="http"} 100
        lychgate_rule_received_bytes_total{route="HTTPRoute/default/r",rule="all"} 12
        lychgate_rule_sent_bytes_total{route="HTTPRoute/default/r",rule="all"} 100
        lychgate_backend_sent_bytes_total{backend="Service/default/blue:80"} 12
        lychgate_backend_received_bytes_total{backend="Service/default/blue:80"} 100
        lychgate_listener_request_duration_seconds_count{gateway="default/gw",listener="http"} 1
        lychgate_rule_request_duration_seconds_count{route="HTTPRoute/default/r",rule="all"} 1
        lychgate_backend_request_duration_seconds_count{backend="Service/default/blue:80"} 1
        "#,
    )
    .await;
    site.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_in_flight() {
    let (server, backend) = echo("blue").await;
    let address = free_addr();
    let files = http_gateway(address.port())
        + &service("blue", &[backend])
        + &http_route("r", "[]", "    - {backendRefs: [{name: blue, port: 80}]}\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let asking = tokio::spawn(async move { Dial::http1(address).get("http://a.example/?hold=gate").await });
    server.wait_held("gate", 1).await;
    asking.abort();
    until_all_counted(
        &site,
        r#"
        lychgate_listener_requests_in_flight{gateway="default/gw",listener="http"} 0
        lychgate_rule_requests_in_flight{route="HTTPRoute/default/r",rule="0"} 0
        lychgate_backend_requests_in_flight{backend="Service/default/blue:80"} 0
        lychgate_rule_requests_total{code="4xx",route="HTTPRoute/default/r",rule="0"} 1
        lychgate_backend_requests_total{backend="Service/default/blue:80",code="none"} 1
        lychgate_refused_total{reason="broken_request"} 1
        "#,
    )
    .await;
    server.release("gate");
    site.stop().await;
}

#[tokio::test]
async fn what_an_upgraded_connection_carries_is_counted() {
    let (_server, backend) = echo("blue").await;
    let address = free_addr();
    let files = http_gateway(address.port())
        + &service("blue", &[backend])
        + &http_route("r", "[]", "    - {backendRefs: [{name: blue, port: 80}]}\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let mut socket = WebSocket::open(&Dial::http1(address), "ws://a.example/").await.unwrap();
    socket.ask("hello").await.unwrap();
    socket.close().await.unwrap();
    until_counted(&site, r#"lychgate_backend_requests_in_flight{backend="Service/default/blue:80"} 0"#).await;
    let text = metrics(&site).await;
    for name in ["lychgate_backend_sent_bytes_total", "lychgate_backend_received_bytes_total"] {
        let series = format!("{name}{{backend=\"Service/default/blue:80\"}} ");
        let bytes: u32 = text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap();
        assert!(bytes >= 5, "{text}");
    }
    site.stop().await;
}

#[tokio::test]
async fn connections_to_backends_are_counted_as_made_kept_and_closed() {
    let authority = Authority::new("ca");
    let (_plain, plain) = echo("plain").await;
    let (_sealed, sealed) = tls_echo("sealed", server_tls(&authority.server(&["b.example"]))).await;
    let address = free_addr();
    let rules = "    - {matches: [{path: {value: /plain}}], backendRefs: [{name: plain, port: 80}]}\n    - {matches: \
                 [{path: {value: /sealed}}], backendRefs: [{name: sealed, port: 80}]}\n";
    let files = http_gateway(address.port())
        + &service("plain", &[plain])
        + &service("sealed", &[sealed])
        + &ca("ca", &authority)
        + &tls_policy("sealed", &trusting("ca", "b.example"))
        + &http_route("r", "[]", rules);
    let site = Site::serve_alone(&[("all.yaml", &files)]).await;
    let client = Dial::http1(address);
    for name in ["plain", "sealed"] {
        for _ in 0..3 {
            assert_eq!(client.get(&format!("http://a.example/{name}")).await.unwrap().status, 200);
        }
        until_all_counted(
            &site,
            &format!(
                r#"
                lychgate_backend_connections_total{{backend="Service/default/{name}:80",kind="new"}} 1
                lychgate_backend_connections_total{{backend="Service/default/{name}:80",kind="reused"}} 2
                lychgate_backend_connections_open{{backend="Service/default/{name}:80"}} 1
                "#
            ),
        )
        .await;
    }
    // A backend that closes after its answer leaves nothing in the pool.
    let reply = client.get("http://a.example/plain?header=connection:close").await.unwrap();
    assert_eq!(reply.status, 200);
    until_counted(&site, r#"lychgate_backend_connections_open{backend="Service/default/plain:80"} 0"#).await;
    site.stop().await;
}

#[tokio::test]
async fn what_kept_a_connection_from_coming_about_is_told_apart() {
    let authority = Authority::new("ca");
    let (_sealed, sealed) = tls_echo("sealed", server_tls(&authority.server(&["b.example"]))).await;
    let (address, dead) = (free_addr(), free_addr());
    let rule = |name: &str| {
        format!("    - {{matches: [{{path: {{value: /{name}}}}}], backendRefs: [{{name: {name}, port: 80}}]}}\n")
    };
    let files = http_gateway(address.port())
        + &service("sealed", &[sealed])
        + &service("dead", &[dead])
        + &service("empty", &[])
        + &ca("ca", &authority)
        + &tls_policy("sealed", &trusting("ca", "another.example"))
        + &http_route("r", "[]", &["sealed", "dead", "empty"].map(rule).concat());
    let site = Site::serve(&[("all.yaml", &files)]).await;
    for (name, kind, status, reason) in [
        ("sealed", "tls", 502, "upstream_tls"),
        ("dead", "connect", 502, "upstream_error"),
        ("empty", "no_endpoint", 503, "no_endpoint"),
    ] {
        let reply = Dial::http1(address).get(&format!("http://a.example/{name}")).await.unwrap();
        assert_eq!(reply.status, status, "{name}");
        until_counted(&site, &format!("lychgate_refused_total{{reason=\"{reason}\"}} 1")).await;
        let text = metrics(&site).await;
        let series = |kind: &str| {
            let series = format!(
                "lychgate_backend_connect_failures_total{{backend=\"Service/default/{name}:80\",kind=\"{kind}\"}} "
            );
            // What never happened has no series.
            text.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse::<u32>().unwrap())
        };
        assert!(series(kind) >= 1, "{text}");
        let others = ["connect", "tls", "timeout", "no_endpoint"].into_iter().filter(|other| *other != kind);
        assert_eq!(others.map(series).sum::<u32>(), 0, "{text}");
    }
    // Nobody has seen the request, so it was offered to the endpoint again.
    until_counted(&site, r#"lychgate_backend_retries_total{backend="Service/default/dead:80"} 2"#).await;
    site.stop().await;
}

#[tokio::test]
async fn copies_are_counted_at_the_backend_that_gets_them() {
    let (_main, main) = echo("main").await;
    let (copied, mirror) = echo("mirror").await;
    let address = free_addr();
    let rule = "    - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: mirror, port: 80}}}]\n      \
                backendRefs: [{name: main, port: 80}]\n";
    let files = http_gateway(address.port())
        + &service("main", &[main])
        + &service("mirror", &[mirror])
        + &http_route("r", "[]", rule);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let request = Request::post("http://a.example/?size=7").body(Bytes::from_static(b"body")).unwrap();
    assert_eq!(Dial::http1(address).send(request).await.unwrap().status, 200);
    copied.wait_for(|counts| counts.requests == 1).await;
    until_all_counted(
        &site,
        r#"
        lychgate_backend_requests_total{backend="Service/default/mirror:80",code="2xx"} 1
        lychgate_backend_requests_in_flight{backend="Service/default/mirror:80"} 0
        lychgate_backend_sent_bytes_total{backend="Service/default/mirror:80"} 4
        lychgate_backend_received_bytes_total{backend="Service/default/mirror:80"} 7
        lychgate_backend_connections_total{backend="Service/default/mirror:80",kind="new"} 1
        lychgate_rule_requests_total{code="2xx",route="HTTPRoute/default/r",rule="0"} 1
        "#,
    )
    .await;
    site.stop().await;
}

#[tokio::test]
async fn reloads_and_certificates_are_told() {
    let authority = Authority::new("ca");
    let (_server, backend) = echo("blue").await;
    let address = free_addr();
    let files = gateway(&https("https", address.port(), "", &["cert"]))
        + &secret("cert", &authority.server(&["a.example"]))
        + &service("blue", &[backend])
        + &http_route("r", "[]", "    - {backendRefs: [{name: blue, port: 80}]}\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let text = metrics(&site).await;
    let value = |series: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(series))
            .unwrap_or_else(|| panic!("{series} is not in\n{text}"))
            .parse::<i64>()
            .unwrap()
    };
    let applied = value("lychgate_config_last_applied_timestamp_seconds ");
    assert!(value("lychgate_certificate_expiry_timestamp_seconds{secret=\"Secret/default/cert\"} ") > applied);
    assert_eq!(value("lychgate_config_objects{state=\"problem\"} "), 0);
    assert_eq!(value("lychgate_config_reloads_total{result=\"applied\"} "), 1);
    // A directory that is no directory any more cannot be read.
    let away = site.dir().with_extension("away");
    std::fs::rename(site.dir(), &away).unwrap();
    site.until(|report| report.unreadable.is_some()).await;
    let text = metrics(&site).await;
    let failed = text.lines().find_map(|line| line.strip_prefix("lychgate_config_reloads_total{result=\"failed\"} "));
    assert!(failed.unwrap().parse::<u32>().unwrap() >= 1, "{text}");
    std::fs::rename(&away, site.dir()).unwrap();
    site.until(|report| report.unreadable.is_none()).await;
    site.stop().await;
}
