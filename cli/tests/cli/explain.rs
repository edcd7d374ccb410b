//! `lychgate explain`

use crate::support::run_to;
use serde_json::Value;

const DIR: &str = "examples/quickstart";

#[test]
fn the_rule_and_its_near_misses_are_named() {
    let ended = run_to(0, &["explain", DIR, "--url", "http://localhost:8080/greenhouse", "-H", "x-preview: true"]);
    let text = ended.stdout;
    assert!(text.contains("HTTPRoute/default/quickstart#1(preview)@1 answers"), "{text}");
    assert!(text.contains("because it asks for more headers"), "{text}");
    assert!(text.contains("a prefix stands for whole segments"), "{text}");
    assert!(text.contains("Backend: Service/default/green:80"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert_eq!(ended.stderr, "");
}

#[test]
fn the_answer_is_json_if_asked_for() {
    let json = run_to(0, &["explain", DIR, "--url", "https://localhost:8443/green/x", "-o", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rule"]["id"], "HTTPRoute/default/quickstart#2(rewrite)@1", "{json:#}");
    assert!(json["routing"]["considered"].as_array().unwrap().len() > 1, "{json:#}");
}

#[test]
fn what_a_rule_does_is_told_in_sentences() {
    let text = run_to(0, &["explain", DIR, "--url", "http://localhost:8080/green/hello"]).stdout;
    assert!(text.contains("Filter: forward with / in place of the matched prefix of the path.\n"), "{text}");
    assert!(text.contains("Filter: response headers: set x-served-by: green.\n"), "{text}");
    let text = run_to(0, &["explain", DIR, "--url", "http://localhost:8080/old"]).stdout;
    assert!(
        text.contains("Filter: answer 301, a redirect to path /new; the rest stays as in the request.\n"),
        "{text}"
    );
}

#[test]
fn nothing_answers_with_1() {
    let ended = run_to(1, &["explain", DIR, "--url", "http://localhost/"]);
    assert!(ended.stdout.contains("No listener has this port and scheme"), "{}", ended.stdout);
    assert!(ended.stdout.contains("127.0.0.1:8080"), "what there is instead: {}", ended.stdout);
    let ended = run_to(1, &["explain", DIR, "--url", "http://localhost:8443/"]);
    assert!(ended.stdout.contains("No listener has this port and scheme"), "{}", ended.stdout);
    let ended = run_to(1, &["explain", "examples/listener-set", "--url", "http://nobody.example:8080/"]);
    assert!(ended.stdout.contains("nobody.example"), "{}", ended.stdout);
}

#[test]
fn questions_that_make_no_sense_are_refused() {
    for (url, why) in [("localhost:8080", "http://"), ("/path", "http://"), ("ftp://localhost/", "http://")] {
        let ended = run_to(1, &["explain", DIR, "--url", url]);
        assert!(ended.stderr.contains(why) && ended.stderr.contains(url), "{}", ended.stderr);
    }
    run_to(2, &["explain", DIR, "--url", "http://localhost/", "-H", "no colon"]);
    run_to(1, &["explain", "/nowhere", "--url", "http://localhost/"]);
}
