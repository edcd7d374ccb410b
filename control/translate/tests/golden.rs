//! Every fixture: objects in, snapshot, endpoints and statuses out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use lychgate_ir::{BackendTls, ClientIdentity, Filter, Resolution, Target};
use lychgate_translate::{Translation, translate};
use std::sync::Arc;

#[test]
fn fixtures_become_what_they_say() {
    let bless = std::env::var_os("LYCHGATE_BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for fixture in support::all() {
        let actual = support::print(&translate(&fixture.objects, &fixture.options, None));
        if bless {
            fixture.bless(&actual);
        } else if actual != fixture.expected {
            let at = actual.lines().zip(fixture.expected.lines()).position(|(a, b)| a != b).unwrap_or_default();
            let line = |text: &str| text.lines().nth(at).unwrap_or("(nothing)").to_owned();
            let (is, was) = (line(&actual), line(&fixture.expected));
            wrong.push(format!("{}, line {} of the expected part:\n  is:  {is}\n  was: {was}", fixture.name(), at + 1));
        }
    }
    assert!(wrong.is_empty(), "{}\nLYCHGATE_BLESS=1 accepts all of this", wrong.join("\n"));
}

/// What came before never changes what is said, and what did not change is the same Arc.
#[test]
fn the_translation_before_changes_nothing() {
    let fixtures = support::all();
    let mut before: Option<Translation> = None;
    for fixture in &fixtures {
        let fresh = translate(&fixture.objects, &fixture.options, None);
        let next = translate(&fixture.objects, &fixture.options, before.as_ref());
        assert!(next == fresh, "{}: depends on what came before", fixture.name());
        let again = translate(&fixture.objects.clone(), &fixture.options, Some(&next));
        assert!(again == fresh, "{}: is not repeatable", fixture.name());
        assert!(Arc::ptr_eq(&again.snapshot, &next.snapshot), "{}: is not shared", fixture.name());
        let copied = support::Fixture::read(fixture.path.clone());
        let copied = translate(&copied.objects, &fixture.options, Some(&next));
        assert!(copied == fresh, "{}: depends on the identity of objects", fixture.name());
        assert!(Arc::ptr_eq(&copied.snapshot, &next.snapshot), "{}: is not shared by value", fixture.name());
        before = Some(next);
    }
}

#[test]
fn snapshots_are_closed() {
    for fixture in support::all() {
        check_closed(&translate(&fixture.objects, &fixture.options, None), &fixture.name());
    }
}

fn check_closed(translation: &Translation, name: &str) {
    let snapshot = &translation.snapshot;
    let filters = |filters: &[Filter]| {
        for filter in filters {
            if let Filter::Mirror(mirror) = filter
                && let Target::Backend(id) = &mirror.target
            {
                assert!(snapshot.backends.contains_key(id), "{name}: {id} is mirrored to, and not there");
            }
        }
    };
    for route in snapshot.routes.values() {
        for attachment in &route.attachments {
            assert!(snapshot.listeners.contains_key(&attachment.listener), "{name}: {}", attachment.listener);
            assert!(!attachment.hostnames.is_empty(), "{name}");
        }
        assert!(!route.attachments.is_empty(), "{name}: {} is attached to nothing", route.id);
        for rule in &route.rules {
            assert!(!rule.matches.is_empty(), "{name}: {} matches nothing", rule.id);
            filters(&rule.filters);
            for backend in rule.forward.iter().flat_map(|forward| &forward.backends) {
                filters(&backend.filters);
                if let Target::Backend(id) = &backend.target {
                    assert!(snapshot.backends.contains_key(id), "{name}: {id} is not there");
                }
            }
        }
    }
    for (id, backend) in &snapshot.backends {
        assert_eq!(backend.resolution == Resolution::Endpoints, translation.endpoints.contains_key(id), "{name}: {id}");
        if let BackendTls::Tls(tls) = &backend.tls
            && let ClientIdentity::Certificate(id) = &tls.identity
        {
            assert!(snapshot.certificates.contains_key(id), "{name}: {id} is not there");
        }
    }
    for listener in snapshot.listeners.values() {
        for id in listener.tls.iter().flat_map(|tls| &tls.certificates).chain(&listener.upstream_identity) {
            assert!(snapshot.certificates.contains_key(id), "{name}: {id} is not there");
        }
    }
}
