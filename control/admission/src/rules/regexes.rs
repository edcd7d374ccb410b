//! `matches`, with compiled patterns kept. CEL's own compiles the pattern at every call.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use cel::ExecutionError;
use cel::common::types::CelString;
use regex::Regex;

/// Patterns are words of our schemas, so there are few. The bound is for a schema that computes them.
const KEPT: usize = 256;

pub(super) fn matches(
    text: &CelString<'_>,
    pattern: &CelString<'_>,
) -> Result<cel::common::types::CelBool, ExecutionError> {
    let regex = compiled(pattern.inner())?;
    Ok(regex.is_match(text.inner()).into())
}

/// Shared and not cloned: a clone of a `Regex` begins with empty caches.
fn compiled(pattern: &str) -> Result<Arc<Regex>, ExecutionError> {
    static COMPILED: LazyLock<RwLock<HashMap<String, Arc<Regex>>>> = LazyLock::new(RwLock::default);
    if let Some(regex) = COMPILED.read().unwrap_or_else(PoisonError::into_inner).get(pattern) {
        return Ok(Arc::clone(regex));
    }
    let regex = Arc::new(Regex::new(pattern).map_err(|error| ExecutionError::function_error("matches", error))?);
    let mut compiled = COMPILED.write().unwrap_or_else(PoisonError::into_inner);
    if compiled.len() < KEPT {
        compiled.insert(pattern.to_owned(), Arc::clone(&regex));
    }
    Ok(regex)
}
