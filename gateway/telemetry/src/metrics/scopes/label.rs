//! What is counted on its own, and its labels, which are written only when they are needed.

use lychgate_ir::{BackendId, RouteId, RuleId};
use std::hash::Hash;
use std::sync::Arc;

/// Something with series of its own.
pub(in crate::metrics) trait Labelled: Clone + Eq + Hash + Send + Sync + 'static {
    /// How many labels it has.
    const LABELS: usize;

    /// What they say.
    fn labels(&self) -> Vec<String>;
}

impl Labelled for String {
    const LABELS: usize = 1;

    fn labels(&self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl Labelled for [String; 2] {
    const LABELS: usize = 2;

    fn labels(&self) -> Vec<String> {
        self.to_vec()
    }
}

impl Labelled for BackendId {
    const LABELS: usize = 1;

    fn labels(&self) -> Vec<String> {
        vec![self.to_string()]
    }
}

/// A rule in whichever generation of its route: by its name, else by its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::metrics) struct RuleKey {
    route: RouteId,
    rule: Place,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Name(Arc<str>),
    Index(u32),
}

impl From<&RuleId> for RuleKey {
    fn from(id: &RuleId) -> Self {
        let RuleId { route, generation: _, index, name } = id;
        Self { route: route.clone(), rule: name.clone().map_or(Place::Index(*index), Place::Name) }
    }
}

impl RuleKey {
    /// What its labels say.
    pub(in crate::metrics) fn words(&self) -> [String; 2] {
        let rule = match &self.rule {
            Place::Name(name) => name.to_string(),
            Place::Index(index) => index.to_string(),
        };
        [self.route.to_string(), rule]
    }
}

impl Labelled for RuleKey {
    const LABELS: usize = 2;

    fn labels(&self) -> Vec<String> {
        self.words().to_vec()
    }
}
