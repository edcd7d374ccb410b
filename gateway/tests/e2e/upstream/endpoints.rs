//! Endpoints: which of them get requests, and that they come and go live.

use super::Bed;
use crate::support::{echo, service};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// A Service `s`, and one slice with these endpoints and their conditions.
fn with_conditions(endpoints: &[(SocketAddr, &str)]) -> String {
    let mut yaml = service("s", &[]);
    for (index, (address, conditions)) in endpoints.iter().enumerate() {
        yaml += &format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s-{index}, namespace: default, labels: \
             {{kubernetes.io/service-name: s}}}}\naddressType: IPv4\nendpoints: [{{addresses: [{}], conditions: \
             {{{conditions}}}}}]\nports: [{{name: http, port: {}}}]\n---\n",
            address.ip(),
            address.port()
        );
    }
    yaml
}

async fn pods(bed: &Bed) -> BTreeSet<String> {
    let mut pods = BTreeSet::new();
    for _ in 0..8 {
        let reply = bed.get("s").await;
        pods.insert(match reply.status.as_u16() {
            200 => reply.json::<lychgate_echo::EchoReport>().identity.pod,
            other => other.to_string(),
        });
    }
    pods
}

const READY: &str = "ready: true";
const NOT_READY: &str = "ready: false, serving: false";
const TERMINATING: &str = "ready: false, serving: true, terminating: true";
const TERMINATING_DEAF: &str = "ready: false, serving: false, terminating: true";

#[tokio::test]
async fn requests_go_to_endpoints_that_are_ready() {
    let (_a, a) = echo("a").await;
    let (_b, b) = echo("b").await;
    let (_c, c) = echo("c").await;
    let (_d, d) = echo("d").await;
    let all = [(a, READY), (b, NOT_READY), (c, TERMINATING), (d, "")];
    let bed = Bed::new(&["s"], &[("s.yaml", &with_conditions(&all))]).await;
    assert_eq!(pods(&bed).await, BTreeSet::from(["a".to_owned(), "d".to_owned()]), "unknown counts as ready");
    for (endpoints, expected) in [
        (&[(a, NOT_READY), (b, NOT_READY), (c, TERMINATING)][..], "c"),
        (&[(a, NOT_READY), (c, TERMINATING_DEAF)], "503"),
        (&[], "503"),
        (&[(b, READY), (c, TERMINATING)], "b"),
    ] {
        bed.site.write("s.yaml", &with_conditions(endpoints)).await;
        assert_eq!(pods(&bed).await, BTreeSet::from([expected.to_owned()]), "{endpoints:?}");
    }
    bed.stop().await;
}

#[tokio::test]
async fn endpoints_come_and_go_and_requests_that_have_begun_finish() {
    let (a, a_address) = echo("a").await;
    let (_b, b_address) = echo("b").await;
    let bed = Bed::new(&["s"], &[("s.yaml", &service("s", &[a_address]))]).await;
    let (held, ()) = tokio::join!(bed.seen("s?hold=gate"), async {
        a.wait_held("gate", 1).await;
        bed.site.write("s.yaml", &service("s", &[a_address, b_address])).await;
        assert_eq!(pods(&bed).await, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        bed.site.write("s.yaml", &service("s", &[b_address])).await;
        assert_eq!(pods(&bed).await, BTreeSet::from(["b".to_owned()]));
        a.release("gate");
    });
    assert_eq!(held.identity.pod, "a");
    bed.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_nobody_listens_on_costs_no_request_while_there_are_others() {
    let (_a, a) = echo("a").await;
    let (gone, gone_address) = echo("gone").await;
    gone.kill().await;
    let bed = Bed::new(&["s"], &[("s.yaml", &service("s", &[a, gone_address]))]).await;
    assert_eq!(pods(&bed).await, BTreeSet::from(["a".to_owned()]));
    bed.site.write("s.yaml", &service("s", &[gone_address])).await;
    assert_eq!(pods(&bed).await, BTreeSet::from(["502".to_owned()]));
    bed.stop().await;
}
