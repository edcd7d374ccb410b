//! What a match asks for beyond an exact path or a prefix, compiled.

use crate::explain::Condition;
use crate::pattern::Patterns;
use crate::request::RequestLine;
use http::Method;
use http::header::HeaderName;
use lychgate_ir::{HeaderMatch, Match, PathMatch, QueryMatch, ValueMatch};
use regex::bytes::Regex;
use std::sync::Arc;

/// The conditions of one match. Its path is told by its place in the table, unless it is a regular expression.
pub(crate) struct Conditions {
    path: Option<Arc<Regex>>,
    method: Option<Method>,
    headers: Box<[(HeaderName, Value)]>,
    query: Box<[(Arc<str>, Value)]>,
}

enum Value {
    Exact(Arc<str>),
    Regex(Arc<Regex>),
}

/// Which condition cannot be compiled, and why.
pub(crate) struct Uncompiled {
    pub(crate) condition: String,
    pub(crate) error: String,
}

impl Conditions {
    pub(crate) fn compile(source: &Match, patterns: &mut Patterns) -> Result<Self, Uncompiled> {
        let Match { path, method, headers, query } = source;
        let mut regex = |text: &Arc<str>, condition: &dyn Fn() -> String| {
            patterns.get(text).map_err(|error| Uncompiled { condition: condition(), error })
        };
        let path = match path {
            PathMatch::Exact(_) | PathMatch::Prefix(_) => None,
            PathMatch::Regex(text) => Some(regex(text, &|| format!("path expression `{text}`"))?),
        };
        let method = method.as_deref().map(|method| Method::from_bytes(method.as_bytes()).map_err(|_| method));
        let method = method.transpose().map_err(|method| Uncompiled {
            condition: format!("method `{method}`"),
            error: "no token as RFC 9110 section 9.1 wants it".to_owned(),
        })?;
        let mut value = |value: &ValueMatch, kind: &str, name: &str| {
            Ok(match value {
                ValueMatch::Exact(text) => Value::Exact(text.clone()),
                ValueMatch::Regex(text) => {
                    Value::Regex(regex(text, &|| format!("expression `{text}` for {kind} `{name}`"))?)
                }
            })
        };
        let headers = headers
            .iter()
            .map(|HeaderMatch { name, value: wanted }| Ok((name.clone(), value(wanted, "header", name.as_str())?)))
            .collect::<Result<_, _>>()?;
        let query = query
            .iter()
            .map(|QueryMatch { name, value: wanted }| Ok((name.clone(), value(wanted, "query parameter", name)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self { path, method, headers, query })
    }

    /// Whether they hold for every request that is led to the match.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { path, method, headers, query } = self;
        path.is_none() && method.is_none() && headers.is_empty() && query.is_empty()
    }

    /// Whether method, headers and query are as asked for.
    pub(crate) fn hold(&self, line: &RequestLine<'_>) -> bool {
        self.method.as_ref().is_none_or(|method| method == line.method)
            && self.headers.iter().all(|(name, value)| line.header(name).is_some_and(|got| value.matches(&got)))
            && self
                .query
                .iter()
                .all(|(name, value)| line.parameter(name).is_some_and(|got| value.matches(got.as_bytes())))
    }

    /// Whether the path is as the match's regular expression asks for.
    pub(crate) fn path_matches(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|regex| regex.is_match(path.as_bytes()))
    }

    /// Which of method, headers and query are not as asked for, in the words of the match that was compiled.
    pub(crate) fn failed(&self, source: &Match, line: &RequestLine<'_>) -> Vec<Condition> {
        let method = source.method.iter().filter(|_| self.method.as_ref().is_some_and(|method| method != line.method));
        let method = method.map(|wanted| Condition::Method { wanted: wanted.clone(), got: line.method.to_string() });
        let headers = source.headers.iter().zip(&self.headers).filter_map(|(source, (name, value))| {
            let got = line.header(name);
            (!got.as_ref().is_some_and(|got| value.matches(got))).then(|| Condition::Header {
                name: name.as_str().into(),
                wanted: source.value.clone(),
                got: got.map(|got| String::from_utf8_lossy(&got).into_owned()),
            })
        });
        let query = source.query.iter().zip(&self.query).filter_map(|(source, (name, value))| {
            let got = line.parameter(name);
            (!got.as_ref().is_some_and(|got| value.matches(got.as_bytes()))).then(|| Condition::Query {
                name: name.clone(),
                wanted: source.value.clone(),
                got: got.map(|got| got.into_owned()),
            })
        });
        method.chain(headers).chain(query).collect()
    }
}

impl Value {
    fn matches(&self, got: &[u8]) -> bool {
        match self {
            Self::Exact(text) => got == text.as_bytes(),
            Self::Regex(regex) => regex.is_match(got),
        }
    }
}
