//! Ports that somebody else has, and ports that two want.

use super::witness::{Witness, tag_at, tagged, until_tag};
use crate::support::{Site, gateway, http_gateway};
use lychgate_gateway::standalone::Report;
use lychgate_testkit::{Dial, free_addr, free_addrs};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

fn two(first: u16, second: u16) -> String {
    gateway(&format!(
        "    - {{name: first, protocol: HTTP, port: {first}}}\n    - {{name: second, protocol: HTTP, port: {second}}}\n"
    ))
}

/// A port that is taken, and by whom.
fn taken() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// `place type (reason)` of every problem.
fn problems(report: &Report) -> Vec<String> {
    let text = report.statuses.problems().map(|problem| {
        let (kind, name) = (problem.object.kind, &problem.object.key.name);
        format!("{kind}/{name} {} {} ({})", problem.place, problem.condition.r#type, problem.condition.reason)
    });
    text.collect()
}

#[tokio::test]
async fn a_port_in_use_at_reload_is_told_and_taken_once_it_is_free() {
    let (address, (blocker, blocked)) = (free_addr(), taken());
    let routes = tagged("r", "a.example", "v1");
    let files = [("g.yaml", &*http_gateway(address.port())), ("r.yaml", &*routes)];
    let site = Site::try_serve_with(&files, |options| options.poll = Duration::from_millis(20)).await.unwrap();
    let witness = Witness::of(address, "a.example", &["v1", "v2"]);
    let wanted = two(address.port(), blocked.port());
    let report = site.write_until("g.yaml", &wanted, |report| !report.unbound.is_empty()).await;
    assert_eq!(
        problems(&report),
        [
            "Gateway/gw listener second Accepted (PortUnavailable)",
            "Gateway/gw listener second Programmed (PortUnavailable)"
        ]
    );
    let status: serde_json::Value = Dial::http1(site.admin()).get("http://localhost/status").await.unwrap().json();
    assert_eq!(status["notListening"][0]["socket"], blocked.to_string(), "{status:#}");
    // Other changes are not held up by it.
    std::fs::write(site.dir().join("r.yaml"), tagged("r", "a.example", "v2")).unwrap();
    until_tag(address, "a.example", "v2").await;
    drop(blocker);
    let report = site.until(|report| report.unbound.is_empty()).await;
    assert!(report.is_clean(), "{:#}", report.to_value());
    assert_eq!(tag_at(blocked, "a.example").await, "v2");
    witness.end().await;
}

#[tokio::test]
async fn at_the_start_a_port_in_use_harms_its_listener_alone() {
    let (address, (_blocker, blocked)) = (free_addr(), taken());
    let config = two(address.port(), blocked.port()) + &tagged("r", "a.example", "v1");
    let site = Site::serve(&[("all.yaml", &config)]).await;
    assert_eq!(tag_at(address, "a.example").await, "v1");
    let report = site.report();
    assert_eq!(report.unbound.keys().map(|bind| bind.port).collect::<Vec<_>>(), [blocked.port()]);
    assert!(problems(&report).contains(&"Gateway/gw listener second Programmed (PortUnavailable)".to_owned()));
    // The message names the port and what to do.
    let problem = report.statuses.problems().next().unwrap();
    assert!(problem.condition.message.contains(&blocked.to_string()), "{}", problem.condition.message);
}

/// A second Gateway of this name with one listener.
fn rival(name: &str, protocol: &str, port: u16) -> String {
    gateway(&format!(
        "    - {{name: only, protocol: {protocol}, port: {port}, tls: {{certificateRefs: [{{name: none}}]}}}}\n"
    ))
    .replace("name: gw", &format!("name: {name}"))
}

#[tokio::test]
async fn of_two_gateways_that_claim_one_port_the_first_by_name_has_it_at_the_start() {
    let [address, other] = free_addrs();
    let config =
        two(address.port(), other.port()) + &rival("late", "HTTPS", address.port()) + &tagged("r", "a.example", "v1");
    let site = Site::serve(&[("all.yaml", &config)]).await;
    assert_eq!(tag_at(address, "a.example").await, "v1");
    assert_eq!(tag_at(other, "a.example").await, "v1");
    let problems = problems(&site.report());
    assert!(problems.contains(&"Gateway/late listener only Conflicted (ProtocolConflict)".to_owned()), "{problems:#?}");
    assert!(problems.iter().all(|problem| problem.starts_with("Gateway/late")), "{problems:#?}");
}

#[tokio::test]
async fn a_gateway_that_comes_later_takes_no_port_whatever_its_name() {
    let address = free_addr();
    let config = http_gateway(address.port()) + &tagged("r", "a.example", "v1");
    let site = Site::serve(&[("all.yaml", &config)]).await;
    let witness = Witness::of(address, "a.example", &["v1"]);
    let early = rival("a-gateway-before-others", "HTTPS", address.port());
    let report = site.write_until("early.yaml", &early, |report| report.objects.gateways().len() == 2).await;
    let said = problems(&report);
    assert!(said.iter().any(|problem| problem.contains("only Conflicted (ProtocolConflict)")), "{said:#?}");
    assert!(said.iter().all(|problem| problem.starts_with("Gateway/a-gateway")), "{said:#?}");
    // A change of the one that has the port does not make it younger.
    let changed = config.replace("name: http,", "name: web,");
    let report = site.write_until("all.yaml", &changed, |report| problems(report) == said && report.reload > 2).await;
    assert!(report.objects.gateways().any(|(_, gateway)| gateway.metadata.generation == 2));
    witness.end().await;
    std::fs::remove_file(site.dir().join("early.yaml")).unwrap();
    site.until(|report| report.is_clean()).await;
}
