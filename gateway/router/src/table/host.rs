//! The routes of one host pattern, by path.

use super::candidate::{Attached, Candidate};
use super::leaf::{Leaf, merged};
use super::regexes::Regexes;
use crate::request::RequestLine;
use crate::store::Store;
use lychgate_ir::{MatchedPath, PathMatch};
use std::sync::Arc;

/// The routes of one host pattern, by path.
pub(crate) struct HostTable<T> {
    exact: Store<Arc<str>, Arc<Leaf<T>>>,
    /// Without the root prefix.
    prefixes: Store<Arc<str>, Arc<Leaf<T>>>,
    /// Bit n is set where a prefix may have n segments: others need no probe.
    segment_counts: u64,
    /// No prefix is longer, so that a path of thousands of segments costs no more than one of a few.
    longest_prefix: usize,
    regexes: Option<Arc<Regexes<T>>>,
    root: Option<Arc<Leaf<T>>>,
    /// Matches that could not be compiled, kept for explanations.
    unusable: Option<Arc<Leaf<T>>>,
}

/// Where a match belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Exact(Arc<str>),
    Prefix(Arc<str>),
    Regex,
    Root,
    Unusable,
}

impl Place {
    pub(super) fn of(path: &PathMatch) -> Self {
        match path {
            PathMatch::Exact(path) => Self::Exact(path.clone()),
            PathMatch::Prefix(prefix) if prefix.is_empty() => Self::Root,
            PathMatch::Prefix(prefix) => Self::Prefix(prefix.clone()),
            PathMatch::Regex(_) => Self::Regex,
        }
    }
}

/// A place that a path leads to.
pub(crate) enum Spot<'t, T> {
    /// Every candidate's path matches.
    Leaf(MatchedPath, &'t Leaf<T>),
    /// Each candidate's expression is to be tried.
    Regexes(&'t Regexes<T>),
}

/// A place, and matches to put there; none if only routes that are gone were there.
pub(super) type Change<T> = (Place, Option<Candidate<T>>);

impl<T> Default for HostTable<T> {
    fn default() -> Self {
        Self {
            exact: Store::default(),
            prefixes: Store::default(),
            segment_counts: 0,
            longest_prefix: 0,
            regexes: None,
            root: None,
            unusable: None,
        }
    }
}

impl<T> HostTable<T> {
    /// The candidate that answers.
    pub(super) fn find(&self, line: &RequestLine<'_>) -> Option<(&Candidate<T>, MatchedPath)> {
        self.spots(line.path).find_map(|spot| match spot {
            Spot::Leaf(matched, leaf) => leaf.first(line).map(|candidate| (candidate, matched)),
            Spot::Regexes(regexes) => regexes.first(line).map(|candidate| (candidate, MatchedPath::Regex)),
        })
    }

    /// The places that a path leads to, those that go first first.
    pub(crate) fn spots<'t>(&'t self, path: &str) -> impl Iterator<Item = Spot<'t, T>> {
        let exact = self.exact.get(path).map(|(_, leaf)| Spot::Leaf(MatchedPath::Exact, leaf));
        let counts = self.segment_counts;
        let prefixes = prefixes(path, self.longest_prefix)
            .filter(move |(count, _)| counts & segment_bit(*count) != 0)
            .filter_map(|(_, prefix)| self.prefixes.get(prefix))
            .map(|(prefix, leaf)| Spot::Leaf(MatchedPath::Prefix(prefix.len()), &**leaf));
        let regexes = self.regexes.as_deref().map(Spot::Regexes);
        let root = self.root.as_deref().map(|leaf| Spot::Leaf(MatchedPath::Prefix(0), leaf));
        exact.into_iter().chain(prefixes).chain(regexes).chain(root)
    }

    /// Every candidate, in no order.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &Candidate<T>> {
        let leaves = self.exact.iter().chain(self.prefixes.iter()).map(|(_, leaf)| leaf);
        let leaves = leaves.chain(&self.root).chain(&self.unusable).flat_map(|leaf| leaf.candidates());
        leaves.chain(self.regexes.iter().flat_map(|regexes| regexes.candidates()))
    }

    /// This table with changes, and without the matches of routes that are `gone` (addresses, sorted); every place of
    /// theirs is to be among the changes. Places that are not, are shared.
    pub(super) fn edited(&self, mut changes: Vec<Change<T>>, gone: &[usize]) -> Option<Self> {
        changes.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut exact = Vec::new();
        let mut prefixes = Vec::new();
        let mut regexes = self.regexes.clone();
        let mut root = self.root.clone();
        let mut unusable = self.unusable.clone();
        let (mut segment_counts, mut longest_prefix) = (self.segment_counts, self.longest_prefix);

        let leaf = |old: Option<&Arc<Leaf<T>>>, added: Vec<Candidate<T>>| {
            let old = old.map(|leaf| leaf.candidates()).unwrap_or_default();
            Leaf::new(merged(old, added, gone)).map(Arc::new)
        };
        let mut changes = changes.into_iter().peekable();
        while let Some((place, first)) = changes.next() {
            let mut added = Vec::from_iter(first);
            while let Some((_, more)) = changes.next_if(|(next, _)| *next == place) {
                added.extend(more);
            }
            match place {
                Place::Exact(path) => {
                    let old = self.exact.get(&path).map(|(_, leaf)| leaf);
                    exact.push((path, leaf(old, added)));
                }
                Place::Prefix(prefix) => {
                    let old = self.prefixes.get(&prefix).map(|(_, leaf)| leaf);
                    segment_counts |= segment_bit(slashes(&prefix));
                    longest_prefix = longest_prefix.max(prefix.len());
                    prefixes.push((prefix, leaf(old, added)));
                }
                Place::Root => root = leaf(self.root.as_ref(), added),
                Place::Unusable => unusable = leaf(self.unusable.as_ref(), added),
                Place::Regex => regexes = Regexes::edited(self.regexes.as_deref(), added, gone).map(Arc::new),
            }
        }
        let edit = |store: &Store<_, _>, edits: Vec<_>| {
            if edits.is_empty() { store.clone() } else { store.edited(edits) }
        };
        let (exact, prefixes) = (edit(&self.exact, exact), edit(&self.prefixes, prefixes));
        let something = !exact.is_empty()
            || !prefixes.is_empty()
            || [&root, &unusable].into_iter().any(Option::is_some)
            || regexes.is_some();
        something.then_some(Self { exact, prefixes, segment_counts, longest_prefix, regexes, root, unusable })
    }
}

impl<T> Attached<T> {
    /// The places that its matches are in, for their removal.
    pub(super) fn vacated(self: &Arc<Self>) -> impl Iterator<Item = Change<T>> {
        self.candidates().map(|(place, _)| (place, None))
    }

    /// Its matches, for their places.
    pub(super) fn settled(self: &Arc<Self>) -> impl Iterator<Item = Change<T>> {
        self.candidates().map(|(place, candidate)| (place, Some(candidate)))
    }
}

/// Whole segments in front of a path, the longest first, without the empty one; each with its number of slashes.
fn prefixes(path: &str, longest: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut end = Some(path.len());
    if path.len() > longest {
        end = path.as_bytes().get(..=longest).and_then(last_slash);
    }
    let mut count = end.and_then(|end| path.get(..end)).map(slashes).unwrap_or_default();
    std::iter::from_fn(move || {
        let prefix = path.get(..end?)?;
        let this = (count, prefix);
        end = last_slash(prefix.as_bytes());
        count = count.saturating_sub(1);
        (!prefix.is_empty()).then_some(this)
    })
}

fn last_slash(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|byte| *byte == b'/')
}

fn slashes(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'/').count()
}

/// Prefixes of more segments than there are bits share the last one.
fn segment_bit(count: usize) -> u64 {
    1 << count.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_whole_segments_from_the_longest() {
        let found = |path, longest| prefixes(path, longest).collect::<Vec<_>>();
        assert_eq!(found("/a/b", 10), [(2, "/a/b"), (1, "/a")]);
        assert_eq!(found("/a/b", 3), [(1, "/a")]);
        assert_eq!(found("/a/b", 2), [(1, "/a")]);
        assert_eq!(found("/a/b", 1), []);
        assert_eq!(found("/a/", 10), [(2, "/a/"), (1, "/a")]);
        assert_eq!(found("/é/b", 2), []);
        assert_eq!(found("/", 10), [(1, "/")]);
        assert_eq!(found("", 10), []);
        assert_eq!(found("*", 10), [(0, "*")]);
    }
}
