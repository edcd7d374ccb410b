//! Builds nodes out of the parser's events, with limits on what a document may cost.

use std::collections::{BTreeMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::node::{Entry, Mark, Node, NodeValue};
use super::{Unreadable, scalar};

/// How deep values may nest. Kubernetes objects stay under 30.
const MAX_DEPTH: usize = 64;
/// How many values a document may have once aliases are followed: ten thousand routes in one List have about a million.
const MAX_NODES: usize = 2_000_000;

/// Reads the values of one document: one, or several where `...` ends some.
pub(crate) fn load(text: &str) -> Result<Vec<Node>, Unreadable> {
    let mut loader = Loader::default();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => loader.event(event, span)?,
            Err(error) => {
                let mark = mark_of(error.marker());
                return Err(Unreadable { mark, message: error.info().to_owned(), hint: syntax_hint(text, &error) });
            }
        }
    }
    Ok(loader.roots)
}

/// The two mistakes that the parser's own words do not explain.
fn syntax_hint(text: &str, error: &saphyr_parser::ScanError) -> Option<String> {
    let line = text.lines().nth(error.marker().line().checked_sub(1)?)?;
    if line.trim_start_matches(' ').starts_with('\t') {
        return Some("indent with spaces: YAML does not allow tabs there".to_owned());
    }
    if line.contains(": *") || line.contains("- *") {
        return Some("a word that begins with * is an alias in YAML: put it in quotes".to_owned());
    }
    if line.matches(": ").count() > 1 {
        return Some("a value that contains \": \" must be put in quotes".to_owned());
    }
    None
}

#[derive(Default)]
struct Loader {
    roots: Vec<Node>,
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

/// A list or map that has not ended.
struct Open {
    mark: Mark,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        keys: HashSet<String>,
        pending: Option<(Key, Mark)>,
        /// Entries that `<<` brings in; those written out win.
        merged: Vec<Entry>,
    },
}

enum Key {
    Named(String),
    /// `<<`, which brings in the entries of other maps.
    Merge,
}

impl Loader {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Unreadable> {
        let mark = mark_of(&span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(unreadable(mark, "an alias must not refer to what it is part of"));
                };
                let count = node.count();
                self.nodes = self.nodes.saturating_add(count);
                self.limit(mark)?;
                let Some(node) = self.anchors.get(&anchor) else { return Ok(()) };
                if self.stack.len() + height(node, MAX_DEPTH) > MAX_DEPTH {
                    return Err(unreadable(mark, &format!("values are nested more than {MAX_DEPTH} deep")));
                }
                let mut node = node.clone();
                node.mark = mark;
                self.complete(node, 0, true)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar_value(text.as_ref(), style, tag.as_deref()).map_err(|why| unreadable(mark, &why))?;
                self.nodes = self.nodes.saturating_add(1);
                self.limit(mark)?;
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                self.complete(Node { mark, value }, anchor, is_plain)
            }
            Event::SequenceStart(anchor, _) => self.open(mark, anchor, Content::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let content =
                    Content::Map { entries: Vec::new(), keys: HashSet::new(), pending: None, merged: Vec::new() };
                self.open(mark, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { mark, anchor, content }) = self.stack.pop() else { return Ok(()) };
                let value = match content {
                    Content::List(items) => NodeValue::List(items),
                    Content::Map { mut entries, mut keys, merged, pending: _ } => {
                        entries.extend(merged.into_iter().filter(|entry| keys.insert(entry.key.clone())));
                        NodeValue::Map(entries)
                    }
                };
                self.complete(Node { mark, value }, anchor, false)
            }
        }
    }

    fn open(&mut self, mark: Mark, anchor: usize, content: Content) -> Result<(), Unreadable> {
        self.nodes = self.nodes.saturating_add(1);
        self.limit(mark)?;
        if self.stack.len() >= MAX_DEPTH {
            return Err(unreadable(mark, &format!("values are nested more than {MAX_DEPTH} deep")));
        }
        self.stack.push(Open { mark, anchor, content });
        Ok(())
    }

    fn limit(&self, mark: Mark) -> Result<(), Unreadable> {
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("the document has more than {MAX_NODES} values once aliases are followed");
        let hint = Some("split it into several files".to_owned());
        Err(Unreadable { mark, message, hint })
    }

    /// Puts a finished value where it belongs.
    fn complete(&mut self, node: Node, anchor: usize, may_merge: bool) -> Result<(), Unreadable> {
        if anchor > 0 {
            // Kept apart from the tree, so it counts again.
            self.nodes = self.nodes.saturating_add(node.count());
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.stack.last_mut() else {
            self.roots.push(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, keys, pending, merged } => match pending.take() {
                None => {
                    let mark = node.mark;
                    let key = as_key(node, may_merge)?;
                    if let Key::Named(name) = &key
                        && !keys.insert(name.clone())
                    {
                        let first = entries.iter().find(|entry| entry.key == *name).map_or(mark, |entry| entry.mark);
                        let place = match mark.line.saturating_sub(first.line) {
                            0 => "on the same line".to_owned(),
                            1 => "one line above".to_owned(),
                            lines => format!("{lines} lines above"),
                        };
                        let message = format!("key {name:?} is already there, {place}");
                        let hint = Some("remove or rename one of them".to_owned());
                        return Err(Unreadable { mark, message, hint });
                    }
                    *pending = Some((key, mark));
                }
                Some((Key::Named(key), mark)) => entries.push(Entry { key, mark, value: node }),
                Some((Key::Merge, mark)) => merge(node, mark, merged)?,
            },
        }
        Ok(())
    }
}

fn mark_of(marker: &saphyr_parser::Marker) -> Mark {
    let at = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Mark { line: at(marker.line()), column: at(marker.col()).saturating_add(1) }
}

fn unreadable(mark: Mark, message: &str) -> Unreadable {
    Unreadable { mark, message: message.to_owned(), hint: None }
}

/// How many levels of lists and maps there are, counted no further than `enough`.
fn height(node: &Node, enough: usize) -> usize {
    let Some(enough) = enough.checked_sub(1) else { return 0 };
    match &node.value {
        NodeValue::Null | NodeValue::Bool(..) | NodeValue::Number(..) | NodeValue::String(_) => 0,
        NodeValue::List(items) => 1 + items.iter().map(|item| height(item, enough)).max().unwrap_or(0),
        NodeValue::Map(entries) => 1 + entries.iter().map(|entry| height(&entry.value, enough)).max().unwrap_or(0),
    }
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<NodeValue, String> {
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    match core {
        Some("str" | "binary") => return Ok(NodeValue::String(text.to_owned())),
        Some("bool" | "int" | "float" | "null") => {}
        Some(_) | None if style != ScalarStyle::Plain || tag.is_some() => {
            return Ok(NodeValue::String(text.to_owned()));
        }
        Some(_) | None => {}
    }
    scalar::plain(text).map_err(|scalar::NoValue(why)| why)
}

/// Keys of objects are strings; Kubernetes' tools write other scalars out.
fn as_key(node: Node, may_merge: bool) -> Result<Key, Unreadable> {
    match node.value {
        NodeValue::String(text) if may_merge && text == "<<" => Ok(Key::Merge),
        NodeValue::String(text) => Ok(Key::Named(text)),
        NodeValue::Bool(value, _) => Ok(Key::Named(value.to_string())),
        NodeValue::Number(number, _) => Ok(Key::Named(number.to_string())),
        NodeValue::Null => Err(unreadable(node.mark, "a key must not be empty or null")),
        NodeValue::List(_) | NodeValue::Map(_) => Err(Unreadable {
            mark: node.mark,
            message: "a key must be a word, not a list or map".to_owned(),
            hint: Some("put a template such as {{ .Values.x }} in quotes, or render it first".to_owned()),
        }),
    }
}

/// `<<: *map` or `<<: [*map, *map]`; the first to have a key wins.
fn merge(node: Node, mark: Mark, merged: &mut Vec<Entry>) -> Result<(), Unreadable> {
    let maps = match node.value {
        NodeValue::List(items) => items,
        NodeValue::Null | NodeValue::Bool(..) | NodeValue::Number(..) | NodeValue::String(_) | NodeValue::Map(_) => {
            vec![node]
        }
    };
    for map in maps {
        let NodeValue::Map(entries) = map.value else {
            return Err(unreadable(mark, "<< must be given a map or a list of maps"));
        };
        merged.extend(entries);
    }
    Ok(())
}
