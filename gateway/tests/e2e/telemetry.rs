//! What operators see: metrics and access logs.

use crate::support::{Site, echo, http_gateway, http_route, service};
use lychgate_gateway::{AccessFormat, AccessLogOptions, AccessTarget};
use lychgate_testkit::{Dial, free_addr};
use std::path::Path;
use std::time::{Duration, Instant};

async fn metrics(site: &Site) -> String {
    Dial::http1(site.admin()).get("http://admin/metrics").await.unwrap().text()
}

/// Counting comes after the response, so it may be seen a moment later.
async fn until_counted(site: &Site, line: &str) {
    let begun = Instant::now();
    loop {
        let text = metrics(site).await;
        if text.lines().any(|each| each == line) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{line} is not in\n{text}");
        tokio::task::yield_now().await;
    }
}

fn lines(path: &Path, count: usize) -> Vec<serde_json::Value> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count && text.ends_with('\n') {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{text}");
        std::thread::yield_now();
    }
}

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
async fn every_request_is_logged_with_what_decided() {
    let (_server, backend) = echo("blue").await;
    let address = free_addr();
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let rules = "    - {name: all, backendRefs: [{name: blue, port: 80}]}\n";
    let files = http_gateway(address.port()) + &service("blue", &[backend]) + &http_route("r", "[a.example]", rules);
    let options = |options: &mut lychgate_gateway::standalone::Options| {
        options.access_log = Some(AccessLogOptions::new(AccessTarget::File(log.clone()), AccessFormat::Json));
    };
    let site = Site::try_serve_with(&[("all.yaml", &files)], options).await.unwrap();
    let client = Dial::http1(address);
    client.get("http://a.example/x?y=1").await.unwrap();
    client.get("http://b.example/").await.unwrap();
    let logged = lines(&log, 2);
    assert_eq!((&logged[0]["status"], &logged[0]["path"]), (&200.into(), &"/x?y=1".into()), "{:#}", logged[0]);
    assert_eq!(logged[0]["rule"], "HTTPRoute/default/r#0(all)@1");
    assert_eq!(logged[0]["backend"], "Service/default/blue:80");
    assert_eq!(logged[0]["endpoint"], backend.to_string());
    assert!(logged[0]["first_byte_ms"].is_number() && logged[0]["connect_ms"].is_number(), "{:#}", logged[0]);
    assert_eq!((&logged[1]["status"], &logged[1]["reason"]), (&404.into(), &"no_route".into()), "{:#}", logged[1]);
    std::fs::rename(&log, logs.path().join("access.log.1")).unwrap();
    site.reopen_access_log();
    client.get("http://a.example/after").await.unwrap();
    assert_eq!(lines(&log, 1)[0]["path"], "/after");
    site.stop().await;
}
