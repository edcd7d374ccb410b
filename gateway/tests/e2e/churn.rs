//! Requests without a pause while everything around them changes.
//!
//! Routes, endpoints, certificates and listeners change 200 times under 10,000 requests, of which hundreds are in flight
//! at any moment. No request fails, and no connection ends that was not told to.

use crate::support::{Site, echo, gateway, http_route, service};
use lychgate_testkit::{Authority, ClientTls, Connected, Dial, Leaf, free_addrs};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::task::JoinSet;

const REQUESTS: usize = 10_000;
const CHANGES: usize = 200;
/// Over HTTP/1.1, one request at a time each.
const H1: usize = 64;
/// Over HTTP/2, half of them with TLS, with so many streams each.
const H2: usize = 8;
const STREAMS: usize = 32;

/// What stays through all of it, and what is varied.
struct Scene {
    plain: SocketAddr,
    tls: SocketAddr,
    extra: [SocketAddr; 2],
    backends: [SocketAddr; 3],
    certificates: [Leaf; 2],
}

impl Scene {
    /// Listeners: the two that are used, and others that come and go.
    fn gateway(&self, step: usize) -> String {
        let (plain, tls) = (self.plain.port(), self.tls.port());
        let mut listeners = format!(
            "    - {{name: plain, protocol: HTTP, port: {plain}}}\n    - {{name: tls, protocol: HTTPS, port: {tls}, tls: \
             {{certificateRefs: [{{name: pair}}]}}}}\n"
        );
        for (place, address) in self.extra.iter().enumerate() {
            if (step >> place) & 1 == 1 {
                listeners += &format!("    - {{name: extra-{place}, protocol: HTTP, port: {}}}\n", address.port());
            }
        }
        gateway(&listeners)
    }

    /// Every request finds a backend in every version; which one, by which rule and with which header, varies.
    fn routes(&self, step: usize) -> String {
        let rule = |prefix: &str, backend: &str| {
            format!(
                "    - matches: [{{path: {{value: {prefix}}}}}]\n      filters:\n        - type: \
                 ResponseHeaderModifier\n          responseHeaderModifier: {{set: [{{name: x-step, value: \
                 \"{step}\"}}]}}\n      backendRefs: [{{name: {backend}, port: 80}}]\n"
            )
        };
        let mut rules = rule("/", if step.is_multiple_of(2) { "even" } else { "odd" });
        if step.is_multiple_of(3) {
            rules += &rule("/deep", "even");
        }
        http_route("all", "[]", &rules) + &http_route(&format!("passing-{}", step % 5), "[passing.example]", &rules)
    }

    /// Endpoints come and go; each Service always has one.
    fn services(&self, step: usize) -> String {
        let [one, two, three] = self.backends;
        let even = if step.is_multiple_of(2) { vec![one, two] } else { vec![two, three] };
        let odd = if step.is_multiple_of(3) { vec![three] } else { vec![one, two, three] };
        service("even", &even) + &service("odd", &odd)
    }

    fn secret(&self, step: usize) -> String {
        self.certificates[step % 2].secret("default", "pair")
    }

    /// The file that a step changes, and its text.
    fn change(&self, step: usize) -> (&'static str, String) {
        match step % 4 {
            0 => ("routes.yaml", self.routes(step / 4)),
            1 => ("services.yaml", self.services(step / 4)),
            2 => ("secret.yaml", self.secret(step / 4)),
            _ => ("gateway.yaml", self.gateway(step / 4)),
        }
    }
}

/// Sends until enough was sent and every change was made; every request must be answered well. Gives back the versions of
/// the routes that were seen.
async fn client(mut connection: Connected, turn: Arc<Turn>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let url =
        |number: usize| format!("http://a.example/{}?size=64", if number.is_multiple_of(2) { "deep" } else { "" });
    while let Some(number) = turn.next() {
        let reply = connection.get(&url(number)).await.unwrap_or_else(|error| panic!("request {number}: {error}"));
        assert_eq!(reply.status, 200, "request {number}: {}", reply.text());
        assert_eq!(reply.body.len(), 64);
        seen.insert(reply.header("x-step").unwrap().to_owned());
    }
    seen
}

/// Counts requests, and spreads them over the changes: neither is over before the other.
struct Turn {
    sent: AtomicUsize,
    changed: AtomicUsize,
}

impl Turn {
    fn next(&self) -> Option<usize> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let is_over = number >= REQUESTS && self.changed.load(Ordering::Relaxed) >= CHANGES;
        (!is_over).then_some(number)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_everything_changes() {
    let (servers, backends): (Vec<_>, Vec<_>) =
        [echo("one").await, echo("two").await, echo("three").await].into_iter().unzip();
    let [plain, tls, left, right] = free_addrs();
    let authority = Authority::new("root");
    let certificates = [authority.server(&["a.example"]), authority.server(&["a.example"])];
    let scene = Scene { plain, tls, extra: [left, right], backends: backends.try_into().unwrap(), certificates };
    let files: Vec<(&str, String)> = vec![
        ("routes.yaml", scene.routes(0)),
        ("services.yaml", scene.services(0)),
        ("secret.yaml", scene.secret(0)),
        ("gateway.yaml", scene.gateway(0)),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let site = Site::serve(&files).await;

    let turn = Arc::new(Turn { sent: AtomicUsize::new(0), changed: AtomicUsize::new(0) });
    let mut clients = JoinSet::new();
    let trusted = ClientTls::trusting(&authority);
    for place in 0..H1 {
        let dial = if place.is_multiple_of(2) {
            Dial::http1(plain)
        } else {
            Dial::tls(tls, &trusted.clone().alpn(&["http/1.1"]))
        };
        clients.spawn(client(dial.connect("a.example").await.unwrap(), turn.clone()));
    }
    for place in 0..H2 {
        let dial = if place.is_multiple_of(2) { Dial::h2c(plain) } else { Dial::tls(tls, &trusted) };
        let connection = dial.connect("a.example").await.unwrap();
        for _ in 0..STREAMS {
            clients.spawn(client(connection.multiplexed().unwrap(), turn.clone()));
        }
    }

    let begun = Instant::now();
    for step in 0..CHANGES {
        let (file, text) = scene.change(step + 4);
        site.write_until(file, &text, |_| true).await;
        turn.changed.fetch_add(1, Ordering::Relaxed);
        // Requests have their share of the time.
        let share = (step + 1) * REQUESTS / CHANGES;
        while turn.sent.load(Ordering::Relaxed) < share {
            // None ends before the last change but one that has failed.
            if let Some(ended) = clients.try_join_next() {
                panic!("{:?}", ended.err());
            }
            tokio::task::yield_now().await;
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(done) = clients.join_next().await {
        seen.extend(done.unwrap());
    }
    let sent = turn.sent.load(Ordering::Relaxed);
    println!("{sent} requests and {CHANGES} changes in {:?}", begun.elapsed());
    let report = site.until(|report| report.is_clean()).await;
    assert!(report.reload > 1);
    assert!(seen.len() > CHANGES / 4 / 2, "most versions of the routes have answered: {seen:?}");
    // All of them were used.
    for server in &servers {
        assert!(server.counts().requests > 100, "{:?}", server.counts());
    }
    assert_eq!(site.stop().await, 0);
}
