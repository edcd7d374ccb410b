//! How endpoints are picked: in turn, or the less busy one.

use super::Bed;
use crate::support::{echo, service};
use std::collections::BTreeMap;

fn with_annotation(service: &str, value: &str) -> String {
    service.replacen(
        "namespace: default}",
        &format!("namespace: default, annotations: {{lychgate.dev/load-balancer: {value}}}}}"),
        1,
    )
}

#[tokio::test]
async fn endpoints_take_turns() {
    let (_a, a) = echo("a").await;
    let (_b, b) = echo("b").await;
    let (_c, c) = echo("c").await;
    for service in [service("s", &[a, b, c]), with_annotation(&service("s", &[a, b, c]), "round-robin")] {
        let bed = Bed::new(&["s"], &[("all.yaml", &service)]).await;
        assert!(bed.site.report().is_clean(), "{:#}", bed.site.report().to_value());
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        let mut last = String::new();
        for _ in 0..30 {
            let pod = bed.seen("s").await.identity.pod;
            assert_ne!(pod, last, "nobody twice in a row");
            *counts.entry(pod.clone()).or_default() += 1;
            last = pod;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [10, 10, 10]);
        bed.stop().await;
    }
}

#[tokio::test]
async fn the_less_busy_endpoint_is_picked() {
    let (a, a_address) = echo("a").await;
    let (b, b_address) = echo("b").await;
    let files = with_annotation(&service("s", &[a_address, b_address]), "least-request");
    let bed = Bed::new(&["s"], &[("all.yaml", &files)]).await;
    assert!(bed.site.report().is_clean(), "{:#}", bed.site.report().to_value());
    let held = async |server: &lychgate_echo::EchoServer, count| server.wait_held("gate", count).await;
    let (first, ()) = tokio::join!(bed.seen("s?hold=gate"), async {
        tokio::select! { () = held(&a, 1) => {}, () = held(&b, 1) => {} }
        let (busy, idle) = if a.held("gate") == 1 { ("a", "b") } else { ("b", "a") };
        for _ in 0..10 {
            assert_eq!(bed.seen("s").await.identity.pod, idle, "{busy} is busy");
        }
        // A second held request makes both equally busy; with a third and fourth they are again.
        tokio::join!(bed.seen("s?hold=gate"), async {
            tokio::join!(held(&a, 1), held(&b, 1));
            tokio::join!(bed.seen("s?hold=gate"), async {
                tokio::select! { () = held(&a, 2) => {}, () = held(&b, 2) => {} }
                tokio::join!(bed.seen("s?hold=gate"), async {
                    tokio::join!(held(&a, 2), held(&b, 2));
                    a.release("gate");
                    b.release("gate");
                });
            });
        });
    });
    assert!(["a", "b"].contains(&first.identity.pod.as_str()));
    bed.stop().await;
}
