//! Whatever keeps a service from saying yes is a no.

use super::{Bed, HTTP, Says, answer, get, rule};
use crate::support::{Site, echo, http_gateway, http_route, service};
use lychgate_gateway::{AccessFormat, AccessLogOptions, AccessTarget};
use lychgate_testkit::{Dial, free_addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

#[tokio::test]
async fn a_service_that_fails_lets_nothing_pass() {
    let bed = Bed::new(HTTP, |asked| match asked.target.as_str() {
        "/error" => answer(503, &[("x-leak", "1")], "internal"),
        "/long" => answer(200, &[("x-a", &"x".repeat(70_000))], ""),
        "/many" => answer(200, &[("x-a", "1"); 120], ""),
        _ => Says::Nothing,
    })
    .await;
    for path in ["/error", "/long", "/many", "/nothing"] {
        let reply = get(bed.at, path, &[]).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-leak")), (500, None), "{path}");
        assert!(reply.text().contains("auth_failed") && !reply.text().contains("internal"), "{}", reply.text());
    }
    assert_eq!(bed.it.counts().requests, 0);
}

#[tokio::test]
async fn a_service_that_is_not_there_lets_nothing_pass_until_it_is() {
    let (it, backend) = echo("it").await;
    let at = free_addr();
    let objects = |auth: &str| {
        http_gateway(at.port()) + &service("it", &[backend]) + auth + &http_route("it", "[]", &rule(HTTP, ""))
    };
    let site = Site::serve(&[("all.yaml", &objects(""))]).await;
    // No Service, none of its endpoints, nobody who listens.
    assert!(get(at, "/", &[]).await.text().contains("refused_by_config"));
    for endpoints in [vec![], vec![free_addr()]] {
        site.write_until("all.yaml", &objects(&service("auth", &endpoints)), |report| report.is_clean()).await;
        let reply = get(at, "/", &[]).await;
        assert_eq!(reply.status, 500);
        assert!(reply.text().contains("auth_failed"), "{}", reply.text());
    }
    assert_eq!(it.counts().requests, 0);
    let (auth, address) = echo("auth").await;
    site.write_until("all.yaml", &objects(&service("auth", &[address])), |report| report.is_clean()).await;
    assert_eq!(get(at, "/", &[]).await.status, 200);
    assert_eq!((auth.counts().requests, it.counts().requests), (1, 1));
}

#[tokio::test]
async fn a_service_that_takes_too_long_is_not_waited_for() {
    let never = Arc::new(Notify::new());
    let says = |never: Arc<Notify>| move |_: &super::Asked| Says::After(never.clone(), Box::new(answer(200, &[], "")));
    let quick = |options: &mut lychgate_gateway::standalone::Options| options.limits.auth = Duration::from_millis(300);
    let bed = Bed::with(HTTP, "", says(never.clone()), quick).await;
    let reply = bed.get(&[]).await;
    assert_eq!(reply.status, 500);
    assert!(reply.text().contains("auth_failed"), "{}", reply.text());
    // The rule's own deadline is that of the question, too.
    let bed = Bed::with(HTTP, "      timeouts: {request: 300ms}\n", says(never), |_| {}).await;
    let reply = bed.get(&[]).await;
    assert_eq!(reply.status, 504);
    assert!(reply.text().contains("timeout"), "{}", reply.text());
    assert_eq!(bed.it.counts().requests, 0);
}

#[tokio::test]
async fn a_kept_connection_that_the_service_has_closed_is_no_failure() {
    let bed = Bed::new(HTTP, |asked| match asked.target.as_str() {
        "/last" => answer(200, &[("connection", "close")], ""),
        _ => answer(200, &[], ""),
    })
    .await;
    for path in ["/", "/last", "/", "/last", "/"] {
        assert_eq!(get(bed.at, path, &[]).await.status, 200, "{path}");
    }
    assert_eq!(bed.auth.asked().len(), 5);
}

#[tokio::test]
async fn a_question_about_a_question_is_refused() {
    let (it, backend) = echo("it").await;
    let at = free_addr();
    let objects = http_gateway(at.port())
        + &service("it", &[backend])
        + &service("auth", &[at])
        + &http_route("it", "[]", &rule(HTTP, ""));
    let _site = Site::serve(&[("all.yaml", &objects)]).await;
    // The service is the gate itself, whose rule would ask again. What it is told says so, and that it could not tell.
    let reply = get(at, "/", &[]).await;
    assert_eq!(reply.status, 500);
    assert!(reply.text().contains("auth_failed"), "{}", reply.text());
    // Nobody can let himself in with it.
    let reply = get(at, "/", &[("x-lychgate-authorization", "1")]).await;
    assert_eq!(reply.status, 508);
    assert!(reply.text().contains("auth_loop"), "{}", reply.text());
    assert_eq!(it.counts().requests, 0);
}

#[tokio::test]
async fn denials_and_failures_are_logged_and_counted() {
    let logs = tempfile::tempdir().unwrap();
    let file = logs.path().join("access.log");
    let target = AccessTarget::File(file.clone());
    let bed = Bed::with(
        HTTP,
        "",
        |asked| match asked.target.as_str() {
            "/no" => answer(401, &[("www-authenticate", "Basic")], ""),
            "/error" => answer(500, &[], ""),
            _ => answer(200, &[], ""),
        },
        |options| options.access_log = Some(AccessLogOptions::new(target, AccessFormat::Json)),
    )
    .await;
    for path in ["/no", "/error", "/"] {
        get(bed.at, path, &[]).await;
    }
    let metrics = Dial::http1(bed.site.admin()).get("http://admin/metrics").await.unwrap().text();
    for line in [
        "lychgate_refused_total{reason=\"auth_denied\"} 1",
        "lychgate_refused_total{reason=\"auth_failed\"} 1",
        "lychgate_backend_requests_total{backend=\"Service/default/auth:80\",code=\"2xx\"} 1",
        "lychgate_backend_requests_total{backend=\"Service/default/auth:80\",code=\"4xx\"} 1",
        "lychgate_backend_requests_total{backend=\"Service/default/auth:80\",code=\"5xx\"} 1",
    ] {
        assert!(metrics.lines().any(|each| each == line), "{line} is not in\n{metrics}");
    }
    bed.site.stop().await;
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{text}");
    let field = |line: usize, name: &str| lines[line][name].as_str().unwrap_or_default().to_owned();
    assert_eq!((&lines[0]["status"], field(0, "reason")), (&401.into(), "auth_denied".to_owned()));
    assert_eq!(field(0, "detail"), "Service/default/auth:80 denies it with 401");
    assert_eq!(field(0, "rule"), "HTTPRoute/default/it#0@1");
    assert_eq!((&lines[1]["status"], field(1, "reason")), (&500.into(), "auth_failed".to_owned()));
    assert!(field(1, "detail").contains("the service answered 500"), "{text}");
    assert_eq!((&lines[2]["status"], field(2, "reason")), (&200.into(), String::new()));
}
