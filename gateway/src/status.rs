//! Statuses for people: what `lychgate check` prints and the admin port serves.

use lychgate_api::meta::ConditionStatus;
use lychgate_api::{ObjectRef, Objects};
use lychgate_translate::{ObjectStatus, Statuses};
use serde_json::{Value, json};
use std::fmt::Write;

/// All statuses as Kubernetes would show them: objects without `spec`.
pub fn as_objects(objects: &Objects, statuses: &Statuses) -> Value {
    let object = |(object, status): (&ObjectRef, &std::sync::Arc<ObjectStatus>)| {
        let metadata = objects.get(object.kind, &object.key);
        let generation = metadata.as_ref().map(|object| object.metadata().generation);
        let mut metadata = json!({ "name": object.key.name });
        if let Some(map) = metadata.as_object_mut() {
            if !object.key.namespace.is_empty() {
                map.insert("namespace".to_owned(), object.key.namespace.clone().into());
            }
            if let Some(generation) = generation.filter(|generation| *generation > 0) {
                map.insert("generation".to_owned(), generation.into());
            }
        }
        json!({
            "apiVersion": object.kind.api_version(),
            "kind": object.kind.as_str(),
            "metadata": metadata,
            "status": value(status),
        })
    };
    json!({ "apiVersion": "v1", "kind": "List", "items": statuses.iter().map(object).collect::<Vec<_>>() })
}

/// A status as JSON. Times that nobody knows are left out: a status that was not written yet has none.
fn value(status: &ObjectStatus) -> Value {
    // Plain data with text as keys always serializes.
    let mut value = serde_json::to_value(status).unwrap_or_default();
    without_unknown_times(&mut value);
    value
}

fn without_unknown_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, value| name != "lastTransitionTime" || value != "1970-01-01T00:00:00Z");
            map.values_mut().for_each(without_unknown_times);
        }
        Value::Array(values) => values.iter_mut().for_each(without_unknown_times),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// All conditions as text: an object a paragraph, a condition a line, with what is wrong marked.
pub fn as_text(statuses: &Statuses, paint: Paint) -> String {
    let mut text = String::new();
    let mut last: Option<&ObjectRef> = None;
    for finding in statuses.findings() {
        if last != Some(finding.object) {
            last = Some(finding.object);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", finding.object);
        }
        let mark = if finding.is_problem() { paint.bad("✗") } else { paint.good("✓") };
        let state = match finding.condition.status {
            ConditionStatus::True => "True",
            ConditionStatus::False => "False",
            ConditionStatus::Unknown => "Unknown",
        };
        let place = finding.place.to_string();
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        let _ = write!(text, "  {mark} {place}{}={state} ({})", finding.condition.r#type, finding.condition.reason);
        if finding.is_problem() && !finding.condition.message.is_empty() {
            let _ = write!(text, ": {}", finding.condition.message);
        }
        text.push('\n');
    }
    text
}

/// Whether output is painted: only on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// With colours.
    Colours,
    /// Without.
    Plain,
}

impl Paint {
    /// As something that is well.
    pub fn good(self, text: &str) -> String {
        self.with(text, "32")
    }

    /// As something that is not.
    pub fn bad(self, text: &str) -> String {
        self.with(text, "31")
    }

    /// As something that matters.
    pub fn strong(self, text: &str) -> String {
        self.with(text, "1")
    }

    fn with(self, text: &str, code: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lychgate_admission::read_text;
    use lychgate_api::Time;
    use lychgate_translate::{Options, translate};

    const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: d}
spec:
  gatewayClassName: lychgate
  listeners: [{name: a, protocol: HTTP, port: 8081}]
";

    #[test]
    fn times_are_shown_where_they_are_known() {
        let objects: Objects = read_text("f.yaml", GATEWAY).objects.into_iter().map(|each| each.object).collect();
        let translation = translate(&objects, &Options { standalone: true, ..Options::default() }, None);
        let untimed = as_objects(&objects, &translation.statuses).to_string();
        assert!(!untimed.contains("lastTransitionTime"), "{untimed}");
        let timed = translation.statuses.with_times(None, Time::from_unix_seconds(1_800_000_000));
        let timed = as_objects(&objects, &timed).to_string();
        assert!(timed.contains("\"lastTransitionTime\":\"2027-01-15T08:00:00Z\""), "{timed}");
    }
}
