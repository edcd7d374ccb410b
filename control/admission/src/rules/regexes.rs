//! `matches`, with compiled patterns kept. CEL's own compiles the pattern at every call.

use cel::ExecutionError;
use cel::common::types::{CelBool, CelString};

use crate::regexes::compiled;

pub(super) fn matches(text: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    let regex = compiled(pattern.inner()).map_err(|error| ExecutionError::function_error("matches", error))?;
    Ok(regex.is_match(text.inner()).into())
}
