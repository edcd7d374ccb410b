//! Lines of access logs, read again.

use super::entry::AccessEntry;
use serde_json::Value;
use std::collections::BTreeMap;

/// A line of an access log, in either form, with whatever fields it has. Values are kept as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLine(BTreeMap<String, String>);

impl AccessLine {
    /// Reads a line. What a collector of logs wrote before a JSON object is passed over. `None` if it is no line of an
    /// access log.
    pub fn parse(line: &str) -> Option<Self> {
        let fields = text(line.trim()).or_else(|| json(line.trim()))?;
        let is_known = |name: &String| AccessEntry::FIELDS.contains(&name.as_str());
        fields.keys().any(is_known).then_some(Self(fields))
    }

    /// The value of a field; `None` if the line does not have it, or has none in it.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// All fields that have a value.
    pub fn fields(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

fn json(line: &str) -> Option<BTreeMap<String, String>> {
    let object: BTreeMap<String, Value> = serde_json::from_str(line.get(line.find('{')?..)?).ok()?;
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Some(other.to_string()),
    };
    Some(object.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect())
}

/// `name=value`, separated by spaces; `-` is none, and quotes are those of JSON.
fn text(line: &str) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            return None;
        }
        let (value, after) = if after.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let value = values.next()?.ok()?;
            (Some(value), after.get(values.byte_offset()..)?)
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            let (value, after) = after.split_at_checked(end)?;
            ((value != "-").then(|| value.to_owned()), after)
        };
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
        rest = after.trim_start_matches(' ');
    }
    Some(fields)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let json = r#"{"status":503,"path":"/x y\n","endpoint":null,"reason":"no_endpoint","user_agent":"curl \"x\"","total_ms":1.5}"#;
        let text = r#"status=503 path="/x y\n" endpoint=- reason=no_endpoint user_agent="curl \"x\"" total_ms=1.5"#;
        let line = AccessLine::parse(json).unwrap();
        assert_eq!(Some(&line), AccessLine::parse(text).as_ref());
        assert_eq!(line.get("path"), Some("/x y\n"));
        assert_eq!((line.get("endpoint"), line.get("nothing")), (None, None));
        let collected = format!("2026-01-01T00:00:00Z stdout F {json}\n");
        assert_eq!(AccessLine::parse(&collected), Some(line));
    }

    #[test]
    fn what_is_no_line_is_none() {
        for text in ["", "4f0c", "a=b", "{\"a\":1}", "status=\"503", "no line at all", "{", "status", "=x", "é=1"] {
            assert_eq!(AccessLine::parse(text), None, "{text}");
        }
    }
}
