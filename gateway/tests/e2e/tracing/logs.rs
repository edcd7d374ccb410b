//! Access logs, to a collector and with traces.

use super::collector::{Collector, text};
use super::{SPAN, TRACE, get, otlp, serve_with};
use crate::support::{echo, http_route, service};
use lychgate_gateway::{AccessFormat, AccessLogOptions, AccessTarget, OtlpProtocol, OtlpTarget, TraceOptions};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use std::collections::BTreeMap;

const RULE: &str = "    - {name: all, backendRefs: [{name: it, port: 80}]}\n";

#[tokio::test]
async fn entries_are_log_records_of_their_trace() {
    let collector = Collector::start().await;
    let (_it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[a.example]", RULE);
    for protocol in [OtlpProtocol::Http, OtlpProtocol::Grpc] {
        let before = collector.got().logs.len();
        let target = OtlpTarget { collector: collector.url().parse().unwrap(), protocol };
        let log = AccessTarget::Otlp { target, service: "edge".to_owned() };
        let (site, at) = serve_with(&objects, |options| {
            options.trace = Some(TraceOptions::otlp(otlp(&collector)));
            options.access_log = Some(AccessLogOptions::new(log, AccessFormat::Json));
        })
        .await;
        get(at, "http://a.example/x?y=1", &[("traceparent", &format!("00-{TRACE}-{SPAN}-01"))]).await;
        get(at, "http://b.example/", &[]).await;
        // What is there at the end is sent.
        site.stop().await;
        let logs = collector.got().logs;
        let [good, refused] = &logs[before..] else { panic!("{logs:#?}") };
        assert_eq!((&*good.event_name, &*good.severity_text), ("lychgate.access", "INFO"));
        let trace: String = good.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(trace, TRACE);
        let fields = fields(good.body.as_ref().and_then(|body| body.value.as_ref()));
        for (name, value) in [
            ("path", "/x?y=1"),
            ("status", "200"),
            ("trace_id", TRACE),
            ("rule", "HTTPRoute/default/r#0(all)@1"),
            ("backend", "Service/default/it:80"),
        ] {
            assert_eq!(fields.get(name).map(String::as_str), Some(value), "{name}: {fields:#?}");
        }
        assert!(!fields.contains_key("reason"), "what is not there is left out: {fields:#?}");
        assert_ne!(refused.trace_id, good.trace_id);
    }
}

fn fields(body: Option<&Value>) -> BTreeMap<String, String> {
    let Some(Value::KvlistValue(list)) = body else { panic!("{body:?}") };
    list.values.iter().map(|field| (field.key.clone(), text(field.value.as_ref()))).collect()
}
