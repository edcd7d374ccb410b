//! How redirects and rewrites change a path.

use crate::refused::unsupported;
use lychgate_ir::filter::PathRewrite;
use lychgate_ir::{MatchedPath, Refusal};
use std::borrow::Cow;
use std::fmt::Write;

/// A change of the path, made safe once: whatever the config says, the outcome is a percent-encoded absolute path.
#[derive(Debug)]
pub(crate) enum PathEdit {
    /// This path instead.
    Full(Box<str>),
    /// This instead of the matched prefix.
    Prefix {
        /// Empty, or starts with `/` and does not end in one: a trailing `/` of a prefix means nothing.
        replacement: Box<str>,
        /// For requests that were not matched by a prefix.
        unmatched: Refusal,
    },
}

impl PathEdit {
    pub(crate) fn compile(rewrite: &PathRewrite) -> Self {
        match rewrite {
            PathRewrite::Full(path) => Self::Full(absolute(path)),
            PathRewrite::Prefix(path) => Self::Prefix {
                replacement: absolute(path).trim_end_matches('/').into(),
                unmatched: unsupported(
                    "ReplacePrefixMatch on a rule that matches by regular expression: no prefix is known; match by \
                     PathPrefix, or use ReplaceFullPath",
                ),
            },
        }
    }

    /// The new path, which always starts with `/`.
    pub(crate) fn apply(&self, path: &str, matched: MatchedPath) -> Result<Cow<'_, str>, Refusal> {
        let (replacement, length) = match (self, matched) {
            (Self::Full(path), _) => return Ok(Cow::Borrowed(path)),
            (Self::Prefix { replacement, .. }, MatchedPath::Prefix(length)) => (replacement, length),
            // All of the path was asked for, so all of it is the prefix.
            (Self::Prefix { replacement, .. }, MatchedPath::Exact) => (replacement, path.len()),
            (Self::Prefix { unmatched, .. }, MatchedPath::Regex) => return Err(unmatched.clone()),
        };
        Ok(join(replacement, remainder(path, length)))
    }

    /// How the new path is matched, for those who come after.
    pub(crate) fn matched_after(&self, matched: MatchedPath) -> MatchedPath {
        match (self, matched) {
            (Self::Prefix { replacement, .. }, MatchedPath::Prefix(_)) => MatchedPath::Prefix(replacement.len()),
            (Self::Prefix { .. }, MatchedPath::Exact | MatchedPath::Regex) | (Self::Full(_), _) => MatchedPath::Exact,
        }
    }
}

/// What follows the prefix. `/` alone is the root prefix itself, as `/foo` is the prefix `/foo`.
fn remainder(path: &str, prefix: usize) -> &str {
    match path {
        "/" | "*" => "",
        _ => path.get(prefix..).unwrap_or(""),
    }
}

fn join<'a>(replacement: &'a str, rest: &str) -> Cow<'a, str> {
    match (replacement.is_empty(), rest.is_empty()) {
        (false, true) => Cow::Borrowed(replacement),
        (true, true) => Cow::Borrowed("/"),
        // A removed prefix must not leave `//host` at the start: that is another host wherever it is read as a reference.
        (true, false) => Cow::Owned(format!("/{}", rest.trim_start_matches('/'))),
        (false, false) if rest.starts_with('/') => Cow::Owned(format!("{replacement}{rest}")),
        (false, false) => Cow::Owned(format!("{replacement}/{rest}")),
    }
}

fn absolute(path: &str) -> Box<str> {
    format!("/{}", encode(path.trim_start_matches('/'), Part::Path)).into()
}

/// The parts of a URI that differ in what they may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// RFC 3986 section 3.3.
    Path,
    /// RFC 3986 section 3.4.
    Query,
}

/// Percent-encodes what the part may not hold; what is encoded already stays as it is.
pub(crate) fn encode(text: &str, part: Part) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let stays = |at: usize, byte: u8| match byte {
        b'%' => hex(at + 1) && hex(at + 2),
        b'?' => part == Part::Query,
        _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte),
    };
    if bytes.iter().enumerate().all(|(at, &byte)| stays(at, byte)) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    for (at, &byte) in bytes.iter().enumerate() {
        if stays(at, byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_leaves_what_is_encoded() {
        assert!(matches!(encode("/a%20b/c;d=e", Part::Path), Cow::Borrowed(_)));
        assert_eq!(encode("/a b?c#ä%zz\\", Part::Path), "/a%20b%3Fc%23%C3%A4%25zz%5C");
        assert_eq!(encode("a=?&b=\"", Part::Query), "a=?&b=%22");
    }

    #[test]
    fn a_configured_path_is_made_absolute() {
        for (written, path) in [("", "/"), ("a", "/a"), ("//a", "/a"), ("/a/", "/a/"), ("/a b", "/a%20b")] {
            let edit = PathEdit::compile(&PathRewrite::Full(written.into()));
            assert_eq!(edit.apply("/x", MatchedPath::Regex).as_deref(), Ok(path), "{written}");
        }
    }
}
