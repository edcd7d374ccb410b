//! What differs between two trees of plain data.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// One place of a resource that would differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Where, as in `rules[0].forward.backends[1].weight`; empty for the whole.
    pub(super) path: String,
    /// What is there now; `None` if nothing is.
    pub(super) from: Option<Value>,
    /// What would be there; `None` if nothing would.
    pub(super) to: Option<Value>,
}

/// Adds what differs between the two, in the order of the tree.
pub(super) fn compare(path: &str, from: Option<&Value>, to: Option<&Value>, changes: &mut Vec<Change>) {
    match (from, to) {
        (Some(Value::Object(from)), Some(Value::Object(to))) => objects(path, from, to, changes),
        (Some(Value::Array(from)), Some(Value::Array(to))) => arrays(path, from, to, changes),
        // Dumps leave out what nobody has set, and some of them write null.
        (from, to) if from.filter(|value| !value.is_null()) == to.filter(|value| !value.is_null()) => {}
        (from, to) => changes.push(Change { path: path.to_owned(), from: from.cloned(), to: to.cloned() }),
    }
}

fn objects(path: &str, from: &Map<String, Value>, to: &Map<String, Value>, changes: &mut Vec<Change>) {
    let names: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    for name in names {
        let dot = if path.is_empty() { "" } else { "." };
        compare(&format!("{path}{dot}{name}"), from.get(name), to.get(name), changes);
    }
}

/// Things that have a name are compared by it, so that one more in front does not change all after it. Where they only
/// changed places, that is the change.
fn arrays(path: &str, from: &[Value], to: &[Value], changes: &mut Vec<Change>) {
    let (Some(old), Some(new)) = (by_name(from), by_name(to)) else {
        for index in 0..from.len().max(to.len()) {
            compare(&format!("{path}[{index}]"), from.get(index), to.get(index), changes);
        }
        return;
    };
    let before = changes.len();
    for (name, value) in &old {
        compare(&format!("{path}[{name}]"), Some(value), new.get(name).copied(), changes);
    }
    for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        compare(&format!("{path}[{name}]"), None, Some(value), changes);
    }
    let order = |values: &[Value]| values.iter().filter_map(name).map(Value::from).collect::<Vec<_>>();
    let (from, to) = (order(from), order(to));
    if changes.len() == before && from != to {
        changes.push(Change { path: path.to_owned(), from: Some(from.into()), to: Some(to.into()) });
    }
}

/// `None` unless each has a name, and no two the same.
fn by_name(values: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    let named: BTreeMap<_, _> =
        values.iter().map(|value| name(value).map(|name| (name, value))).collect::<Option<_>>()?;
    (named.len() == values.len()).then_some(named)
}

/// What a member of a list is called: rules by their id, attachments by their listener.
fn name(value: &Value) -> Option<&str> {
    value.get("id").or_else(|| value.get("listener")).and_then(Value::as_str)
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, from, to } = self;
        let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(f, "{path}: {} -> {}", show(from), show(to))
    }
}

#[cfg(test)]
mod tests {
    use super::compare;
    use serde_json::{Value, json};

    fn said(from: &Value, to: &Value) -> Vec<String> {
        let mut changes = Vec::new();
        compare("", Some(from), Some(to), &mut changes);
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn says_where_and_what() {
        let from = json!({ "weight": 9, "gone": [1, 2], "same": { "a": null }, "list": [1, 2] });
        let to = json!({ "weight": 1, "new": "x", "same": {}, "list": [1, 3, 4] });
        assert_eq!(
            said(&from, &to),
            [
                "gone: [1,2] -> nothing",
                "list[1]: 2 -> 3",
                "list[2]: nothing -> 4",
                "new: nothing -> \"x\"",
                "weight: 9 -> 1"
            ]
        );
        assert_eq!(said(&from, &from), Vec::<String>::new());
    }

    #[test]
    fn compares_what_has_a_name_by_it() {
        let from = json!({ "rules": [{ "id": "a", "n": 1 }, { "id": "b", "n": 2 }] });
        let more = json!({ "rules": [{ "id": "c", "n": 3 }, { "id": "a", "n": 1 }, { "id": "b", "n": 4 }] });
        assert_eq!(said(&from, &more), ["rules[b].n: 2 -> 4", "rules[c]: nothing -> {\"id\":\"c\",\"n\":3}"]);
        let turned = json!({ "rules": [{ "id": "b", "n": 2 }, { "id": "a", "n": 1 }] });
        assert_eq!(said(&from, &turned), ["rules: [\"a\",\"b\"] -> [\"b\",\"a\"]"]);
        let twice = json!({ "rules": [{ "id": "a", "n": 1 }, { "id": "a", "n": 2 }] });
        assert_eq!(said(&from, &twice), ["rules[1].id: \"b\" -> \"a\""]);
    }
}
