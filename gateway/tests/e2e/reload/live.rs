//! A valid change is live at once. How fast is printed and not asserted: tests run on busy machines.

use super::witness::{tagged, until_tag_on};
use crate::support::{Site, http_gateway};
use lychgate_testkit::{Dial, free_addr};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_live_and_the_connection_stays() {
    let address = free_addr();
    let gateway = http_gateway(address.port());
    let text = |tag: &str| gateway.clone() + &tagged("r", "a.example", tag);
    let site = Site::serve(&[("all.yaml", &text("v0"))]).await;
    let mut connection = Dial::http1(address).connect("a.example").await.unwrap();
    until_tag_on(&mut connection, "a.example", "v0").await;
    let mut times: Vec<Duration> = Vec::new();
    for version in 1..=20 {
        let tag = format!("v{version}");
        let begun = Instant::now();
        std::fs::write(site.dir().join("all.yaml"), text(&tag)).unwrap();
        until_tag_on(&mut connection, "a.example", &tag).await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!("from write to first changed answer: median {:?}, slowest {:?}", times[times.len() / 2], times[19]);
    // A report comes when all of it is done.
    let report =
        site.until(|report| report.objects.http_routes().all(|(_, route)| route.metadata.generation == 21)).await;
    assert!(report.is_clean(), "{:#}", report.to_value());
}

#[tokio::test]
async fn times_of_conditions_tell_when_their_status_changed() {
    let address = free_addr();
    let route = tagged("r", "a.example", "v1");
    let site = Site::serve(&[("all.yaml", &(http_gateway(address.port()) + &route))]).await;
    let before = site.report();
    let times = |report: &lychgate_gateway::standalone::Report| -> Vec<_> {
        report.statuses.findings().map(|finding| finding.condition.last_transition_time).collect()
    };
    assert!(times(&before).iter().all(|time| time.unix_seconds() > 1_700_000_000), "{:#}", before.to_value());
    // A change of the route alone leaves the Gateway's conditions, and those of the route that still hold, as they are.
    let changed = http_gateway(address.port()) + &tagged("r", "a.example", "v2");
    let after = site.write_until("all.yaml", &changed, |report| report.objects != before.objects).await;
    assert_eq!(times(&before), times(&after));
    let value = after.to_value();
    assert!(value["objects"].to_string().contains("\"lastTransitionTime\":\"2"), "{value:#}");
}
