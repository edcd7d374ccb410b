//! Values against schemas.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Format, ListType, Schema, Type, Violations, pattern};
use crate::path::{FieldPath, Segment};
use crate::{Violation, similar};

/// Adds a violation for each way in which the value does not fit. With `redact`, messages never repeat a value.
pub(crate) fn validate(schema: &Schema, value: &Value, path: &mut FieldPath, redact: bool, found: &mut Violations) {
    Validator { path, redact, found }.value(schema, value);
}

struct Validator<'a> {
    path: &'a mut FieldPath,
    redact: bool,
    found: &'a mut Violations,
}

impl Validator<'_> {
    fn add(&mut self, message: impl Into<String>, hint: Option<String>) {
        self.found.push(Violation { path: self.path.clone(), message: message.into(), hint });
    }

    /// A value as messages show it.
    fn show(&self, value: &Value) -> String {
        if self.redact {
            return "the value".to_owned();
        }
        let text = value.to_string();
        if text.chars().count() <= 80 { text } else { format!("{}…", text.chars().take(79).collect::<String>()) }
    }

    fn value(&mut self, schema: &Schema, value: &Value) {
        if value.is_null() && schema.nullable {
            return;
        }
        if !has_type(schema, value) {
            let hint = is_quoted(schema, value).then(|| "write it without quotes".to_owned());
            self.add(format!("must be {}, not {}", wanted_type(schema), type_name(value)), hint);
            return;
        }
        if !schema.words.is_empty() && !schema.words.contains(value) {
            self.not_a_word(schema, value);
        }
        match value {
            Value::Object(map) => self.object(schema, map),
            Value::Array(items) => self.list(schema, items),
            Value::String(text) => self.text(schema, value, text),
            Value::Number(number) => self.number(schema, value, number.as_f64().unwrap_or(f64::NAN)),
            Value::Bool(_) | Value::Null => {}
        }
        self.combinations(schema, value);
    }

    fn not_a_word(&mut self, schema: &Schema, value: &Value) {
        let words: Vec<_> = schema.words.iter().map(Value::to_string).collect();
        let hint = value
            .as_str()
            .and_then(|word| similar::closest(word, schema.words.iter().filter_map(Value::as_str)))
            .map(|close| format!("did you mean {close:?}?"));
        self.add(format!("{} is none of {}", self.show(value), words.join(", ")), hint);
    }

    fn object(&mut self, schema: &Schema, map: &Map<String, Value>) {
        let count = map.len() as u64;
        if let Some(min) = schema.limits.properties.below(count) {
            self.add(format!("must have at least {min} {}", plural(min, "entry", "entries")), None);
        }
        if let Some(max) = schema.limits.properties.above(count) {
            self.add(format!("must have at most {max} {}, not {count}", plural(max, "entry", "entries")), None);
        }
        for name in &schema.required {
            if !map.contains_key(name) {
                let path = self.path.field(name);
                self.found.push(Violation { path, message: "is required".to_owned(), hint: None });
            }
        }
        for (key, child) in map {
            let (schema, segment) = match (schema.properties.get(key), &schema.additional) {
                (Some(property), _) => (&**property, Segment::Field(key.clone())),
                (None, Some(additional)) => (additional.as_ref(), Segment::Key(key.clone())),
                (None, None) => continue,
            };
            self.path.push(segment);
            self.value(schema, child);
            self.path.pop();
        }
    }

    fn list(&mut self, schema: &Schema, items: &[Value]) {
        let count = items.len() as u64;
        if let Some(min) = schema.limits.items.below(count) {
            self.add(format!("must have at least {min} {}", plural(min, "item", "items")), None);
        }
        if let Some(max) = schema.limits.items.above(count) {
            self.add(format!("must have at most {max} {}, not {count}", plural(max, "item", "items")), None);
            return;
        }
        if let Some(item_schema) = &schema.items {
            for (index, item) in items.iter().enumerate() {
                self.path.push(Segment::Index(index));
                self.value(item_schema, item);
                self.path.pop();
            }
        }
        self.unique(&schema.list, items);
    }

    fn unique(&mut self, list: &ListType, items: &[Value]) {
        let identity = |item: &Value| match list {
            ListType::Atomic => None,
            ListType::Set => Some(item.to_string()),
            ListType::Map(keys) => {
                let shown: Vec<_> = keys.iter().filter_map(|key| Some(format!("{key} {}", item.get(key)?))).collect();
                Some(shown.join(", "))
            }
        };
        let mut seen = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let Some(identity) = identity(item) else { return };
            if seen.contains(&identity) {
                let shown = if self.redact { "the same value" } else { identity.as_str() };
                let message = format!("an earlier item has {shown} already");
                let path = self.path.with(Segment::Index(index));
                self.found.push(Violation { path, message, hint: Some("remove or rename one of them".to_owned()) });
            }
            seen.insert(identity);
        }
    }

    fn text(&mut self, schema: &Schema, value: &Value, text: &str) {
        let length = text.chars().count() as u64;
        if let Some(min) = schema.limits.length.below(length) {
            let message =
                if min == 1 { "must not be empty".to_owned() } else { format!("must have at least {min} characters") };
            self.add(message, None);
            return;
        }
        if let Some(max) = schema.limits.length.above(length) {
            self.add(format!("must have at most {max} characters, not {length}"), None);
            return;
        }
        if let Some(pattern) = &schema.pattern
            && !pattern.is_match(text)
        {
            let message = match pattern::describe(pattern.as_str()) {
                Some(what) => format!("{} is not {what}", self.show(value)),
                None => format!("{} does not match {}", self.show(value), pattern.as_str()),
            };
            self.add(message, None);
        }
        if let Some(format) = schema.format
            && !format.accepts_text(text)
        {
            let hint = (format == Format::Byte).then(|| "plain text goes under stringData".to_owned());
            self.add(format!("{} is not {}", self.show(value), format.describe()), hint);
        }
    }

    fn number(&mut self, schema: &Schema, value: &Value, number: f64) {
        match (schema.limits.value.min, schema.limits.value.max) {
            (Some(min), Some(max)) if !(min..=max).contains(&number) => {
                self.add(format!("{} is not between {min} and {max}", self.show(value)), None);
            }
            (Some(min), None) if number < min => {
                self.add(format!("{} is less than {min}", self.show(value)), None);
            }
            (None, Some(max)) if number > max => {
                self.add(format!("{} is more than {max}", self.show(value)), None);
            }
            _ => {}
        }
        if let Some(format) = schema.format
            && !format.accepts_number(number)
        {
            self.add(format!("{} is not {}", self.show(value), format.describe()), None);
        }
    }

    /// What would be wrong if the value had to fit this schema.
    fn trial(&mut self, schema: &Schema, value: &Value) -> Violations {
        let mut found = Violations::new();
        Validator { path: self.path, redact: self.redact, found: &mut found }.value(schema, value);
        found
    }

    fn combinations(&mut self, schema: &Schema, value: &Value) {
        for each in &schema.all_of {
            self.value(each, value);
        }
        if !schema.any_of.is_empty() {
            self.any_of(&schema.any_of, value);
        }
        if !schema.one_of.is_empty() {
            let mut trials: Vec<_> = schema.one_of.iter().map(|each| self.trial(each, value)).collect();
            let fitting = trials.iter().filter(|trial| trial.is_empty()).count();
            if fitting == 0 {
                // The shape that comes closest says it best.
                trials.sort_by_key(Vec::len);
                self.found.extend(trials.into_iter().next().unwrap_or_default());
            } else if fitting > 1 {
                self.add("fits several shapes that exclude each other", None);
            }
        }
        if let Some(not) = &schema.not
            && self.trial(not, value).is_empty()
        {
            self.add(format!("{} is not allowed here", self.show(value)), None);
        }
    }

    fn any_of(&mut self, any_of: &[Schema], value: &Value) {
        let mut closest: Option<Violations> = None;
        for each in any_of {
            let trial = self.trial(each, value);
            if trial.is_empty() {
                return;
            }
            if closest.as_ref().is_none_or(|closest| trial.len() < closest.len()) {
                closest = Some(trial);
            }
        }
        let formats: Option<Vec<_>> = any_of.iter().map(|each| Some(each.format?.describe())).collect();
        match formats {
            Some(formats) => self.add(format!("{} is not {}", self.show(value), formats.join(" or ")), None),
            None => self.found.extend(closest.unwrap_or_default()),
        }
    }
}

fn has_type(schema: &Schema, value: &Value) -> bool {
    if schema.int_or_string {
        return value.is_string() || is_integer(value);
    }
    match schema.ty {
        None => true,
        Some(Type::Object) => value.is_object(),
        Some(Type::Array) => value.is_array(),
        Some(Type::String) => value.is_string(),
        Some(Type::Boolean) => value.is_boolean(),
        Some(Type::Number) => value.is_number(),
        Some(Type::Integer) => is_integer(value),
    }
}

/// A number or boolean that stands in quotes.
fn is_quoted(schema: &Schema, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    match schema.ty {
        Some(Type::Integer) => text.parse::<i64>().is_ok(),
        Some(Type::Number) => text.parse::<f64>().is_ok(),
        Some(Type::Boolean) => text.parse::<bool>().is_ok(),
        Some(Type::Object | Type::Array | Type::String) | None => false,
    }
}

/// `1.0` is an integer to an API server.
fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn wanted_type(schema: &Schema) -> &'static str {
    if schema.int_or_string {
        return "an integer or a string";
    }
    match schema.ty {
        None => "anything",
        Some(Type::Object) => "a map",
        Some(Type::Array) => "a list",
        Some(Type::String) => "a string",
        Some(Type::Boolean) => "a boolean",
        Some(Type::Number) => "a number",
        Some(Type::Integer) => "an integer",
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) if is_integer(value) => "an integer",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}
