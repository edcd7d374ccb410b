//! What many objects say alike, held once.

use std::sync::Arc;

use lychgate_persistent::Alike;

use crate::gateway::{HttpBackendRef, ParentReference};
use crate::object::Object;

/// What the routes that were read last refer to. There may be thousands of HTTPRoutes, most of which refer to what their
/// neighbours refer to; of other kinds there are fewer.
#[derive(Debug, Default)]
pub struct AlikeReferences {
    parents: Alike<[ParentReference]>,
    backends: Alike<[HttpBackendRef]>,
}

impl Object {
    /// The same object, with what it refers to shared with others that refer to the same.
    #[must_use]
    pub fn sharing(self, alike: &AlikeReferences) -> Self {
        let Self::HttpRoute(mut route) = self else { return self };
        let spec = &mut Arc::make_mut(&mut route).spec;
        spec.parent_refs = alike.parents.keep(spec.parent_refs.clone(), None);
        for rule in &mut spec.rules {
            rule.backend_refs = alike.backends.keep(rule.backend_refs.clone(), None);
        }
        Self::HttpRoute(route)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Kind;

    fn route(name: &str, backend: &str) -> Object {
        let rules = serde_json::json!([{"backendRefs": [{"name": backend, "port": 80}]}]);
        let spec = serde_json::json!({"parentRefs": [{"name": "gw"}], "rules": rules});
        Object::decode(Kind::HttpRoute, serde_json::json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    #[test]
    fn neighbours_share_what_they_refer_to() {
        let alike = AlikeReferences::default();
        let shared = [route("a", "one"), route("b", "one"), route("c", "two")].map(|route| route.sharing(&alike));
        assert_eq!(shared, [route("a", "one"), route("b", "one"), route("c", "two")]);
        let [a, b, c] = shared.map(|object| match object {
            Object::HttpRoute(route) => route.spec.clone(),
            _ => unreachable!(),
        });
        assert!(Arc::ptr_eq(&a.parent_refs, &b.parent_refs) && Arc::ptr_eq(&a.parent_refs, &c.parent_refs));
        let backends = [a, b, c].map(|spec| spec.rules[0].backend_refs.clone());
        assert!(Arc::ptr_eq(&backends[0], &backends[1]) && !Arc::ptr_eq(&backends[0], &backends[2]));
    }
}
