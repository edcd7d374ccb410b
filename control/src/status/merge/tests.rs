#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use lychgate_api::gateway::GatewayStatus;
use lychgate_api::meta::ConditionStatus;
use lychgate_translate::CONTROLLER_NAME;

/// With no other control plane of ours beside us.
fn write_(kind: Kind, target: Option<&ObjectStatus>, observed: &Observed, now: Time) -> Option<Write> {
    write(kind, target, observed, now, &|_| false)
}

fn time(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn condition(kind: &str, holds: bool, generation: i64) -> Condition {
    Condition {
        r#type: kind.to_owned(),
        status: ConditionStatus::from(holds),
        observed_generation: Some(generation),
        last_transition_time: Time::EPOCH,
        reason: "Because".to_owned(),
        message: "it is so".to_owned(),
    }
}

fn parent(name: &str) -> ParentReference {
    serde_json::from_value(json!({ "name": name })).unwrap()
}

fn route(parents: &[&str], holds: bool, generation: i64) -> ObjectStatus {
    let parents = parents.iter().map(|name| RouteParentStatus {
        parent_ref: parent(name),
        controller_name: CONTROLLER_NAME.to_owned(),
        conditions: vec![condition("Accepted", holds, generation)],
    });
    ObjectStatus::Route(RouteStatus { parents: parents.collect() })
}

fn observed(status: Value) -> Observed {
    Observed { uid: "u".to_owned(), resource_version: "1".to_owned(), status, ours: false }
}

fn foreign(name: &str) -> Value {
    json!({"parentRef": {"name": name, "new": 1}, "controllerName": "other.example/controller", "conditions": [{"x": 1}]})
}

/// What the API server has after a write.
fn after(observed: &Observed, write: &Write) -> Observed {
    Observed { status: write.status.clone(), ours: true, ..observed.clone() }
}

fn times(status: &Value) -> Vec<&str> {
    fn walk<'a>(value: &'a Value, all: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(name, value)| match (name.as_str(), value.as_str()) {
                ("lastTransitionTime", Some(time)) => all.push(time),
                _ => walk(value, all),
            }),
            Value::Array(values) => values.iter().for_each(|value| walk(value, all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(status, &mut all);
    all
}

#[test]
fn what_others_say_of_a_route_stays_where_it_is() {
    let there = observed(json!({"parents": [foreign("a"), foreign("b")]}));
    let first = write_(Kind::HttpRoute, Some(&route(&["gw"], true, 1)), &there, time(10)).unwrap();
    assert!(first.exact);
    let parents = first.status["parents"].as_array().unwrap();
    assert_eq!(parents[..2], [foreign("a"), foreign("b")]);
    assert_eq!(parents[2]["controllerName"], CONTROLLER_NAME);
    // Then there is nothing more to do, however late it is.
    let there = after(&there, &first);
    assert_eq!(write_(Kind::HttpRoute, Some(&route(&["gw"], true, 1)), &there, time(99)), None);
    // A parent that is gone from the route goes, and only that.
    let less = write_(Kind::HttpRoute, None, &there, time(99)).unwrap();
    assert_eq!(less.status, json!({"parents": [foreign("a"), foreign("b")]}));
    assert!(
        is_ours(Kind::HttpRoute, &there, &|_| false) && !is_ours(Kind::HttpRoute, &after(&there, &less), &|_| false)
    );
}

#[test]
fn ours_stay_in_their_places_and_keep_their_times() {
    let first = write_(Kind::HttpRoute, Some(&route(&["x", "y"], true, 1)), &observed(Value::Null), time(10)).unwrap();
    let mut there = after(&observed(Value::Null), &first);
    there.status["parents"].as_array_mut().unwrap().insert(1, foreign("a"));
    // The order in which we say it does not matter.
    let again = write_(Kind::HttpRoute, Some(&route(&["y", "x"], true, 2)), &there, time(20)).unwrap();
    let names: Vec<&Value> =
        again.status["parents"].as_array().unwrap().iter().map(|p| &p["parentRef"]["name"]).collect();
    assert_eq!(names, ["x", "a", "y"]);
    assert_eq!(times(&again.status), ["1970-01-01T00:00:10Z"; 2]);
    let turned =
        write_(Kind::HttpRoute, Some(&route(&["x", "y"], false, 2)), &after(&there, &again), time(30)).unwrap();
    assert_eq!(times(&turned.status), ["1970-01-01T00:00:30Z"; 2]);
}

#[test]
fn no_more_entries_are_written_than_the_crd_takes() {
    let theirs: Vec<Value> = (0..31).map(|at| foreign(&at.to_string())).collect();
    let there = observed(json!({ "parents": theirs }));
    let write = write_(Kind::TcpRoute, Some(&route(&["a", "b", "c"], true, 1)), &there, time(1)).unwrap();
    assert_eq!(write.status["parents"].as_array().unwrap().len(), 32);
}

fn gateway(holds: bool, attached: u32) -> ObjectStatus {
    let listener = json!({
        "name": "http", "attachedRoutes": attached, "supportedKinds": [],
        "conditions": [condition("Programmed", holds, 1)],
    });
    ObjectStatus::Gateway(GatewayStatus {
        conditions: vec![condition("Accepted", true, 1), condition("Programmed", holds, 1)],
        listeners: vec![serde_json::from_value(listener).unwrap()],
        ..GatewayStatus::default()
    })
}

#[test]
fn a_gateway_is_written_when_it_says_something_else() {
    let first = write_(Kind::Gateway, Some(&gateway(true, 1)), &observed(Value::Null), time(10)).unwrap();
    assert!(!first.exact, "nobody else says it");
    let mut there = after(&observed(Value::Null), &first);
    // The server keeps lists by key in an order of its own, and others add conditions.
    let conditions = there.status["conditions"].as_array_mut().unwrap();
    conditions.reverse();
    conditions.push(json!({"type": "example.com/PolicyAffected", "status": "True"}));
    assert_eq!(write_(Kind::Gateway, Some(&gateway(true, 1)), &there, time(20)), None);
    let more = write_(Kind::Gateway, Some(&gateway(true, 2)), &there, time(20)).unwrap();
    assert_eq!(times(&more.status), ["1970-01-01T00:00:10Z"; 3]);
    assert_eq!(more.status["listeners"][0]["attachedRoutes"], 2);
}

#[test]
fn what_is_not_said_any_more_is_seen() {
    let first = write_(Kind::Gateway, Some(&gateway(true, 1)), &observed(Value::Null), time(10)).unwrap();
    let there = after(&observed(Value::Null), &first);
    let stale = |edit: &dyn Fn(&mut Value)| {
        let mut there = there.clone();
        edit(&mut there.status);
        write_(Kind::Gateway, Some(&gateway(true, 1)), &there, time(20)).is_some()
    };
    assert!(!stale(&|_| {}));
    assert!(stale(&|status| status["addresses"] = json!([{"value": "192.0.2.1"}])));
    assert!(stale(&|status| status["listeners"].as_array_mut().unwrap().push(json!({"name": "old"}))));
    let old = json!({"type": "InsecureFrontendValidationMode", "status": "True"});
    assert!(stale(&|status| status["conditions"].as_array_mut().unwrap().push(old.clone())));
    assert!(!stale(&|status| status["addresses"] = json!([])));
}

#[test]
fn what_was_ours_is_taken_back() {
    let first = write_(Kind::Gateway, Some(&gateway(true, 1)), &observed(Value::Null), time(10)).unwrap();
    let there = after(&observed(Value::Null), &first);
    assert_eq!(write_(Kind::Gateway, None, &there, time(20)).unwrap(), Write { status: json!({}), exact: false });
    assert_eq!(write_(Kind::Gateway, None, &Observed { ours: false, ..there }, time(20)), None);
}

#[test]
fn a_status_in_another_shape_is_written_over() {
    let strange = observed(json!({"conditions": "all is well", "listeners": 7}));
    let write = write_(Kind::Gateway, Some(&gateway(true, 1)), &strange, time(10)).unwrap();
    assert_eq!(times(&write.status), ["1970-01-01T00:00:10Z"; 3]);
}

#[test]
fn another_control_plane_of_ours_speaks_for_its_own_gateways() {
    let there = write_(Kind::HttpRoute, Some(&route(&["theirs"], true, 1)), &observed(Value::Null), time(10)).unwrap();
    let there = after(&observed(Value::Null), &there);
    let is_others: IsOthers<'_> = &|parent| parent.name == "theirs";
    assert_eq!(write(Kind::HttpRoute, None, &there, time(20), is_others), None);
    assert!(!is_ours(Kind::HttpRoute, &there, is_others));
    let both = write(Kind::HttpRoute, Some(&route(&["mine"], true, 1)), &there, time(20), is_others).unwrap();
    assert_eq!(times(&both.status), ["1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z"]);
}
