//! External authorization: where a chain stops and goes on, what a service is told, and what its word changes.

use crate::redirect;
use crate::support::{Asked, Outcome, chain, joined, modifier, response, target};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lychgate_filters::external_auth::{Answer, Denial, Edit, EditKind, Grant, Question, http_answer, seen};
use lychgate_filters::{Chain, RequestView, Scheme, Verdict};
use lychgate_ir::filter::{AuthHeaders, AuthProtocol, ExternalAuth, Filter, HttpAuth};
use lychgate_ir::{BackendId, BackendKind, ObjectName, Refusal, RefusalReason, Target, Transport};

fn service() -> Target {
    let (kind, name) = (BackendKind::Service, ObjectName::new("ns", "auth"));
    Target::Backend(BackendId { kind, name, port: 80, transport: Transport::Tcp })
}

fn asking(target: Target) -> Filter {
    Filter::ExternalAuth(ExternalAuth { target, protocol: AuthProtocol::Grpc { sees: AuthHeaders::All }, body: 0 })
}

fn names(names: &[&str]) -> Vec<HeaderName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn http(prefix: &str, sees: &[&str], gives: &[&str]) -> HttpAuth {
    let gives = if gives.is_empty() { AuthHeaders::All } else { AuthHeaders::Only(names(gives)) };
    HttpAuth { prefix: prefix.into(), sees: names(sees), gives }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    response(200, pairs).headers
}

fn edit(name: &str, value: &str, kind: EditKind) -> Edit {
    Edit { name: name.parse().unwrap(), value: HeaderValue::from_str(value).unwrap(), kind }
}

/// The service of the filter where the chain has stopped says yes, and it goes on.
fn grant(outcome: &mut Outcome, chain: &Chain, grant: Grant) {
    let Verdict::Ask(nth) = outcome.verdict else { panic!("nobody is to be asked: {:?}", outcome.verdict) };
    let edits = grant.apply(&mut outcome.head).unwrap();
    outcome.state.granted(nth, edits);
    let matched = outcome.matched;
    let mut view = RequestView { head: &mut outcome.head, scheme: Scheme::Http, listener_port: 80, matched };
    outcome.verdict = chain.request(&mut view, &mut outcome.state);
}

#[test]
fn nothing_is_done_before_the_service_has_said_yes_and_each_is_asked_in_turn() {
    let chain = chain([
        Filter::Redirect(redirect::AS_ASKED),
        asking(service()),
        Filter::RequestHeaders(modifier(&[("x", "y")], &[], &[])),
        asking(service()),
    ]);
    let mut outcome = Asked::get("/a", "/").through(&chain);
    assert_eq!(outcome.verdict, Verdict::Ask(0));
    assert!(!outcome.head.headers.contains_key("x"));
    grant(&mut outcome, &chain, Grant::default());
    assert_eq!(outcome.verdict, Verdict::Ask(1));
    grant(&mut outcome, &chain, Grant::default());
    assert_eq!(outcome.location(), (302, "http://client.example/a"));
    assert!(chain.may_reply() && !chain.is_empty() && chain.refusal().is_none());
}

#[test]
fn edits_of_the_rule_come_after_those_of_the_service() {
    let chain = chain([Filter::RequestHeaders(modifier(&[("x-a", "rule")], &[], &["x-b"])), asking(service())]);
    let mut outcome = Asked::get("/", "/").header("x-a", "client").through(&chain);
    let edits = ["x-a", "x-b", "x-c"].map(|name| edit(name, "service", EditKind::Overwrite)).to_vec();
    grant(&mut outcome, &chain, Grant { edits, ..Grant::default() });
    let head = outcome.forwarded();
    let seen = ["x-a", "x-b", "x-c"].map(|name| joined(&head.headers, name));
    assert_eq!(seen, [Some("rule".into()), None, Some("service".into())]);
}

#[test]
fn what_is_for_the_client_is_added_to_its_response() {
    let chain = chain([asking(service()), Filter::ResponseHeaders(modifier(&[("set-cookie", "rule=1")], &[], &[]))]);
    let mut outcome = Asked::get("/", "/").through(&chain);
    let cookies = ["a=1", "b=2"].map(|value| edit("set-cookie", value, EditKind::Overwrite));
    let response = cookies.into_iter().chain([edit("content-length", "9", EditKind::Overwrite)]).collect();
    grant(&mut outcome, &chain, Grant { response, ..Grant::default() });
    let back = crate::support::returned(&chain, &outcome, &[("set-cookie", "backend=1")]);
    assert_eq!(joined(&back.headers, "set-cookie").as_deref(), Some("a=1,b=2"));
    assert!(!back.headers.contains_key("content-length"));
}

#[test]
fn a_service_that_is_not_there_lets_nothing_pass() {
    let broken = Refusal::internal(RefusalReason::BackendNotFound, "Service ns/gone does not exist");
    let chain =
        chain([Filter::Redirect(redirect::AS_ASKED), asking(service()), asking(Target::Broken(broken.clone()))]);
    assert_eq!(Asked::get("/", "/").through(&chain).refusal(), &broken);
}

#[test]
fn a_question_has_what_is_always_told_and_what_is_listed() {
    let head = Asked::get("/a%20b?c=d", "/")
        .method("PUT")
        .header("authorization", "Basic x")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("content-length", "400")
        .header("x-secret", "s")
        .parts();
    let question = Question::of(&http("/check", &["cookie", "x-absent", "transfer-encoding"], &[]), &head, 3);
    assert_eq!((question.method.as_str(), question.target.as_str()), ("PUT", "/check/a%20b?c=d"));
    let told = [("authorization", "Basic x"), ("cookie", "a=1"), ("cookie", "b=2"), ("host", "client.example")];
    let mut expected = headers(&told);
    expected.insert("content-length", HeaderValue::from_static("3"));
    assert_eq!(question.headers, expected);
    let question = Question::of(&http("", &[], &[]), &Asked::get("/", "/").parts(), 0);
    assert_eq!(question.target, "/");
    assert_eq!(question.headers, headers(&[("host", "client.example"), ("content-length", "0")]));
}

#[test]
fn who_is_told_of_a_request_sees_what_is_listed_or_all() {
    let map = headers(&[("host", "h"), ("a", "1"), ("b", "2"), ("a", "3")]);
    let told = |sees| {
        let mut told: Vec<String> =
            seen(&sees, &map).map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        told.sort();
        told.join(" ")
    };
    assert_eq!(told(AuthHeaders::All), "a=1 a=3 b=2");
    assert_eq!(told(AuthHeaders::Only(names(&["b", "c"]))), "b=2");
}

#[test]
fn only_200_is_yes() {
    let auth = http("", &[], &[]);
    let answer = |status| http_answer(&auth, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), Some(vec![]));
    assert_eq!(answer(200), Answer::Granted(Grant::default()));
    for status in [500, 502, 503, 599] {
        assert!(matches!(answer(status), Answer::Failed(_)), "{status}");
    }
    for (status, shown) in
        [(301, 301), (302, 302), (401, 401), (403, 403), (429, 429), (204, 403), (304, 403), (101, 403)]
    {
        match answer(status) {
            Answer::Denied(denial) => assert_eq!(denial.status, shown, "{status}"),
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[test]
fn listed_headers_come_from_the_service_alone() {
    let auth = http("", &[], &["x-user", "x-groups"]);
    let given = headers(&[("x-user", "ann"), ("x-other", "o"), ("content-type", "text/plain")]);
    let Answer::Granted(grant) = http_answer(&auth, StatusCode::OK, &given, None) else { panic!("no yes") };
    let asked = Asked::get("/", "/").header("x-user", "admin").header("x-groups", "root").header("x-other", "mine");
    let mut head = asked.parts();
    assert!(grant.apply(&mut head).unwrap().is_empty());
    let seen = ["x-user", "x-groups", "x-other"].map(|name| joined(&head.headers, name));
    assert_eq!(seen, [Some("ann".into()), None, Some("mine".into())]);
}

#[test]
fn all_headers_are_those_that_are_not_about_the_answer_itself() {
    let given = headers(&[
        ("x-user", "ann"),
        ("x-list", "1"),
        ("x-list", "2"),
        ("host", "elsewhere.example"),
        ("content-type", "text/html"),
        ("content-length", "7"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("x-forwarded-for", "6.6.6.6"),
    ]);
    let Answer::Granted(grant) = http_answer(&http("", &[], &[]), StatusCode::OK, &given, None) else {
        panic!("no yes")
    };
    let mut head = Asked::get("/", "/").header("content-type", "application/json").header("x-list", "0").parts();
    grant.apply(&mut head).unwrap();
    let expected = [
        ("content-type", "application/json"),
        ("host", "client.example"),
        ("x-list", "1"),
        ("x-list", "2"),
        ("x-user", "ann"),
    ];
    assert_eq!(head.headers, headers(&expected));
}

#[test]
fn what_no_service_may_change_stays() {
    let mut head =
        Asked::get("/a?token=t&x=1", "/").header("x-forwarded-for", "192.0.2.1").header("authorization", "a").parts();
    let names_of = names(&["host", "x-forwarded-for", "authorization"]);
    let edits = ["host", "x-forwarded-proto", "content-length", "x-new"];
    let grant = Grant {
        remove: names_of,
        edits: edits.map(|name| edit(name, "1", EditKind::Append)).to_vec(),
        set_query: vec![("x".into(), "2".into())],
        remove_query: vec!["token".into()],
        response: Vec::new(),
    };
    grant.apply(&mut head).unwrap();
    assert_eq!(target(&head), "/a?x=2");
    let left = [("host", "client.example"), ("x-forwarded-for", "192.0.2.1"), ("x-new", "1")];
    assert_eq!(head.headers, headers(&left));
}

#[test]
fn edits_look_at_what_was_there_before_all_of_them() {
    let edits = vec![
        edit("a", "1", EditKind::IfAbsent),
        edit("b", "1", EditKind::IfAbsent),
        edit("b", "2", EditKind::IfAbsent),
        edit("a", "2", EditKind::Append),
        edit("c", "1", EditKind::IfPresent),
        edit("d", "1", EditKind::IfPresent),
    ];
    let mut head = Asked::get("/", "/").header("a", "0").header("d", "0").parts();
    Grant { edits, ..Grant::default() }.apply(&mut head).unwrap();
    let seen = ["a", "b", "c", "d"].map(|name| joined(&head.headers, name));
    assert_eq!(seen, [Some("0,2".into()), Some("1,2".into()), None, Some("1".into())]);
}

#[test]
fn a_denial_keeps_what_describes_its_body_with_the_body_only() {
    let headers = || {
        headers(&[("content-type", "text/html"), ("www-authenticate", "Basic"), ("connection", "close")])
            .into_iter()
            .map(|(name, value)| (name.unwrap(), value))
    };
    let names = |denial: &Denial| {
        let mut names: Vec<String> = denial.headers.iter().map(|(name, _)| name.to_string()).collect();
        names.sort();
        names
    };
    let whole = Denial::new(StatusCode::UNAUTHORIZED, headers(), Some(b"<p>no</p>".to_vec()));
    assert_eq!((names(&whole), whole.body.len()), (vec!["content-type".to_owned(), "www-authenticate".to_owned()], 9));
    let cut = Denial::new(StatusCode::UNAUTHORIZED, headers(), None);
    assert_eq!((names(&cut), cut.body.len()), (vec!["www-authenticate".to_owned()], 0));
    assert!(!cut.is_bare() && Denial::bare().is_bare());
}
