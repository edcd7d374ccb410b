//! Routes, rule by rule: a rule that is not understood refuses, and the others are served. If it is not understood what a
//! rule matches, or what the route as a whole is, nobody knows which requests would be its own, so the route refuses all.

use super::{Decoded, Rejected, Value, field, json, not_understood, refusal, whole};
use crate::resource::{Name, Need};
use lychgate_ir::{Match, PathMatch, Route, RouteId, Rule, RuleId};
use serde::Deserialize;
use serde_json::Value as Json;
use std::sync::Arc;

pub(super) fn decode(name: &Name, payload: &[u8], unmet: &[&Need]) -> Decoded {
    let (of_rules, of_all): (Vec<&Need>, Vec<&Need>) = unmet.iter().partition(|need| need.rule.is_some());
    let why = match whole::<RouteId, Route>(name, payload, &of_all) {
        Ok((id, route)) if route.id != id => return Decoded::nothing(name, "its name is another than it says"),
        Ok((id, route)) if of_rules.is_empty() => return Decoded::good(Value::Route(id, Arc::new(route))),
        Ok(_) => String::new(),
        Err(why) => why,
    };
    let json = json(payload);
    match by_rules(name, &json, &of_rules, of_all.is_empty(), &why) {
        Some(decoded) => decoded,
        // Nobody knows where it would be served.
        None => Decoded::nothing(name, why),
    }
}

fn by_rules(name: &Name, json: &Json, needs: &[&Need], rule_by_rule: bool, why: &str) -> Option<Decoded> {
    let mut route = Route {
        id: name.name.parse().ok()?,
        created: field(json, "created").unwrap_or_default(),
        attachments: field(json, "attachments")?,
        rules: Vec::new(),
    };
    let mut rejected = Vec::new();
    let texts = json.get("rules")?.as_array()?;
    let mut is_known = rule_by_rule;
    for (place, text) in texts.iter().enumerate() {
        match understand(name, text, place, needs) {
            Understood::Whole(rule) => route.rules.push(Arc::new(rule)),
            Understood::Matches(rule, why) => {
                rejected.push(Rejected::rule(rule.id.clone(), why));
                route.rules.push(Arc::new(rule));
            }
            Understood::Nothing => is_known = false,
        }
    }
    if !is_known {
        (route.rules, rejected) = refuse_all(name, &route, texts, why);
    }
    Some(Decoded { value: Value::Route(route.id.clone(), Arc::new(route)), rejected })
}

enum Understood {
    Whole(Rule),
    /// Only which requests it is for.
    Matches(Rule, String),
    Nothing,
}

fn understand(name: &Name, text: &Json, place: usize, needs: &[&Need]) -> Understood {
    let why = match needs.iter().find(|need| need.rule.is_some_and(|rule| rule as usize == place)) {
        Some(need) => need.why(),
        None => match Rule::deserialize(text) {
            Ok(rule) => return Understood::Whole(rule),
            Err(error) => not_understood(&error),
        },
    };
    match (field::<RuleId>(text, "id"), field::<Vec<Match>>(text, "matches")) {
        (Some(id), Some(matches)) if !matches.is_empty() => {
            let refused = Rule { id, matches, filters: Vec::new(), forward: Err(refusal(name, &why)) };
            Understood::Matches(refused, why)
        }
        (_, _) => Understood::Nothing,
    }
}

/// Every rule that has a name refuses whatever comes to the hosts of the route.
fn refuse_all(name: &Name, route: &Route, texts: &[Json], why: &str) -> (Vec<Arc<Rule>>, Vec<Rejected>) {
    let named = texts.iter().filter_map(|text| field::<RuleId>(text, "id"));
    let mut ids: Vec<RuleId> = named.collect();
    if ids.is_empty() {
        ids.push(RuleId { route: route.id.clone(), generation: 0, index: 0, name: None });
    }
    let everything = Match { path: PathMatch::Prefix("".into()), method: None, headers: Vec::new(), query: Vec::new() };
    let refuse = |id: &RuleId| {
        Arc::new(Rule {
            id: id.clone(),
            matches: vec![everything.clone()],
            filters: Vec::new(),
            forward: Err(refusal(name, why)),
        })
    };
    (ids.iter().map(refuse).collect(), ids.iter().map(|id| Rejected::rule(id.clone(), why)).collect())
}
