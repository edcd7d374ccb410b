//! How spans get to collectors, and what happens when they do not.

use super::collector::Collector;
use super::{SPAN, TRACE, get, otlp, serve, serve_with, told};
use crate::support::{PATIENCE, Site, echo, http_route, service};
use lychgate_gateway::{OtlpProtocol, OtlpTarget, Propagation, TraceOptions};
use lychgate_testkit::{Dial, free_addr};
use tokio::net::TcpListener;

const RULE: &str = "    - {backendRefs: [{name: it, port: 80}]}\n";

/// How many spans had this result, as of now.
async fn counted(site: &Site, result: &str) -> u64 {
    let text = Dial::http1(site.admin()).get("http://admin/metrics").await.unwrap().text();
    let series = format!("lychgate_trace_spans_total{{result=\"{result}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
}

async fn until_counted(site: &Site, result: &str, enough: u64) {
    let patience = tokio::time::Instant::now() + PATIENCE;
    while counted(site, result).await < enough {
        assert!(tokio::time::Instant::now() < patience, "never {enough} {result}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn otlp_goes_over_grpc_and_is_told_tokens() {
    let collector = Collector::start().await;
    let (_it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    for protocol in [OtlpProtocol::Grpc, OtlpProtocol::Http] {
        let headers = "Authorization: Bearer token".parse().unwrap();
        let target = OtlpTarget { collector: collector.url().parse().unwrap(), protocol };
        let target = OtlpTarget { collector: target.collector.with_headers(headers), ..target };
        let options = TraceOptions { service: "edge".to_owned(), ..TraceOptions::otlp(target) };
        let before = collector.got().spans.len();
        let (site, at) = serve(&objects, options).await;
        get(at, "http://a.example/", &[]).await;
        let got = collector.until(|got| got.spans.len() >= before + 2 && !got.headers.is_empty()).await;
        assert_eq!(got.headers["authorization"], "Bearer token", "{protocol:?}");
        assert_eq!(got.resource["service.name"], "edge", "{protocol:?}");
        assert_eq!(got.spans[before + 1].parent, got.spans[before].id, "{protocol:?}");
        until_counted(&site, "exported", 2).await;
        site.stop().await;
    }
}

#[tokio::test]
async fn zipkin_gets_its_json() {
    let collector = Collector::start().await;
    let (it, address) = echo("it").await;
    let rule = "    - {retry: {codes: [503], attempts: 1, backoff: 1ms}, backendRefs: [{name: it, port: 80}]}\n";
    let objects = service("it", &[address]) + &http_route("r", "[]", rule);
    let options = TraceOptions {
        otlp: None,
        zipkin: Some(collector.url().parse().unwrap()),
        propagation: vec![Propagation::B3],
        ..TraceOptions::otlp(otlp(&collector))
    };
    let (site, at) = serve(&objects, options).await;
    get(at, "http://a.example/x?status=503&fail=1&key=z", &[("b3", &format!("{TRACE}-{SPAN}-d"))]).await;
    let spans = collector.until(|got| got.zipkin.len() >= 3).await.zipkin;
    let [request, first, second] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!(
        (&request["traceId"], &request["parentId"], &request["kind"]),
        (&TRACE.into(), &SPAN.into(), &"SERVER".into())
    );
    assert_eq!(request["localEndpoint"]["serviceName"], "lychgate");
    assert_eq!(request["tags"]["url.path"], "/x");
    assert!(request["duration"].as_u64().unwrap() >= 1 && request["timestamp"].is_u64(), "{request:#}");
    for attempt in [first, second] {
        assert_eq!((&attempt["parentId"], &attempt["kind"]), (&request["id"], &"CLIENT".into()));
        assert_eq!(attempt["remoteEndpoint"]["port"], address.port());
    }
    assert_eq!((&first["tags"]["error"], second["tags"].get("error")), (&"503".into(), None));
    let second_id = second["id"].as_str().unwrap();
    assert_eq!(told(&it, 1, "B3").unwrap(), format!("{TRACE}-{second_id}-d"), "debug is passed on");
    get(at, "http://a.example/", &[]).await;
    let root = collector.until(|got| got.zipkin.len() >= 5).await.zipkin.remove(3);
    assert!(root.get("parentId").is_none(), "{root:#}");
    site.stop().await;
}

#[tokio::test]
async fn what_is_there_at_the_end_is_sent() {
    let collector = Collector::start().await;
    let (_it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    let (site, at) = serve(&objects, TraceOptions::otlp(otlp(&collector))).await;
    get(at, "http://a.example/", &[]).await;
    site.stop().await;
    assert_eq!(collector.got().spans.len(), 2);
}

#[tokio::test]
async fn a_dead_collector_costs_its_spans_and_nothing_else() {
    let (_it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    let dead =
        OtlpTarget { collector: format!("http://{}", free_addr()).parse().unwrap(), protocol: OtlpProtocol::Http };
    let (site, at) = serve(&objects, TraceOptions::otlp(dead)).await;
    assert_eq!(get(at, "http://a.example/", &[]).await.status, 200);
    until_counted(&site, "failed", 2).await;
    site.stop().await;
}

#[tokio::test]
async fn a_collector_that_does_not_answer_holds_nobody_up() {
    let (_it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    // Takes connections, and never reads.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let collector = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let target = OtlpTarget { collector, protocol: OtlpProtocol::Http };
    let options = TraceOptions { queue: 1, ..TraceOptions::otlp(target) };
    let (site, at) = serve_with(&objects, |all| all.trace = Some(options)).await;
    let client = Dial::http1(at);
    let mut connected = client.connect("a.example").await.unwrap();
    // The queue has room for one, and what is being sent never arrives: requests go on, and are counted.
    for _ in 0..600 {
        assert_eq!(connected.get("http://a.example/").await.unwrap().status, 200);
    }
    until_counted(&site, "queue_full", 1).await;
    assert_eq!(counted(&site, "exported").await, 0);
    site.stop().await;
}
