//! Records of the audit log, to a collector: as whole as on the disk, and with their place in the chain.

use super::collector::{Collector, text};
use super::{otlp, serve_with};
use crate::support::soon;
use lychgate_gateway::{AuditOptions, EventOptions};
use lychgate_testkit::free_addr;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_collector_gets_what_the_disk_has() {
    let collector = Collector::start().await;
    let home = tempfile::tempdir().unwrap();
    let (log, key) = (home.path().join("audit"), home.path().join("key.pem"));
    let proxy = free_addr();
    let objects = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {{name: lychgate-egress}}\n\
         spec: {{controllerName: lychgate.dev/egress-controller}}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: out, namespace: egress}}\n\
         spec: {{gatewayClassName: lychgate-egress, addresses: [{{type: IPAddress, value: 127.0.0.1}}], \
         listeners: [{{name: proxy, port: {}, protocol: lychgate.dev/Proxy}}]}}\n",
        proxy.port()
    );
    let (site, _) = serve_with(&objects, |options| {
        let ship = EventOptions { target: otlp(&collector), service: "edge".to_owned() };
        options.audit = Some(AuditOptions { dir: log.clone(), key, required: false, ship: Some(ship) });
    })
    .await;
    let mut client = TcpStream::connect(proxy).await.unwrap();
    client.write_all(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    soon(client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403");
    drop(client);
    // What is there at the end is sent.
    site.stop().await;
    let logs = collector.got().logs;
    let [refused] = logs.as_slice() else { panic!("{logs:#?}") };
    assert_eq!((&*refused.event_name, &*refused.severity_text), ("lychgate.audit", "WARN"));
    let Some(Value::KvlistValue(list)) = refused.body.as_ref().and_then(|body| body.value.as_ref()) else {
        panic!("{refused:#?}")
    };
    let field = |name: &str| list.values.iter().find(|field| field.key == name).map(|field| text(field.value.as_ref()));
    assert_eq!(field("verdict").as_deref(), Some("Deny"));
    let (hash, line) = (field("hash").unwrap(), field("seq").unwrap());
    let segment = std::fs::read_to_string(log.join("segment-00000001.jsonl")).unwrap();
    let lines: Vec<&str> = segment.lines().collect();
    let at: usize = line.parse().unwrap();
    assert!(lines[at].contains("a.example"), "{segment}");
    assert!(lines[at + 1].contains(&hash), "the next line continues from this one: {segment}");
}
