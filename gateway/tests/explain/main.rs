//! `lychgate explain` agrees with the data plane: on random configs and requests, the rule that it names is the one that
//! answers over a real socket.
//!
//! Every rule answers with a redirect to a path that names it, so that an answer tells its rule without a backend.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod config;
mod random;
mod request;
#[allow(dead_code, reason = "written for the end-to-end tests, which use more of it")]
#[path = "../e2e/support.rs"]
mod support;

use config::Config;
use lychgate_engine::{Answer, Explainer};
use lychgate_testkit::free_addrs;
use random::Random;
use request::Request;
use std::collections::BTreeMap;
use support::Site;

const CONFIGS: u64 = 30;
const REQUESTS: usize = 40;

/// What the explanation says will be seen: where a redirect leads, or a status.
fn expected(answer: &Answer) -> String {
    match (&answer.rule, answer.refused) {
        (Some(rule), None) => format!("/{}/{}", rule.id.route.name.name, rule.id.index),
        (None, Some(_)) => "400".to_owned(),
        (None, None) => "404".to_owned(),
        (Some(rule), Some(why)) => panic!("both {} and {why}", rule.id),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rule_that_explain_names_is_the_one_that_answers() {
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..CONFIGS {
        let mut random = Random::new(seed);
        let ports = free_addrs::<2>();
        let config = Config::random(&mut random, ports);
        let yaml = config.to_yaml();
        let site = Site::serve(&[("all.yaml", &yaml)]).await;
        let report = site.report();
        assert!(report.diagnostics.is_empty(), "seed {seed}: {:#?}\n{yaml}", report.diagnostics);
        let explainer = Explainer::new(&report.snapshot).unwrap();
        for _ in 0..REQUESTS {
            let request = Request::random(&mut random, &config);
            let answer = explainer.ask(&request.question());
            let (explained, seen) = (expected(&answer), request.send().await);
            assert_eq!(explained, seen, "seed {seed}: {request:#?}\n{answer}\n{yaml}");
            let kind = if explained.starts_with('/') { "a rule" } else { &*explained };
            *outcomes.entry(kind.to_owned()).or_default() += 1;
        }
        assert_eq!(site.stop().await, 0);
    }
    println!("{outcomes:?}");
    // Agreement on nothing but 404 would show nothing.
    let share = |kind: &str| *outcomes.get(kind).unwrap_or(&0) * 100 / (REQUESTS * usize::try_from(CONFIGS).unwrap());
    assert!(share("a rule") >= 40 && share("404") >= 10 && outcomes.contains_key("400"), "{outcomes:?}");
}
