//! One document's text to what is in it: a pure function of the text, so that the result can be kept for the next read.
//!
//! Marks count lines from the document's first.

use lychgate_api::{AlikeReferences, Kind, Object, ObjectKey};
use serde_json::Value;

use crate::admit::{Examined, Identity, Named, examine, identify};
use crate::yaml::{self, Mark, Node, NodeValue, Unreadable};
use crate::{ObjectName, Severity, Violation};

/// An object, or a place where there should be one. Most are objects of which nothing is to be told, and there are thousands.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it begins, or where reading ended.
    pub(super) mark: Mark,
    /// None where there is no object, and of an object that says its name itself.
    pub(super) name: Option<Box<ObjectName>>,
    pub(super) outcome: Outcome,
    pub(super) tells: Box<[Tell]>,
}

impl Found {
    /// Gives the object its first generation if it says none.
    pub(super) fn number(&mut self) {
        self.edit(|object| if object.metadata().generation == 0 { object.with_generation(1) } else { object });
    }

    /// Lets the object share what others refer to as well.
    pub(super) fn share(&mut self, alike: &AlikeReferences) {
        self.edit(|object| object.sharing(alike));
    }

    fn edit(&mut self, edit: impl FnOnce(Object) -> Object) {
        let outcome = std::mem::replace(&mut self.outcome, Outcome::PassedOver);
        self.outcome = match outcome {
            Outcome::Admitted(object) => Outcome::Admitted(edit(object)),
            Outcome::Refused(..) | Outcome::Unread | Outcome::PassedOver => outcome,
        };
    }
}

impl Found {
    /// The object's kind, namespace and name, if it is one of ours and says them.
    pub(super) fn reference(&self) -> Option<(Kind, &str, &str)> {
        match &self.outcome {
            Outcome::Admitted(object) => {
                let metadata = object.metadata();
                Some((object.kind(), metadata.namespace.as_str(), metadata.name.as_str()))
            }
            Outcome::Refused(kind, key) => Some((*kind, key.namespace.as_str(), key.name.as_str())),
            Outcome::Unread | Outcome::PassedOver => None,
        }
    }

    /// What it calls itself; none where there is no object.
    pub(super) fn object_name(&self) -> Option<ObjectName> {
        match &self.outcome {
            Outcome::Admitted(object) => {
                let (kind, ObjectKey { namespace, name }) = (object.kind().to_string(), object.key());
                Some(ObjectName { kind, namespace, name })
            }
            Outcome::Refused(..) | Outcome::Unread | Outcome::PassedOver => self.name.as_deref().cloned(),
        }
    }

    /// Whether there is more to tell than the object.
    pub(super) fn is_told(&self) -> bool {
        !self.tells.is_empty() || matches!(self.outcome, Outcome::Refused(..) | Outcome::Unread)
    }
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Admitted(Object),
    Refused(Kind, Box<ObjectKey>),
    /// Nobody can tell which object it is.
    Unread,
    /// It is of a kind that we do not read.
    PassedOver,
}

/// Something to tell people.
#[derive(Debug)]
pub(super) struct Tell {
    pub(super) severity: Severity,
    pub(super) mark: Mark,
    pub(super) path: Option<String>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// A document's text, in one of two notations.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Text<'a> {
    Yaml(&'a str),
    Json(&'a str),
}

/// Everything that is in a document.
pub(super) fn find(text: Text<'_>) -> Vec<Found> {
    let nodes = match text {
        Text::Yaml(text) => yaml::load(text),
        Text::Json(text) => yaml::load_json(text),
    };
    let mut found = Vec::new();
    match nodes {
        Ok(nodes) => nodes.iter().for_each(|node| document(node, &mut found)),
        Err(error) => found.push(unreadable(error)),
    }
    found
}

fn unreadable(Unreadable { mark, message, hint }: Unreadable) -> Found {
    let tells = [Tell { severity: Severity::Error, mark, path: None, message, hint }].into();
    Found { mark, name: None, outcome: Outcome::Unread, tells }
}

/// One value of a document: an object, or a List of them.
fn document(node: &Node, found: &mut Vec<Found>) {
    match &node.value {
        NodeValue::Null => {}
        NodeValue::Map(_) => match list_of(node) {
            Some(List { items, of }) => items.iter().for_each(|each| item(each, of.as_ref(), found)),
            None => found.push(object(node, node.to_json())),
        },
        NodeValue::Bool(..) | NodeValue::Number(..) | NodeValue::String(_) | NodeValue::List(_) => {
            let message = "this is no object: an object is a map with apiVersion, kind and metadata".to_owned();
            let is_list = matches!(node.value, NodeValue::List(_));
            let hint = is_list.then(|| "separate objects with lines of ---, or put them into a List".to_owned());
            found.push(unreadable(Unreadable { mark: node.mark, message, hint }));
        }
    }
}

/// One item of a List. Items of lists of one kind need not say their kind.
fn item(node: &Node, of: Option<&TypeName>, found: &mut Vec<Found>) {
    let Some(TypeName { api_version, kind }) = of.filter(|_| node.get("kind").is_none()) else {
        return document(node, found);
    };
    let mut value = node.to_json();
    match value.as_object_mut() {
        Some(map) => {
            map.insert("apiVersion".to_owned(), api_version.as_str().into());
            map.insert("kind".to_owned(), kind.as_str().into());
            found.push(object(node, value));
        }
        None => document(node, found),
    }
}

fn object(node: &Node, mut value: Value) -> Found {
    let mark = node.mark;
    match identify(&value) {
        Identity::Other { name, message, hint } => {
            let tells = [Tell { severity: Severity::Note, mark, path: None, message, hint }].into();
            Found { mark, name: Some(name.into()), outcome: Outcome::PassedOver, tells }
        }
        Identity::Mistake { name, named, violation } => {
            let key = named.and_then(|Named { kind, key, version: _, name: _ }| Some((kind, key?)));
            let outcome = key.map_or(Outcome::Unread, |(kind, key)| Outcome::Refused(kind, key.into()));
            let tells = tells(node, vec![(Severity::Error, violation)], false);
            Found { mark, name: Some(name.into()), outcome, tells }
        }
        Identity::Known(Named { kind, version, key, name }) => {
            // An API server takes no status on create; files that were saved from a cluster have one. That of a pod tells
            // where it is, and without a cluster nobody else could.
            if let Some(map) = value.as_object_mut().filter(|_| kind != Kind::Pod) {
                map.remove("status");
            }
            let Examined { object, errors, warnings } = examine(kind, &version, value);
            let errors = errors.into_iter().map(|each| (Severity::Error, each));
            let violations = warnings.into_iter().map(|each| (Severity::Warning, each)).chain(errors).collect();
            let tells = tells(node, violations, kind == Kind::Secret);
            let (outcome, name) = match (object, key) {
                (Some(object), _) => (Outcome::Admitted(object), None),
                (None, Some(key)) => (Outcome::Refused(kind, key.into()), Some(name.into())),
                (None, None) => (Outcome::Unread, Some(name.into())),
            };
            Found { mark, name, outcome, tells }
        }
    }
}

/// How many problems of one object are told. Nobody reads more, and each costs a search in the text.
const MAX_TELLS: usize = 50;

/// What is wrong with an object, in the order of the text. With `redact`, no value is repeated.
fn tells(node: &Node, violations: Vec<(Severity, Violation)>, redact: bool) -> Box<[Tell]> {
    let more = violations.len().saturating_sub(MAX_TELLS);
    let worst = violations.iter().map(|(severity, _)| *severity).max();
    let mut tells: Vec<_> = violations
        .into_iter()
        .take(MAX_TELLS)
        .map(|(severity, violation)| {
            let (mark, Violation { path, message, hint }) = place(node, violation, redact);
            Tell { severity, mark, path: (!path.is_empty()).then(|| path.to_string()), message, hint }
        })
        .collect();
    tells.sort_by_key(|tell| tell.mark);
    if let Some(severity) = worst.filter(|_| more > 0) {
        let message = format!("has {more} more problems, which are not shown");
        tells.push(Tell { severity, mark: node.mark, path: None, message, hint: None });
    }
    tells.into()
}

/// Where a violation stands, and what the text there tells besides.
fn place(node: &Node, mut violation: Violation, redact: bool) -> (Mark, Violation) {
    let (mut mark, found) = yaml::locate(node, violation.path.segments());
    if violation.message.starts_with("unknown field") {
        mark = yaml::locate_key(node, violation.path.segments()).unwrap_or(mark);
    }
    if violation.message.starts_with("must be a string, not")
        && let Some(hint) = found.and_then(|found| quote_hint(found, redact))
    {
        violation.hint = Some(hint);
    }
    (mark, violation)
}

/// Words and numbers that are meant as text are the most frequent trap of YAML.
fn quote_hint(node: &Node, redact: bool) -> Option<String> {
    let (word, what) = match &node.value {
        NodeValue::Bool(_, word) => (word, "boolean"),
        NodeValue::Number(_, word) => (word, "number"),
        NodeValue::Null | NodeValue::String(_) | NodeValue::List(_) | NodeValue::Map(_) => return None,
    };
    if redact {
        return Some(format!("YAML reads it as a {what}: put it in quotes"));
    }
    Some(format!("YAML reads {word} as a {what}: put it in quotes, \"{word}\""))
}

/// A `List`, or a list of one kind, such as `HTTPRouteList`.
struct List<'a> {
    items: &'a [Node],
    /// Of a list of one kind: what its items are.
    of: Option<TypeName>,
}

struct TypeName {
    api_version: String,
    kind: String,
}

fn list_of(node: &Node) -> Option<List<'_>> {
    let kind = node.get("kind")?.as_str()?;
    let api_version = node.get("apiVersion")?.as_str()?;
    let NodeValue::List(items) = &node.get("items")?.value else { return None };
    let item_kind = kind.strip_suffix("List")?;
    if item_kind.is_empty() {
        return (api_version == "v1").then_some(List { items, of: None });
    }
    let (group, _) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    Kind::find(group, item_kind)?;
    Some(List { items, of: Some(TypeName { api_version: api_version.to_owned(), kind: item_kind.to_owned() }) })
}
