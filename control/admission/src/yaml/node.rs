//! Values with positions.

use serde_json::{Map, Number, Value};

use crate::path::Segment;

/// A place in the text; both count from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) value: NodeValue,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeValue {
    Null,
    /// With the word as it was written, such as `yes`.
    Bool(bool, Box<str>),
    /// With the number as it was written, such as `0x1F`.
    Number(Number, Box<str>),
    String(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) mark: Mark,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            NodeValue::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            NodeValue::Null
            | NodeValue::Bool(..)
            | NodeValue::Number(..)
            | NodeValue::String(_)
            | NodeValue::List(_) => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::String(text) => Some(text),
            NodeValue::Null | NodeValue::Bool(..) | NodeValue::Number(..) | NodeValue::List(_) | NodeValue::Map(_) => {
                None
            }
        }
    }

    /// The same without positions.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(value, _) => Value::Bool(*value),
            NodeValue::Number(number, _) => Value::Number(number.clone()),
            NodeValue::String(text) => Value::String(text.clone()),
            NodeValue::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            NodeValue::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// How many nodes there are, itself included.
    pub(crate) fn count(&self) -> usize {
        1 + match &self.value {
            NodeValue::Null | NodeValue::Bool(..) | NodeValue::Number(..) | NodeValue::String(_) => 0,
            NodeValue::List(items) => items.iter().map(Node::count).sum(),
            NodeValue::Map(entries) => entries.iter().map(|entry| entry.value.count()).sum(),
        }
    }
}

/// Where the field of this path stands: a field that holds a map or list at its key, others at their value. Where the
/// path leads to something absent, the deepest part of it that is there.
pub(crate) fn locate<'a>(root: &'a Node, path: &[Segment]) -> (Mark, Option<&'a Node>) {
    let mut node = root;
    let mut mark = root.mark;
    for segment in path {
        let next = match (segment, &node.value) {
            (Segment::Field(name) | Segment::Key(name), NodeValue::Map(entries)) => {
                entries.iter().find(|entry| entry.key == *name).map(|entry| match &entry.value.value {
                    NodeValue::List(_) | NodeValue::Map(_) => (entry.mark, &entry.value),
                    NodeValue::Null | NodeValue::Bool(..) | NodeValue::Number(..) | NodeValue::String(_) => {
                        (entry.value.mark, &entry.value)
                    }
                })
            }
            (Segment::Index(index), NodeValue::List(items)) => items.get(*index).map(|item| (item.mark, item)),
            (Segment::Field(_) | Segment::Key(_) | Segment::Index(_), _) => None,
        };
        match next {
            Some((found, child)) => (mark, node) = (found, child),
            None => return (mark, None),
        }
    }
    (mark, Some(node))
}

/// Where the key of this path stands.
pub(crate) fn locate_key(root: &Node, path: &[Segment]) -> Option<Mark> {
    let (last, parents) = path.split_last()?;
    let (Segment::Field(name) | Segment::Key(name)) = last else { return None };
    let (_, parent) = locate(root, parents);
    match &parent?.value {
        NodeValue::Map(entries) => entries.iter().find(|entry| entry.key == *name).map(|entry| entry.mark),
        NodeValue::Null | NodeValue::Bool(..) | NodeValue::Number(..) | NodeValue::String(_) | NodeValue::List(_) => {
            None
        }
    }
}
