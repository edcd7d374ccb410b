//! What is decided, by example.

use crate::support::*;
use http::Method;
use lychgate_egress::address::AddressClass;
use lychgate_egress::{
    Because, Called, Decision, Hello, HttpAsk, Miss, Outcome, Policies, Reached, Screening, ServerName, Source, Spoken,
    Verdict,
};
use lychgate_ir::egress::{
    Destination, DnsName, EgressExceptions, EgressHandling, EgressMode, EgressPath, EgressProtocol, EgressRule,
    EgressSubject, EgressTls, HttpRule, Percent, SubjectLevel,
};
use lychgate_ir::{Refusal, RefusalReason};

const PUBLIC: &str = "8.8.8.8";

fn decide(policies: &Policies, called: &DnsName, spoken: Spoken<'_>, to: &str) -> Decision {
    let answer = [address(to)];
    policies.of(&workload("shop", "cart")).decide(&ask(Called::Name(called), spoken), &reached(&answer))
}

fn verdict(policies: &Policies, called: &str) -> Verdict {
    let called = name(called);
    decide(policies, &called, tls(&called), PUBLIC).verdict
}

fn uncertain(decision: &Decision) -> Option<Miss> {
    match &decision.because {
        Because::Uncertain { miss, rule: _ } => Some(*miss),
        Because::Rule { .. } | Because::NoRule | Because::NotEnforced => None,
    }
}

#[test]
fn what_no_rule_allows_is_denied() {
    let policies = enforced(vec![allow(hosts(&["api.example.com", "*.pkg.example", "**.cdn.example"]))]);
    for allowed in ["api.example.com", "a.pkg.example", "a.cdn.example", "a.b.cdn.example"] {
        assert_eq!(verdict(&policies, allowed), Verdict::Allow, "{allowed}");
    }
    for denied in ["example.com", "b.api.example.com", "a.b.pkg.example", "pkg.example", "cdn.example", "evil.org"] {
        assert_eq!(verdict(&policies, denied), Verdict::Deny, "{denied}");
    }
    let nothing = Policies::compile(&config(EgressMode::Enforce, vec![]));
    assert_eq!(verdict(&nothing, "api.example.com"), Verdict::Deny);
}

#[test]
fn what_denies_wins_whatever_the_level() {
    let account = EgressSubject::ServiceAccount(lychgate_ir::ObjectName::new("shop", "cart"));
    let policies = Policies::compile(&config(
        EgressMode::Enforce,
        vec![
            policy(EgressMode::Enforce, EgressSubject::Everyone, vec![deny(hosts(&["**.bad.example"]))]),
            policy(EgressMode::Enforce, account, vec![allow(hosts(&["a.bad.example", "good.example"]))]),
        ],
    ));
    assert_eq!(verdict(&policies, "a.bad.example"), Verdict::Deny);
    assert_eq!(verdict(&policies, "good.example"), Verdict::Allow);
    let good = name("good.example");
    let decision = decide(&policies, &good, tls(&good), PUBLIC);
    let Because::Rule { rule, level, reason: None, handling: _ } = decision.because else { panic!("{decision:?}") };
    assert_eq!((rule.to_string().as_str(), level), ("EgressPolicy/ns/policy-1#0@1", SubjectLevel::Workload));
}

#[test]
fn a_client_is_told_the_reason_of_the_rule() {
    let mut rule = deny(hosts(&["paste.example"]));
    rule.reason = Some("ask the security team".into());
    let policies = enforced(vec![allow(Destination::Any), rule]);
    let called = name("paste.example");
    assert_eq!(decide(&policies, &called, tls(&called), PUBLIC).because.for_client(), "ask the security team");
}

#[test]
fn a_name_that_is_not_certain_is_no_name() {
    let policies = enforced(vec![allow(hosts(&["good.example"]))]);
    let (good, evil) = (name("good.example"), name("evil.org"));
    let hello = |server_name, encrypted| Spoken::Tls(Hello { server_name, encrypted });
    let http =
        |host: Option<Called<'static>>| Spoken::Http(HttpAsk { host, method: &Method::GET, path: "/", tls: None });
    for (spoken, expected) in [
        (hello(ServerName::Name(&good), false), None),
        (hello(ServerName::Name(&evil), false), Some(Miss::OtherSni)),
        (hello(ServerName::Unreadable, false), Some(Miss::OtherSni)),
        (hello(ServerName::Missing, false), Some(Miss::MissingSni)),
        (hello(ServerName::Name(&good), true), Some(Miss::EncryptedClientHello)),
        (http(None), Some(Miss::OtherHost)),
        (http(Some(Called::Address([8, 8, 8, 8].into()))), Some(Miss::OtherHost)),
    ] {
        assert_eq!(uncertain(&decide(&policies, &good, spoken, PUBLIC)), expected, "{spoken:?}");
    }
    // Fronting inside the connection.
    let fronted = Spoken::Http(HttpAsk {
        host: Some(Called::Name(&evil)),
        method: &Method::GET,
        path: "/",
        tls: Some(Hello { server_name: ServerName::Name(&good), encrypted: false }),
    });
    assert_eq!(uncertain(&decide(&policies, &good, fronted, PUBLIC)), Some(Miss::OtherHost));
}

#[test]
fn a_rule_can_waive_certainty_and_no_more() {
    let mut rule = allow(hosts(&["good.example"]));
    rule.exceptions = EgressExceptions { other_sni: true, missing_sni: true, ..EgressExceptions::default() };
    let policies = enforced(vec![rule, deny(hosts(&["evil.org"]))]);
    let (good, other, evil) = (name("good.example"), name("other.example"), name("evil.org"));
    assert_eq!(decide(&policies, &good, tls(&other), PUBLIC).verdict, Verdict::Allow);
    // What is denied is denied behind every name.
    assert_eq!(decide(&policies, &good, tls(&evil), PUBLIC).verdict, Verdict::Deny);
}

#[test]
fn a_public_name_does_not_lead_inside() {
    let policies = enforced(vec![allow(hosts(&["**"]))]);
    let called = name("innocent.example");
    for (to, class) in [
        ("169.254.169.254", AddressClass::Metadata),
        ("::ffff:169.254.169.254", AddressClass::Metadata),
        ("64:ff9b::a9fe:a9fe", AddressClass::Metadata),
        ("10.0.0.7", AddressClass::Private),
        ("10.96.0.1", AddressClass::Cluster),
        ("127.0.0.1", AddressClass::Loopback),
    ] {
        let decision = decide(&policies, &called, tls(&called), to);
        assert_eq!(uncertain(&decision), Some(Miss::NotPublic(class)), "{to}");
    }
    let named = enforced(vec![allow(hosts_within(&["db.corp.example"], &["10.0.0.0/8"]))]);
    let called = name("db.corp.example");
    assert_eq!(decide(&named, &called, tls(&called), "10.0.0.7").verdict, Verdict::Allow);
    assert_eq!(uncertain(&decide(&named, &called, tls(&called), PUBLIC)), Some(Miss::Outside));
    // The cluster's part of a private network is not meant by the network.
    assert_eq!(
        uncertain(&decide(&named, &called, tls(&called), "10.96.0.1")),
        Some(Miss::NotPublic(AddressClass::Cluster))
    );
}

#[test]
fn what_is_dialled_is_what_dns_answered() {
    let policies = enforced(vec![allow(hosts(&["good.example"]))]);
    let good = name("good.example");
    let caught = ask(Called::Address(address("9.9.9.9")), tls(&good));
    let egress = policies.of(&workload("shop", "cart"));
    let elsewhere = Reached { address: address("9.9.9.9"), answer: &[address(PUBLIC)] };
    assert_eq!(uncertain(&egress.decide(&caught, &elsewhere)), Some(Miss::UnverifiedName));
    assert_eq!(egress.decide(&caught, &reached(&[address("9.9.9.9")])).verdict, Verdict::Allow);
}

#[test]
fn by_address_is_for_what_is_called_by_address() {
    let policies = enforced(vec![allow(addresses(&["9.9.9.0/24", "10.0.0.0/8"])), deny(addresses(&["9.9.9.9/32"]))]);
    let egress = policies.of(&workload("shop", "cart"));
    let by_address = |to: &str| {
        let called = ask(Called::Address(address(to)), Spoken::Tcp);
        egress.decide(&called, &Reached { address: address(to), answer: &[] }).verdict
    };
    assert_eq!(by_address("9.9.9.1"), Verdict::Allow);
    assert_eq!(by_address("10.1.1.1"), Verdict::Allow);
    assert_eq!(by_address("9.9.9.9"), Verdict::Deny);
    assert_eq!(by_address(PUBLIC), Verdict::Deny);
    // A name would have to be asked of DNS first, which is a way out of its own.
    let called = name("secret-data.evil.org");
    assert!(matches!(egress.screen(&ask(Called::Name(&called), Spoken::NotYet)), Screening::Refused(_)));
    // A rule that denies an address does so behind every disguise.
    let any = enforced(vec![allow(Destination::Any), deny(addresses(&["8.8.0.0/16"]))]);
    let called = name("a.example");
    for to in ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"] {
        assert_eq!(decide(&any, &called, tls(&called), to).verdict, Verdict::Deny, "{to}");
    }
}

#[test]
fn names_that_cannot_be_allowed_are_not_resolved() {
    let policies = enforced(vec![allow(hosts(&["good.example"]))]);
    let egress = policies.of(&workload("shop", "cart"));
    for spoken in [Spoken::NotYet, Spoken::Dns] {
        assert_eq!(egress.screen(&ask(Called::Name(&name("good.example")), spoken)), Screening::Open);
        let screened = egress.screen(&ask(Called::Name(&name("evil.org")), spoken));
        assert!(matches!(screened, Screening::Refused(_)), "{spoken:?}");
    }
    // A caught connection may still name what is allowed.
    assert_eq!(egress.screen(&ask(Called::Address(address(PUBLIC)), Spoken::NotYet)), Screening::Open);
}

#[test]
fn requests_are_held_to_method_and_path() {
    let mut rule = allow(hosts(&["api.example"]));
    rule.protocols = vec![EgressProtocol::Http(HttpRule {
        methods: vec![Method::GET],
        paths: vec![EgressPath::Prefix("/v1".into())],
    })];
    let policies = enforced(vec![rule]);
    let api = name("api.example");
    let http = |method, path| Spoken::Http(HttpAsk { host: Some(Called::Name(&api)), method, path, tls: None });
    assert_eq!(decide(&policies, &api, http(&Method::GET, "/v1/a"), PUBLIC).verdict, Verdict::Allow);
    assert_eq!(decide(&policies, &api, http(&Method::POST, "/v1/a"), PUBLIC).verdict, Verdict::Deny);
    assert_eq!(decide(&policies, &api, http(&Method::GET, "/v10"), PUBLIC).verdict, Verdict::Deny);
    assert_eq!(decide(&policies, &api, tls(&api), PUBLIC).verdict, Verdict::Deny);
    // Its name may be asked for.
    assert_eq!(decide(&policies, &api, Spoken::Dns, PUBLIC).verdict, Verdict::Allow);
}

#[test]
fn unknown_sources_gain_nothing() {
    let policies = Policies::compile(&config(
        EgressMode::Shadow(Percent::ALL),
        vec![
            policy(EgressMode::Enforce, EgressSubject::Everyone, vec![allow(hosts(&["good.example"]))]),
            policy(EgressMode::Enforce, EgressSubject::Unknown, vec![allow(hosts(&["time.example"]))]),
        ],
    ));
    let unknown = policies.of(&Source::Unknown);
    let verdict = |host: &str| {
        let host = name(host);
        unknown.decide(&ask(Called::Name(&host), tls(&host)), &reached(&[address(PUBLIC)])).verdict
    };
    assert_eq!(verdict("good.example"), Verdict::Deny);
    assert_eq!(verdict("time.example"), Verdict::Allow);
}

#[test]
fn shadow_tells_and_changes_nothing() {
    let half = Percent::new(50).unwrap();
    let policies = Policies::compile(&config(
        EgressMode::Shadow(half),
        vec![policy(
            EgressMode::Shadow(half),
            EgressSubject::Namespace("shop".into()),
            vec![allow(hosts(&["good.example"]))],
        )],
    ));
    let egress = policies.of(&workload("shop", "cart"));
    let decide = |host: &str, draw: u8| {
        let host = name(host);
        let ask = lychgate_egress::Ask { draw, ..ask(Called::Name(&host), tls(&host)) };
        egress.decide(&ask, &reached(&[address(PUBLIC)]))
    };
    assert_eq!(decide("evil.org", 0).verdict, Verdict::Allow);
    assert!(decide("evil.org", 49).would_deny());
    assert!(!decide("good.example", 49).would_deny());
    assert_eq!(decide("evil.org", 50).shadow, None);
    // An enforced list is the list, default or not.
    let listed = enforced_in_shadowed_gateway();
    assert_eq!(verdict(&listed, "good.example"), Verdict::Allow);
    assert_eq!(verdict(&listed, "evil.org"), Verdict::Deny);
}

fn enforced_in_shadowed_gateway() -> Policies {
    let subject = EgressSubject::Namespace("shop".into());
    let rules = vec![allow(hosts(&["good.example"]))];
    Policies::compile(&config(EgressMode::Shadow(Percent::ALL), vec![policy(EgressMode::Enforce, subject, rules)]))
}

#[test]
fn a_policy_in_shadow_opens_nothing() {
    let subject = EgressSubject::Namespace("shop".into());
    let policies = Policies::compile(&config(
        EgressMode::Enforce,
        vec![policy(EgressMode::Shadow(Percent::ALL), subject, vec![allow(Destination::Any)])],
    ));
    assert_eq!(verdict(&policies, "evil.org"), Verdict::Deny);
}

#[test]
fn an_explanation_names_what_was_considered() {
    let policies = enforced(vec![
        allow(hosts(&["**.example"])),
        deny(hosts(&["bad.example"])),
        allow(hosts(&["other.org"])),
        allow(addresses(&["8.8.0.0/16"])),
    ]);
    let egress = policies.of(&workload("shop", "cart"));
    let bad = name("bad.example");
    let explanation = egress.explain(&ask(Called::Name(&bad), tls(&bad)), Some(&reached(&[address(PUBLIC)])));
    let considered: Vec<(u32, Outcome)> =
        explanation.considered.iter().map(|considered| (considered.rule.index, considered.outcome)).collect();
    assert_eq!(considered, [(1, Outcome::Decided), (0, Outcome::Holds), (3, Outcome::DoesNotHold(Miss::CalledByName))]);
    assert_eq!(explanation.decision.unwrap().verdict, Verdict::Deny);
}

#[test]
fn what_is_foreseen_is_what_may_still_come() {
    let looks_into = EgressHandling {
        tls: EgressTls::Inspect(Err(Refusal::internal(RefusalReason::InvalidPolicy, String::new()))),
        ..EgressHandling::default()
    };
    let reads = vec![EgressProtocol::Http(HttpRule::default())];
    let policies = enforced(vec![
        EgressRule { protocols: reads.clone(), ..allow(hosts(&["plain.example"])) },
        EgressRule { protocols: reads, handling: looks_into.into(), ..allow(hosts(&["seen.example"])) },
    ]);
    let egress = policies.of(&workload("shop", "cart"));
    let (public, private) = ([address(PUBLIC)], [address("10.0.0.1")]);
    let foresee = |host: &DnsName, spoken: Spoken<'_>, reached: Option<&Reached<'_>>| {
        egress.foresee(&ask(Called::Name(host), spoken), reached).verdict
    };
    let (plain, seen) = (name("plain.example"), name("seen.example"));
    // Before anything is said, all may come; but not from an address that is not public.
    assert_eq!(foresee(&plain, Spoken::NotYet, None), Verdict::Allow);
    assert_eq!(foresee(&plain, Spoken::NotYet, Some(&reached(&public))), Verdict::Allow);
    assert_eq!(foresee(&plain, Spoken::NotYet, Some(&reached(&private))), Verdict::Deny);
    // TLS hides what only the one rule looks into.
    assert_eq!(foresee(&plain, tls(&plain), Some(&reached(&public))), Verdict::Deny);
    assert_eq!(foresee(&seen, tls(&seen), Some(&reached(&public))), Verdict::Allow);
    assert_eq!(foresee(&seen, tls(&plain), Some(&reached(&public))), Verdict::Deny);
    assert_eq!(decide(&policies, &seen, tls(&seen), PUBLIC).verdict, Verdict::Deny);
    // A proxy beyond knows the address; what was to be read is not let go unread for that.
    let beyond = |host: &DnsName, spoken: Spoken<'_>| egress.decide_beyond(&ask(Called::Name(host), spoken)).verdict;
    assert_eq!(beyond(&seen, Spoken::NotYet), Verdict::Allow);
    assert_eq!(beyond(&seen, tls(&seen)), Verdict::Deny);
}

#[test]
fn dns_is_asked_for_a_claimed_name_only_where_that_matters() {
    let wants = |policies: &Policies, claimed: &str| {
        let (claimed, called) = (name(claimed), Called::Address(address(PUBLIC)));
        policies.of(&workload("shop", "cart")).wants_answer(&ask(called, tls(&claimed)))
    };
    let both = enforced(vec![allow(addresses(&["8.0.0.0/8"])), allow(hosts(&["*.api.example"]))]);
    assert!(wants(&both, "a.api.example"));
    assert!(!wants(&both, "data.evil.org"), "it is allowed by its address, whatever it is called");
    assert!(!wants(&enforced(vec![allow(Destination::Any)]), "data.evil.org"));
    let elsewhere = enforced(vec![allow(hosts_within(&["*.api.example"], &["10.0.0.0/8"]))]);
    assert!(!wants(&elsewhere, "a.api.example"), "it cannot be allowed wherever that leads");
    // What is in shadow wants to tell what would be.
    let everyone = |rules| policy(EgressMode::Shadow(Percent::ALL), EgressSubject::Everyone, rules);
    let listed = || vec![everyone(vec![allow(hosts(&["a.api.example"]))])];
    let shadow = Policies::compile(&config(EgressMode::Enforce, listed()));
    assert!(wants(&shadow, "a.api.example") && !wants(&shadow, "data.evil.org"));
    let nothing_enforced = Policies::compile(&config(EgressMode::Shadow(Percent::ALL), listed()));
    assert!(wants(&nothing_enforced, "data.evil.org"));
}
