//! Endpoints: which of them get requests, and that they come and go live.

use super::Bed;
use crate::support::{echo, service, service_speaking};
use crate::tls::{ca, tls_echo, tls_policy, trusting};
use lychgate_testkit::{Authority, server_tls};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

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
async fn connections_to_endpoints_that_go_are_closed_as_soon_as_nothing_runs_on_them() {
    let authority = Authority::new("ca");
    let leaf = authority.server(&["b.example"]);
    let mut only_h1 = server_tls(&leaf);
    only_h1.alpn_protocols = vec![b"http/1.1".to_vec()];
    let h2c = Some("kubernetes.io/h2c");
    for (protocol, tls) in [(None, None), (h2c, None), (None, Some(server_tls(&leaf))), (None, Some(only_h1))] {
        let is_tls = tls.is_some();
        let (server, address) = match tls {
            None => echo("a").await,
            Some(tls) => tls_echo("a", tls).await,
        };
        let policy =
            if is_tls { tls_policy("s", &trusting("ca", "b.example")) + &ca("ca", &authority) } else { String::new() };
        let with = |addresses: &[SocketAddr]| service_speaking("s", protocol, addresses) + &policy;
        let bed = Bed::new(&["s"], &[("s.yaml", &with(&[address]))]).await;
        let all_closed = async |what: &str| {
            let closed = server.wait_for(|counts| counts.closed == counts.connections);
            // Long before idle connections are closed in any case.
            let closed = tokio::time::timeout(Duration::from_secs(20), closed).await;
            assert!(closed.is_ok(), "{protocol:?}, TLS {is_tls}, {what}: {:?}", server.counts());
        };
        // Two connections, or two streams of one.
        let path = "s?hold=gate";
        tokio::join!(bed.seen(path), bed.seen(path), async {
            server.wait_held("gate", 2).await;
            server.release("gate");
        });
        server.shut("gate");
        let counts = server.counts();
        assert!(counts.connections > 0 && counts.closed < counts.connections, "{counts:?}");
        bed.site.write("s.yaml", &with(&[])).await;
        all_closed("idle").await;
        // What is in use is left alone until its request is over.
        bed.site.write("s.yaml", &with(&[address])).await;
        let (held, ()) = tokio::join!(bed.seen(path), async {
            server.wait_held("gate", 1).await;
            bed.site.write("s.yaml", &with(&[])).await;
            assert_eq!(bed.status("s").await, 503);
            let counts = server.counts();
            assert!(counts.closed < counts.connections, "{counts:?}");
            server.release("gate");
        });
        assert_eq!(held.identity.pod, "a");
        all_closed("in use").await;
        bed.stop().await;
    }
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
