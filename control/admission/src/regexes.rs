//! Compiled patterns, each kept once: schemas write the same few in hundreds of places, and one takes as much as what it is for.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use regex::{Error, Regex};

/// Patterns are words of our schemas, so there are few. The bound is for a schema that computes them.
const KEPT: usize = 256;

/// Shared and not cloned: a clone of a `Regex` begins with empty caches.
pub(crate) fn compiled(pattern: &str) -> Result<Arc<Regex>, Error> {
    static COMPILED: LazyLock<RwLock<HashMap<String, Arc<Regex>>>> = LazyLock::new(RwLock::default);
    if let Some(regex) = COMPILED.read().unwrap_or_else(PoisonError::into_inner).get(pattern) {
        return Ok(Arc::clone(regex));
    }
    let regex = Arc::new(Regex::new(pattern)?);
    let mut compiled = COMPILED.write().unwrap_or_else(PoisonError::into_inner);
    // Somebody else may have been quicker.
    if let Some(regex) = compiled.get(pattern) {
        return Ok(Arc::clone(regex));
    }
    if compiled.len() < KEPT {
        compiled.insert(pattern.to_owned(), Arc::clone(&regex));
    }
    Ok(regex)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::crds;
    use lychgate_api::Kind;

    #[test]
    fn schemas_share_their_patterns() {
        let name = |kind: Kind| {
            let (_, schema) = crds::crd(kind).versions.first_key_value().unwrap();
            schema.properties["spec"].properties["parentRefs"].items.as_ref().unwrap().properties["kind"]
                .pattern
                .clone()
        };
        assert!(Arc::ptr_eq(&name(Kind::HttpRoute).unwrap(), &name(Kind::TlsRoute).unwrap()));
    }
}
