//! JSON files. JSON's own rules decide what they mean; YAML, which contains nearly all of JSON, lends the positions.

use serde_json::{Number, Value};

use super::node::{Entry, Mark, Node, NodeValue};
use super::{Unreadable, load};

/// Reads one JSON value.
pub(crate) fn load_json(text: &str) -> Result<Vec<Node>, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        let mark = Mark { line: at(error.line()), column: at(error.column()) };
        let message = error.to_string();
        // The place is in the position already.
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        Unreadable { mark, message: format!("not JSON: {message}"), hint: None }
    })?;
    match load(text) {
        Ok(nodes) if nodes.len() == 1 && nodes.iter().all(|node| node.to_json() == value) => Ok(nodes),
        // Duplicate keys are legal JSON, but not in objects, and so are bombs.
        Err(error) if error.message.contains("already there") || error.message.contains("more than") => Err(error),
        // What YAML reads otherwise (tabs, surrogate pairs) is valid all the same, without positions.
        Ok(_) | Err(_) => Ok(vec![unplaced(value)]),
    }
}

fn unplaced(value: Value) -> Node {
    let value = match value {
        Value::Null => NodeValue::Null,
        Value::Bool(value) => NodeValue::Bool(value, value.to_string().into()),
        Value::Number(number) => number_value(number),
        Value::String(text) => NodeValue::String(text),
        Value::Array(items) => NodeValue::List(items.into_iter().map(unplaced).collect()),
        Value::Object(map) => NodeValue::Map(
            map.into_iter().map(|(key, value)| Entry { key, mark: TOP, value: unplaced(value) }).collect(),
        ),
    };
    Node { mark: TOP, value }
}

const TOP: Mark = Mark { line: 1, column: 1 };

fn number_value(number: Number) -> NodeValue {
    let text = number.to_string().into();
    NodeValue::Number(number, text)
}
