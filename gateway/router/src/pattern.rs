//! Regular expressions that must match the whole of a text, with limits.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::collections::HashMap;
use std::sync::Arc;

/// What one compiled expression may take; a repetition of repetitions reaches it quickly.
const SIZE: usize = 1 << 20;
/// What matching one may cache, a thread.
const CACHE: usize = 1 << 18;
/// What a set of expressions may take; one that takes more is tried one by one.
const SET_SIZE: usize = 8 << 20;

/// Whether an expression can be used in a match, with the limits that the data plane sets. The error says why not.
pub fn check_regex(text: &str) -> Result<(), String> {
    compile(text).map(|_| ())
}

/// Expressions already compiled: many rules write the same one.
#[derive(Default)]
pub(crate) struct Patterns(HashMap<Arc<str>, Result<Arc<Regex>, String>>);

impl Patterns {
    pub(crate) fn get(&mut self, text: &Arc<str>) -> Result<Arc<Regex>, String> {
        self.0.entry(text.clone()).or_insert_with(|| compile(text).map(Arc::new)).clone()
    }
}

/// Values are bytes: a header need not be UTF-8.
fn compile(text: &str) -> Result<Regex, String> {
    let build = |text: &str| RegexBuilder::new(text).size_limit(SIZE).dfa_size_limit(CACHE).build();
    // On its own first: `a)|(b` would become valid, and no longer anchored, within the anchors.
    build(text).and_then(|_| build(&anchored(text))).map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => format!("takes more than {limit} bytes when compiled"),
        error => error.to_string(),
    })
}

/// All of these at once, unless together they take too much.
pub(crate) fn compile_set<'a>(texts: impl Iterator<Item = &'a str>) -> Option<RegexSet> {
    RegexSetBuilder::new(texts.map(anchored)).size_limit(SET_SIZE).dfa_size_limit(SET_SIZE / 4).build().ok()
}

fn anchored(text: &str) -> String {
    format!(r"\A(?:{text})\z")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        let regex = compile("/a|/ab").unwrap();
        assert!(regex.is_match(b"/ab"));
        assert!(!regex.is_match(b"/abc"));
        assert!(!regex.is_match(b"x/a"));
        assert!(!compile("(?m)^/a$").unwrap().is_match(b"/a\n/b"));
    }

    #[test]
    fn what_cannot_be_compiled_is_refused() {
        for bad in ["(", "a)|(b", "(?=a)", "(((a{100}){100}){100}){100}"] {
            assert!(check_regex(bad).is_err(), "{bad}");
        }
    }
}
