//! A file's text to objects.

use std::collections::HashMap;
use std::sync::Arc;

use lychgate_api::{Kind, Object, ObjectKey, ObjectRef};
use serde_json::Value;

use crate::admit::{Examined, Identity, Named, examine, identify};
use crate::yaml::{self, Mark, Node, NodeValue, Unreadable};
use crate::{Diagnostic, ObjectName, Position, Severity, Violation};

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Admitted {
    /// Objects that are valid, in the order in which they were found.
    pub objects: Vec<AdmittedObject>,
    /// Objects that say who they are but are not valid: a reader may keep their last good version.
    pub refused: Vec<Refused>,
    /// Text that could not be read as objects at all: a reader may keep what came from those files before.
    pub unread: Vec<Unread>,
    /// What to tell people, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Admitted {
    /// Whether anything was not admitted.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// A valid object, defaults applied.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmittedObject {
    /// The object.
    pub object: Object,
    /// Where it begins.
    pub position: Position,
}

/// An object that is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Where it begins.
    pub position: Position,
}

/// A document or file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where reading ended; the whole file where it has no line.
    pub position: Position,
}

/// Reads the text of one file: YAML documents, or JSON where the file's name ends in `.json`.
///
/// Never fails: what cannot be read or is not valid is in the diagnostics, and the rest is admitted.
#[must_use]
pub fn read_text(file: &str, text: &str) -> Admitted {
    let mut reader = Reader::default();
    reader.text(&Arc::from(file), text);
    reader.finish()
}

/// Gathers what several files have.
#[derive(Default)]
pub(crate) struct Reader {
    admitted: Admitted,
    seen: HashMap<ObjectRef, Position>,
}

impl Reader {
    pub(crate) fn finish(self) -> Admitted {
        self.admitted
    }

    /// Adds a diagnostic about a file as a whole.
    pub(crate) fn file(&mut self, severity: Severity, file: &Arc<str>, message: String, hint: Option<&str>) {
        let position = Position::file(file);
        if severity == Severity::Error {
            self.admitted.unread.push(Unread { position: position.clone() });
        }
        let hint = hint.map(str::to_owned);
        self.admitted.diagnostics.push(Diagnostic { severity, position, object: None, path: None, message, hint });
    }

    pub(crate) fn text(&mut self, file: &Arc<str>, text: &str) {
        let is_json = std::path::Path::new(file.as_ref()).extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        if is_json {
            self.nodes(file, yaml::load_json(text));
            return;
        }
        for document in yaml::split(text) {
            self.nodes(file, yaml::load(document));
        }
    }

    fn nodes(&mut self, file: &Arc<str>, nodes: Result<Vec<Node>, Unreadable>) {
        match nodes {
            Ok(nodes) => nodes.iter().for_each(|node| self.document(file, node)),
            Err(Unreadable { mark, message, hint }) => {
                let position = position(file, mark);
                self.admitted.unread.push(Unread { position: position.clone() });
                let severity = Severity::Error;
                self.admitted.diagnostics.push(Diagnostic {
                    severity,
                    position,
                    object: None,
                    path: None,
                    message,
                    hint,
                });
            }
        }
    }

    /// One value of a file: an object, or a List of them.
    fn document(&mut self, file: &Arc<str>, node: &Node) {
        match &node.value {
            NodeValue::Null => {}
            NodeValue::Map(_) => match list_of(node) {
                Some(List { items, of }) => items.iter().for_each(|item| self.item(file, item, of.as_ref())),
                None => self.object(file, node, node.to_json()),
            },
            NodeValue::Bool(..) | NodeValue::Number(..) | NodeValue::String(_) | NodeValue::List(_) => {
                let message = "this is no object: an object is a map with apiVersion, kind and metadata".to_owned();
                let hint = match &node.value {
                    NodeValue::List(_) => {
                        Some("separate objects with lines of ---, or put them into a List".to_owned())
                    }
                    NodeValue::Null
                    | NodeValue::Bool(..)
                    | NodeValue::Number(..)
                    | NodeValue::String(_)
                    | NodeValue::Map(_) => None,
                };
                self.nodes(file, Err(Unreadable { mark: node.mark, message, hint }));
            }
        }
    }

    /// One item of a List. Items of lists of one kind need not say their kind.
    fn item(&mut self, file: &Arc<str>, node: &Node, of: Option<&TypeName>) {
        let Some(TypeName { api_version, kind }) = of.filter(|_| node.get("kind").is_none()) else {
            return self.document(file, node);
        };
        let mut value = node.to_json();
        match value.as_object_mut() {
            Some(map) => {
                map.insert("apiVersion".to_owned(), api_version.as_str().into());
                map.insert("kind".to_owned(), kind.as_str().into());
                self.object(file, node, value);
            }
            None => self.document(file, node),
        }
    }

    fn object(&mut self, file: &Arc<str>, node: &Node, mut value: Value) {
        let start = position(file, node.mark);
        match identify(&value) {
            Identity::Other { name, message, hint } => self.tell(Severity::Note, start, name, None, message, hint),
            Identity::Mistake { name, named, violation } => {
                self.violations(file, node, &name, vec![(Severity::Error, violation)], false);
                match named {
                    Some(Named { kind, key: Some(key), version: _, name: _ }) => self.refuse(kind, key, start),
                    Some(Named { kind: _, key: None, version: _, name: _ }) | None => {
                        self.admitted.unread.push(Unread { position: start })
                    }
                }
            }
            Identity::Known(Named { kind, version, key, name }) => {
                if let Some(key) = &key
                    && let Some(first) = self.seen.get(&ObjectRef { kind, key: key.clone() })
                {
                    let message = format!("the object is already there, at {first}");
                    let hint = Some("the first stays; remove or rename one of them".to_owned());
                    return self.tell(Severity::Error, start, name, None, message, hint);
                }
                // An API server takes no status on create; files that were saved from a cluster have one.
                if let Some(map) = value.as_object_mut() {
                    map.remove("status");
                }
                let Examined { object, errors, warnings } = examine(kind, &version, value);
                let errors = errors.into_iter().map(|each| (Severity::Error, each));
                let violations = warnings.into_iter().map(|each| (Severity::Warning, each)).chain(errors).collect();
                self.violations(file, node, &name, violations, kind == Kind::Secret);
                match (object, key) {
                    (Some(object), _) => {
                        self.seen.insert(object.reference(), start.clone());
                        self.admitted.objects.push(AdmittedObject { object, position: start });
                    }
                    (None, Some(key)) => self.refuse(kind, key, start),
                    // Nobody can tell which object it was.
                    (None, None) => self.admitted.unread.push(Unread { position: start }),
                }
            }
        }
    }

    fn refuse(&mut self, kind: Kind, key: ObjectKey, position: Position) {
        self.seen.entry(ObjectRef { kind, key: key.clone() }).or_insert_with(|| position.clone());
        self.admitted.refused.push(Refused { kind, key, position });
    }

    /// Tells what is wrong with an object, in the order of the text. With `redact`, no value is repeated.
    fn violations(
        &mut self,
        file: &Arc<str>,
        node: &Node,
        name: &ObjectName,
        violations: Vec<(Severity, Violation)>,
        redact: bool,
    ) {
        let mut placed: Vec<_> = violations
            .into_iter()
            .map(|(severity, violation)| {
                let (mark, violation) = place(node, violation, redact);
                (mark, severity, violation)
            })
            .collect();
        placed.sort_by_key(|(mark, ..)| *mark);
        for (mark, severity, Violation { path, message, hint }) in placed {
            let path = (!path.is_empty()).then(|| path.to_string());
            self.tell(severity, position(file, mark), name.clone(), path, message, hint);
        }
    }

    fn tell(
        &mut self,
        severity: Severity,
        position: Position,
        object: ObjectName,
        path: Option<String>,
        message: String,
        hint: Option<String>,
    ) {
        self.admitted.diagnostics.push(Diagnostic { severity, position, object: Some(object), path, message, hint });
    }
}

fn position(file: &Arc<str>, mark: Mark) -> Position {
    Position { file: Arc::clone(file), line: mark.line, column: mark.column }
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
