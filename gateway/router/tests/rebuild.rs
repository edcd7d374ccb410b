//! What a table keeps of the one before it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Built, Request, exact, host, listener, prefix, rebuilt, route, route_id, route_of, rule};
use lychgate_ir::{Attachment, Route, RouteId, Rule};
use lychgate_persistent::OrdMap;
use lychgate_router::RouteTable;
use std::sync::Arc;

/// A table of payloads that tell when they were made.
struct Made(Vec<String>);

impl Made {
    fn build(&mut self, routes: &[Arc<Route>], previous: Option<Built<'_, usize>>) -> RouteTable<usize> {
        let make: &mut dyn FnMut(&Arc<Rule>) -> usize = &mut |rule| {
            self.0.push(rule.id.to_string());
            self.0.len()
        };
        rebuilt(&listener("http"), routes, previous, make).0
    }
}

fn payload(table: &RouteTable<usize>, host: &str, path: &str) -> Option<usize> {
    table.find(&Request::get(host, path).line()).map(|hit| *hit.payload)
}

#[test]
fn a_rule_that_stays_keeps_its_payload_in_a_route_that_changes() {
    let mut made = Made(Vec::new());
    let id = route_id("r");
    let stays = rule(&id, 0, vec![prefix("/stays")]);
    let first = route_of(id.clone(), Some(5), &["a.com"], vec![stays.clone(), rule(&id, 1, vec![prefix("/goes")])]);
    let first = [first];
    let table = made.build(&first, None);
    assert_eq!(made.0.len(), 2);

    let changed = route_of(id.clone(), Some(5), &["b.com"], vec![stays, rule(&id, 1, vec![exact("/comes")])]);
    let table = made.build(&[changed], Some((&first, &table)));
    assert_eq!(made.0.len(), 3, "made again: {:?}", made.0);
    assert_eq!(payload(&table, "b.com", "/stays"), Some(1));
    assert_eq!(payload(&table, "b.com", "/comes"), Some(3));
    assert_eq!((payload(&table, "a.com", "/stays"), payload(&table, "b.com", "/goes")), (None, None));
}

#[test]
fn changes_in_another_order_make_the_same_table() {
    let by_name = |name| route(name, None, &["a.com"], vec![vec![prefix(&format!("/{name}")), prefix("/")]]);
    let routes: OrdMap<RouteId, Arc<Route>> =
        ["a", "b", "c", "d"].map(|name| (route_id(name), by_name(name))).into_iter().collect();
    let nothing = OrdMap::new();
    let mut changes: Vec<_> = routes.changes(&nothing, Arc::ptr_eq).collect();
    changes.swap(0, 3);
    changes.swap(1, 2);
    let (table, _) = RouteTable::empty(listener("http")).edited(changes, &mut |_| ());
    let found = ["/a", "/b", "/c", "/d", "/"].map(|path| {
        let request = Request::get("a.com", path);
        table.find(&request.line()).map(|hit| hit.rule.route.clone())
    });
    assert_eq!(found, ["a", "b", "c", "d", "a"].map(|name| Some(route_id(name))));
}

#[test]
fn routes_of_other_listeners_are_passed_over() {
    let elsewhere = |name: &str| {
        let id = route_id(name);
        let attachments = [Attachment { listener: listener("other"), hostnames: vec![host("")] }].into();
        let rules = vec![rule(&id, 0, vec![prefix("/")])];
        Arc::new(Route { id, created: None, attachments, rules })
    };
    let mut made = Made(Vec::new());
    let routes = [elsewhere("a"), route("b", None, &[], vec![vec![prefix("/b")]]), elsewhere("c")];
    let table = made.build(&routes, None);
    assert_eq!((table.len(), made.0.len()), (1, 1));
    let table = made.build(&routes, Some((&routes, &table)));
    assert_eq!((table.len(), made.0.len()), (1, 1));

    let make: &mut dyn FnMut(&Arc<Rule>) -> usize = &mut |_| 0;
    let (other, _) = RouteTable::build(&listener("other"), &routes, make);
    assert_eq!(other.rules().map(|(rule, _)| rule.id.to_string()).collect::<Vec<_>>().len(), 2);
    assert_eq!((payload(&other, "x", "/b"), other.listener()), (Some(0), &listener("other")));
}

#[test]
fn the_last_route_leaves_nothing() {
    let mut made = Made(Vec::new());
    let routes = [route("a", None, &["a.com", "*.com"], vec![vec![prefix("/"), exact("/x")]])];
    let table = made.build(&routes, None);
    let table = made.build(&[], Some((&routes, &table)));
    assert!(table.is_empty());
    assert_eq!(payload(&table, "a.com", "/x"), None);
    assert_eq!(table.explain(&Request::get("a.com", "/x").line()).considered, []);
}
