//! YAML (and JSON) with positions, read as Kubernetes' own tools read it.

mod document;
mod json;
mod load;
mod node;
mod scalar;

pub(crate) use document::split;
pub(crate) use json::load_json;
pub(crate) use load::load;
pub(crate) use node::{Mark, Node, NodeValue, locate, locate_key};

/// Text that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) mark: Mark,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}
