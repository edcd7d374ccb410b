//! Every fixture: objects in, snapshot, endpoints and statuses out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

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
        support::check_closed(&translate(&fixture.objects, &fixture.options, None), &fixture.name());
    }
}

#[test]
fn dumps_can_be_read_back() {
    for fixture in support::all() {
        support::check_dump(&translate(&fixture.objects, &fixture.options, None), &fixture.name());
    }
}
