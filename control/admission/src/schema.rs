//! Structural schemas: the subset of OpenAPI v3 that CRDs use.
//!
//! A keyword that we do not know makes [`Schema::parse`] fail, so that a constraint can never be passed over in silence.

mod default;
mod format;
mod parse;
mod pattern;
mod unknown;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use crate::rules::Rule;

pub(crate) use default::{apply_defaults, normalize};
pub(crate) use format::{Format, is_dns_1035_label, is_dns_label, is_dns_subdomain, is_label_value, is_qualified_name};
pub(crate) use parse::SchemaError;
pub(crate) use unknown::find_unknown;
pub(crate) use validate::validate;

/// What a value must be.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) ty: Option<Type>,
    pub(crate) nullable: bool,
    pub(crate) int_or_string: bool,
    pub(crate) preserve_unknown: bool,
    pub(crate) default: Option<Value>,
    /// In boxes: a map has room for eleven, and most have fewer.
    pub(crate) properties: BTreeMap<String, Box<Schema>>,
    pub(crate) required: Vec<String>,
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) list: ListType,
    pub(crate) limits: Limits,
    pub(crate) words: Vec<Value>,
    pub(crate) pattern: Option<Arc<Regex>>,
    pub(crate) format: Option<Format>,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
    pub(crate) rules: Vec<Rule>,
    /// Whether this schema or any below it has rules.
    pub(crate) has_rules: bool,
    /// Whether this schema or any below it has defaults.
    pub(crate) has_defaults: bool,
}

/// A type of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

/// How items of a list are told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum ListType {
    /// Not at all.
    #[default]
    Atomic,
    /// By their value.
    Set,
    /// By the values of these fields.
    Map(Vec<String>),
}

/// Bounds, inclusive.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) length: Range<u64>,
    pub(crate) items: Range<u64>,
    pub(crate) properties: Range<u64>,
    pub(crate) value: Range<f64>,
}

#[derive(Debug, Default)]
pub(crate) struct Range<T> {
    pub(crate) min: Option<T>,
    pub(crate) max: Option<T>,
}

/// A violation of a schema or rule, without position.
pub(crate) type Violations = Vec<crate::Violation>;
