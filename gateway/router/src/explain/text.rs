//! Explanations in plain sentences.

use super::{Condition, Considered, Explanation, Outcome, Winner};
use lychgate_ir::{HeaderMatch, HostPattern, Match, PathMatch, QueryMatch, ValueMatch};
use std::fmt::{self, Display, Formatter};

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.winner {
            Some(winner) => writeln!(f, "{winner}")?,
            None => writeln!(f, "No rule answers.")?,
        }
        for considered in self.considered.iter().filter(|considered| considered.outcome != Outcome::Won) {
            writeln!(f, "- {considered}")?;
        }
        if self.more > 0 {
            writeln!(f, "- and {} more, further off.", self.more)?;
        }
        Ok(())
    }
}

impl Display for Winner {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { rule, match_index, host, path, matched: _ } = self;
        write!(f, "{rule} answers: its match {match_index} holds ({}, {}).", Host(host), Path(path))
    }
}

impl Display for Considered {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { rule, match_index, host, path, outcome } = self;
        write!(f, "{rule}, match {match_index} ({}, {}): {outcome}", Host(host), Path(path))
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Won => f.write_str("answers."),
            Self::LostPrecedence { because, to } => {
                write!(f, "holds too, but {to} goes first, because {because}.")
            }
            Self::DidNotMatch { failed } => {
                f.write_str("does not hold: ")?;
                for (index, condition) in failed.iter().enumerate() {
                    write!(f, "{}{condition}", if index == 0 { "" } else { "; " })?;
                }
                f.write_str(".")
            }
            Self::Unusable(unusable) => {
                write!(f, "can never hold: {}: {}; correct it in the route.", unusable.condition, unusable.error)
            }
        }
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { wanted, got } => {
                write!(f, "it is for {}, and the request's host is `{got}`", Host(wanted))?;
                match wanted {
                    HostPattern::Wildcard(suffix) if **suffix == **got => {
                        f.write_str(" (a wildcard stands for one label or more)")
                    }
                    HostPattern::Wildcard(_) | HostPattern::Exact(_) | HostPattern::Any => Ok(()),
                }
            }
            Self::Path { wanted, got } => {
                write!(f, "it asks for {}, and the request's path is `{got}`", Path(wanted))?;
                near_path(wanted, got).map_or(Ok(()), |hint| write!(f, " ({hint})"))
            }
            Self::Method { wanted, got } => write!(f, "it asks for method {wanted}, and the request's is {got}"),
            Self::Header { name, wanted, got } => value(f, "header", name, wanted, got.as_deref()),
            Self::Query { name, wanted, got } => value(f, "query parameter", name, wanted, got.as_deref()),
        }
    }
}

/// What a match asks for, as in `it asks for …`.
pub struct Asks<'a>(pub &'a Match);

impl Display for Asks<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Match { path, method, headers, query } = self.0;
        Path(path).fmt(f)?;
        if let Some(method) = method {
            write!(f, ", method {method}")?;
        }
        for HeaderMatch { name, value } in headers {
            write!(f, ", header `{name}` {}", Wanted(value))?;
        }
        for QueryMatch { name, value } in query {
            write!(f, ", query parameter `{name}` {}", Wanted(value))?;
        }
        Ok(())
    }
}

struct Wanted<'a>(&'a ValueMatch);

impl Display for Wanted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            ValueMatch::Exact(text) => write!(f, "with the value `{text}`"),
            ValueMatch::Regex(text) => write!(f, "with a value that matches `{text}`"),
        }
    }
}

fn value(f: &mut Formatter<'_>, kind: &str, name: &str, wanted: &ValueMatch, got: Option<&str>) -> fmt::Result {
    write!(f, "it asks for {kind} `{name}` {}", Wanted(wanted))?;
    match got {
        Some(got) => write!(f, ", and the request has `{got}`"),
        None => f.write_str(", and the request has none"),
    }
}

/// What is easily overlooked.
fn near_path(wanted: &PathMatch, got: &str) -> Option<&'static str> {
    match wanted {
        PathMatch::Exact(wanted) if wanted.trim_end_matches('/') == got.trim_end_matches('/') => {
            Some("they differ in the slash at the end")
        }
        PathMatch::Exact(wanted) if wanted.eq_ignore_ascii_case(got) => Some("upper and lower case differ"),
        PathMatch::Prefix(prefix) if got.starts_with(&**prefix) => Some("a prefix stands for whole segments"),
        PathMatch::Prefix(prefix) if got.get(..prefix.len()).is_some_and(|got| got.eq_ignore_ascii_case(prefix)) => {
            Some("upper and lower case differ")
        }
        PathMatch::Regex(_) => Some("an expression must match the whole path"),
        PathMatch::Exact(_) | PathMatch::Prefix(_) => None,
    }
}

struct Host<'a>(&'a HostPattern);

impl Display for Host<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            HostPattern::Any => f.write_str("every host"),
            pattern @ (HostPattern::Wildcard(_) | HostPattern::Exact(_)) => write!(f, "host `{pattern}`"),
        }
    }
}

struct Path<'a>(&'a PathMatch);

impl Display for Path<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            PathMatch::Exact(path) => write!(f, "path `{path}`"),
            PathMatch::Prefix(prefix) if prefix.is_empty() => f.write_str("every path"),
            PathMatch::Prefix(prefix) => write!(f, "path prefix `{prefix}`"),
            PathMatch::Regex(text) => write!(f, "path expression `{text}`"),
        }
    }
}
