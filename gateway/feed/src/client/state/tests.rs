//! Differences lead where they should, whatever came before.
#![allow(clippy::unwrap_used)]

use super::{Changes, State};
use crate::resource::{Delta, Hash, Kind, Name, Resource, ResourceSet};
use crate::wire;
use lychgate_ir::{
    Attachment, Certificate, EndpointSet, Endpoints, HostPattern, Listener, Match, PathMatch, Protocol, Redacted,
    Refusal, RefusalReason, Route, Rule, RuleId, Snapshot,
};
use proptest::prelude::*;
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
        let set = ResourceSet::of(&snapshot, &endpoints);
        future.into_iter().fold(set, |set, (name, value)| {
            set.with(name, Resource::new(serde_json::to_vec(&value).unwrap(), Vec::new()))
        })
    }
}

/// As it comes over the wire.
fn changes(set: &ResourceSet, held: &State) -> Changes {
    let Delta { changed, removed } = set.since(held.held.iter().map(|(name, hash)| (name, *hash)));
    let resource = |(name, resource): (&Name, &Resource)| wire::Resource {
        kind: name.kind.as_str().to_owned(),
        name: (*name.name).to_owned(),
        hash: resource.hash.to_bytes(),
        payload: resource.payload.clone(),
        needs: Vec::new(),
    };
    let gone = |name: &Name| wire::Name { kind: name.kind.as_str().to_owned(), name: (*name.name).to_owned() };
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
            state = state.apply(delta).unwrap();
            let fresh = State::default();
            let all = changes(&set, &fresh);
            same(&state, &fresh.apply(all).unwrap());
            let nothing = changes(&set, &state);
            prop_assert!(nothing.changed.is_empty() && nothing.removed.is_empty());
            // From disk it is the same, and what was not understood is asked for again.
            crate::cache::store(folder.path(), &state).unwrap();
            let loaded = crate::cache::load(folder.path()).unwrap().unwrap();
            assert_eq!((&loaded.snapshot, &loaded.endpoints), (&state.snapshot, &state.endpoints));
            let again = changes(&set, &loaded);
            prop_assert_eq!(again.changed.len(), state.rejected.len());
            same(&loaded.apply(again).unwrap(), &state);
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
