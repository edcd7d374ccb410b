//! Differences lead where they should, whatever came before.
#![allow(clippy::unwrap_used)]

use super::{Changes, State};
use crate::resource::{Delta, Hash, Kind, Name, Resource, ResourceSet, Sum};
use crate::wire;
use lychgate_ir::{
    Attachment, Certificate, EndpointSet, Endpoints, HostPattern, Listener, Match, PathMatch, Protocol, Redacted,
    Refusal, RefusalReason, Route, Rule, RuleId, Snapshot,
};
use lychgate_persistent::OrdMap;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is published of each name: nothing, one thing, another, something of the future.
#[derive(Clone, Debug)]
struct Published {
    listeners: Vec<u8>,
    routes: Vec<u8>,
    certificates: Vec<u8>,
    endpoints: Vec<u8>,
}

fn published() -> impl Strategy<Value = Published> {
    let some = |most: u8, names: usize| prop::collection::vec(0..most, names);
    (some(4, 2), some(4, 4), some(3, 2), some(3, 3)).prop_map(|(listeners, routes, certificates, endpoints)| {
        Published { listeners, routes, certificates, endpoints }
    })
}

impl Published {
    fn set(&self) -> ResourceSet {
        let (snapshot, endpoints, future) = self.parts();
        let set = ResourceSet::of(&snapshot, &endpoints);
        future.into_iter().fold(set, |set, (name, value)| {
            set.with(name, Resource::new(serde_json::to_vec(&value).unwrap(), Vec::new()))
        })
    }

    /// What this version of us can say, and what only a later one can.
    fn parts(&self) -> (Snapshot, Endpoints, Vec<(Name, serde_json::Value)>) {
        let mut snapshot = Snapshot::default();
        let mut future = Vec::new();
        for (name, variant) in self.listeners.iter().enumerate().filter(|(_, variant)| **variant > 0) {
            let listener = Listener {
                id: format!("Gateway/a/b/l{name}").parse().unwrap(),
                addresses: Vec::new(),
                port: u16::from(*variant),
                protocol: Protocol::Http,
                hostname: HostPattern::Any,
                tls: None,
                upstream_identity: None,
                trusted_hops: 0,
                proxy_protocol_from: Vec::new(),
                filters: Vec::new(),
                leaves: false,
            };
            if *variant == 3 {
                let mut value = serde_json::to_value(&listener).unwrap();
                value["tls"] = "another way".into();
                future.push((Name::new(Kind::Listener, &listener.id), value));
            }
            snapshot.listeners.insert(listener.id.clone(), Arc::new(listener));
        }
        for (name, variant) in self.routes.iter().enumerate().filter(|(_, variant)| **variant > 0) {
            let rule: RuleId = format!("HTTPRoute/a/r{name}#0@{variant}").parse().unwrap();
            let matches =
                vec![Match { path: PathMatch::Exact("/".into()), method: None, headers: vec![], query: vec![] }];
            let attachment = |listener: usize| Attachment {
                listener: format!("Gateway/a/b/l{listener}").parse().unwrap(),
                hostnames: vec![HostPattern::Any],
            };
            let route = Route {
                id: rule.route.clone(),
                created: None,
                attachments: (0..=name % 2).map(attachment).collect(),
                rules: vec![Arc::new(Rule {
                    id: rule,
                    matches,
                    filters: vec![],
                    forward: Err(Refusal::internal(RefusalReason::NoBackend, "none")),
                })],
            };
            if *variant == 3 {
                let mut value = serde_json::to_value(&route).unwrap();
                value["rules"][0]["filters"] = serde_json::json!(["of another kind"]);
                future.push((Name::new(Kind::Route, &route.id), value));
            }
            snapshot.routes.insert(route.id.clone(), Arc::new(route));
        }
        for (name, variant) in self.certificates.iter().enumerate().filter(|(_, variant)| **variant > 0) {
            let id: lychgate_ir::CertificateId = format!("Secret/a/c{name}").parse().unwrap();
            let key_pem = Redacted::new(format!("key {variant}"));
            snapshot.certificates.insert(id.clone(), Arc::new(Certificate { id, chain_pem: "chain".into(), key_pem }));
        }
        let mut endpoints = Endpoints::new();
        for (name, _) in self.endpoints.iter().enumerate().filter(|(_, variant)| **variant > 0) {
            endpoints.insert(format!("Service/a/s{name}:80").parse().unwrap(), Arc::new(EndpointSet::default()));
        }
        (snapshot, endpoints, future)
    }
}

/// As it comes over the wire.
fn changes(set: &ResourceSet, held: &State) -> Changes {
    let Delta { changed, removed } = set.since(held.held.iter().map(|(name, hash)| (name, *hash)));
    let resource = |(name, resource): (Name, Resource)| wire::Resource {
        kind: name.kind.as_str().to_owned(),
        name: (*name.name).to_owned(),
        hash: resource.hash.to_bytes(),
        payload: resource.payload,
        needs: Vec::new(),
    };
    let gone = |name: Name| wire::Name { kind: name.kind.as_str().to_owned(), name: (*name.name).to_owned() };
    Changes {
        changed: changed.into_iter().map(resource).collect(),
        removed: removed.into_iter().map(gone).collect(),
        version: 1,
        digest: set.digest().to_bytes(),
    }
}

fn same(a: &State, b: &State) {
    assert_eq!(a.snapshot, b.snapshot);
    assert_eq!(a.endpoints, b.endpoints);
    assert_eq!(a.held, b.held);
    assert_eq!(a.rejected, b.rejected);
    assert_eq!(a.sum, b.sum);
    assert_eq!(a.sum, a.held.iter().map(|(name, hash)| (name, *hash)).collect::<Sum>());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_new_leads_to_what_is_published(way in prop::collection::vec(published(), 1..5)) {
        let folder = tempfile::tempdir().unwrap();
        let mut state = State::default();
        for published in &way {
            let set = published.set();
            let delta = changes(&set, &state);
            state.apply(delta).unwrap();
            let mut fresh = State::default();
            let all = changes(&set, &fresh);
            fresh.apply(all).unwrap();
            same(&state, &fresh);
            let nothing = changes(&set, &state);
            prop_assert!(nothing.changed.is_empty() && nothing.removed.is_empty());
            // From disk it is the same, and what was not understood is asked for again.
            crate::cache::store(folder.path(), &state).unwrap();
            let mut loaded = crate::cache::load(folder.path()).unwrap().unwrap();
            assert_eq!((&loaded.snapshot, &loaded.endpoints), (&state.snapshot, &state.endpoints));
            let again = changes(&set, &loaded);
            prop_assert_eq!(again.changed.len(), state.rejected.len());
            loaded.apply(again).unwrap();
            same(&loaded, &state);
        }
    }
}

/// What is equal becomes the same value, as translation has it.
fn share_routes(now: &mut OrdMap<lychgate_ir::RouteId, Arc<Route>>, before: &OrdMap<lychgate_ir::RouteId, Arc<Route>>) {
    let mut shared: BTreeMap<_, _> = now.iter().map(|(id, route)| (id.clone(), route.clone())).collect();
    share(&mut shared, &before.iter().map(|(id, route)| (id.clone(), route.clone())).collect());
    *now = shared.into_iter().collect();
}

/// What is equal becomes the same value, as translation has it.
fn share<I: Ord, V: PartialEq>(now: &mut BTreeMap<I, Arc<V>>, before: &BTreeMap<I, Arc<V>>) {
    for (id, value) in now {
        if let Some(before) = before.get(id).filter(|before| *before == value) {
            *value = before.clone();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        rng_seed: proptest::test_runner::RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_set_that_follows_is_what_a_new_one_would_be(way in prop::collection::vec(published(), 1..6)) {
        let mut set = ResourceSet::default();
        let mut before = (Snapshot::default(), Endpoints::new());
        for published in &way {
            let (mut snapshot, mut endpoints, _) = published.parts();
            share(&mut snapshot.listeners, &before.0.listeners);
            share_routes(&mut snapshot.routes, &before.0.routes);
            share(&mut snapshot.certificates, &before.0.certificates);
            share(&mut endpoints, &before.1);
            let old = set.clone();
            let names = set.follow((&before.0, &before.1), (&snapshot, &endpoints));
            prop_assert_eq!(&set, &ResourceSet::of(&snapshot, &endpoints));
            let mut named = set.named(names.iter());
            named.changed.sort_by(|a, b| a.0.cmp(&b.0));
            named.removed.sort();
            prop_assert_eq!(named, set.since(old.hashes()), "neither more nor less has changed");
            before = (snapshot, endpoints);
        }
    }
}

#[test]
fn an_update_that_leads_elsewhere_is_not_applied() {
    let published = Published { listeners: vec![1], routes: vec![1], certificates: vec![], endpoints: vec![] };
    let mut changes = changes(&published.set(), &State::default());
    changes.digest = Hash::NONE.to_bytes();
    assert!(State::default().apply(changes).is_err());
}
