//! What routes have alike, held once. Each is read from a text of its own, and there are thousands.

use lychgate_ir::{Attachment, Forward, Route};
use lychgate_persistent as persistent;
use std::sync::Arc;

/// What the routes that were read last have.
#[derive(Debug, Default)]
pub(super) struct Alike {
    attachments: persistent::Alike<[Attachment]>,
    forwards: persistent::Alike<Forward>,
}

impl Alike {
    /// The same route, which shares with its neighbours what they say as well, and its name with its rules.
    pub(super) fn share(&self, route: Arc<Route>) -> Arc<Route> {
        let Route { id, created, attachments, mut rules } = Arc::unwrap_or_clone(route);
        for rule in &mut rules {
            let rule = Arc::make_mut(rule);
            if rule.id.route == id {
                rule.id.route = id.clone();
            }
            if let Ok(forward) = &mut rule.forward {
                *forward = self.forwards.keep(forward.clone(), None);
            }
        }
        Arc::new(Route { id, created, attachments: self.attachments.keep(attachments, None), rules })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn route(name: &str) -> Arc<Route> {
        let text = format!(
            r#"{{"id":"HTTPRoute/a/{name}","created":null,"attachments":[{{"listener":"Gateway/a/b/c","hostnames":["*"]}}],
            "rules":[{{"id":"HTTPRoute/a/{name}#0@1","matches":[],"filters":[],"forward":{{"Ok":{{"backends":[],
            "timeouts":{{}},"retry":null,"persistence":null}}}}}}]}}"#
        );
        Arc::new(serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn neighbours_share_what_they_have_alike() {
        let alike = Alike::default();
        let (one, two) = (alike.share(route("one")), alike.share(route("two")));
        assert_eq!((&one, &two), (&route("one"), &route("two")));
        assert!(Arc::ptr_eq(&one.attachments, &two.attachments));
        let forward = |route: &Route| route.rules[0].forward.clone().unwrap();
        assert!(Arc::ptr_eq(&forward(&one), &forward(&two)));
        assert!(Arc::ptr_eq(&one.id.name.name, &one.rules[0].id.route.name.name));
    }
}
