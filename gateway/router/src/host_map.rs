//! Values by host pattern.

use crate::store::Store;
use lychgate_ir::HostPattern;

static ANY: HostPattern = HostPattern::Any;

/// Values by host pattern, looked up from the most specific pattern to the least. Cheap to clone and to edit.
///
/// A lookup costs a probe for the host and one for each number of labels that some wildcard has, and does not allocate.
#[derive(Clone, Debug)]
pub struct HostMap<V> {
    exact: Store<HostPattern, V>,
    /// By suffix.
    wildcard: Store<HostPattern, V>,
    /// Bit n is set where a wildcard's suffix may have n labels: suffixes of other sizes need no probe.
    label_counts: u128,
    any: Option<V>,
}

impl<V> Default for HostMap<V> {
    fn default() -> Self {
        Self { exact: Store::default(), wildcard: Store::default(), label_counts: 0, any: None }
    }
}

impl<V> HostMap<V> {
    /// How many patterns have a value.
    pub fn len(&self) -> usize {
        self.exact.len() + self.wildcard.len() + usize::from(self.any.is_some())
    }

    /// Whether no pattern has a value.
    pub fn is_empty(&self) -> bool {
        self.any.is_none() && self.exact.is_empty() && self.wildcard.is_empty()
    }

    /// The value of exactly this pattern.
    pub fn get(&self, pattern: &HostPattern) -> Option<&V> {
        match pattern {
            HostPattern::Any => self.any.as_ref(),
            HostPattern::Wildcard(suffix) => self.wildcard.get(suffix).map(|(_, value)| value),
            HostPattern::Exact(name) => self.exact.get(name).map(|(_, value)| value),
        }
    }

    /// The value of the most specific pattern that matches a host (as [`crate::normalize_host`] gives it).
    pub fn best(&self, host: &str) -> Option<&V> {
        self.candidates(host).next().map(|(_, value)| value)
    }

    /// All patterns that match a host, the most specific first.
    pub fn candidates<'m>(&'m self, host: &str) -> impl Iterator<Item = (&'m HostPattern, &'m V)> {
        let exact = self.exact.get(host);
        let counts = self.label_counts;
        let wildcards = suffixes(if counts == 0 { "" } else { host })
            .filter(move |(labels, _)| counts & label_bit(*labels) != 0)
            .filter_map(|(_, suffix)| self.wildcard.get(suffix));
        exact.into_iter().chain(wildcards).chain(self.any.as_ref().map(|value| (&ANY, value)))
    }

    /// All patterns, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&HostPattern, &V)> {
        self.exact.iter().chain(self.wildcard.iter()).chain(self.any.as_ref().map(|value| (&ANY, value)))
    }
}

impl<V: Clone> HostMap<V> {
    /// This map with values put (`Some`) or removed (`None`); of several edits of one pattern the last counts.
    #[must_use]
    pub fn edited(&self, edits: impl IntoIterator<Item = (HostPattern, Option<V>)>) -> Self {
        let mut any = self.any.clone();
        let mut label_counts = self.label_counts;
        let (mut exact, mut wildcard) = (Vec::new(), Vec::new());
        for (pattern, value) in edits {
            match &pattern {
                HostPattern::Any => any = value,
                HostPattern::Exact(_) => exact.push((pattern, value)),
                HostPattern::Wildcard(suffix) => {
                    // Never unset: a probe too many costs less than counting wildcards on every removal.
                    label_counts |= label_bit(dots(suffix) + 1);
                    wildcard.push((pattern, value));
                }
            }
        }
        let edit = |store: &Store<_, V>, edits: Vec<_>| {
            if edits.is_empty() { store.clone() } else { store.edited(edits) }
        };
        Self { exact: edit(&self.exact, exact), wildcard: edit(&self.wildcard, wildcard), label_counts, any }
    }
}

impl<V: Clone> FromIterator<(HostPattern, V)> for HostMap<V> {
    fn from_iter<I: IntoIterator<Item = (HostPattern, V)>>(entries: I) -> Self {
        Self::default().edited(entries.into_iter().map(|(pattern, value)| (pattern, Some(value))))
    }
}

/// What wildcards may stand in front of, the longest first, each with its number of labels.
fn suffixes(host: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut labels = dots(host) + 1;
    host.match_indices('.').filter_map(move |(at, _)| {
        labels -= 1;
        // A dot in front of everything has no label in front of it.
        (at > 0).then(|| host.get(at + 1..).map(|suffix| (labels, suffix))).flatten()
    })
}

fn dots(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'.').count()
}

/// Names of more labels than there are bits share the last one.
fn label_bit(labels: usize) -> u128 {
    1 << labels.min(127)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PATTERNS: &[&str] =
        &["", "com", "example.com", "a.example.com", "*.com", "*.example.com", "*.b.example.com", "*.net"];

    fn map() -> HostMap<&'static str> {
        PATTERNS.iter().map(|text| (HostPattern::parse(text).unwrap(), *text)).collect()
    }

    #[test]
    fn candidates_are_all_that_match_in_order_of_specificity() {
        let map = map();
        for host in [
            "",
            ".",
            "com",
            ".com",
            "example.com",
            "a.example.com",
            "x.b.example.com",
            "b.example.com",
            "a..com",
            "org",
        ] {
            let mut expected: Vec<_> = PATTERNS.iter().map(|text| HostPattern::parse(text).unwrap()).collect();
            expected.retain(|pattern| pattern.matches(host));
            expected.sort_by(|a, b| b.cmp(a));
            let found: Vec<_> = map.candidates(host).map(|(pattern, _)| pattern.clone()).collect();
            assert_eq!(found, expected, "{host}");
        }
    }

    #[test]
    fn the_best_is_the_first_and_edits_remove() {
        let map = map();
        assert_eq!(map.best("a.example.com"), Some(&"a.example.com"));
        assert_eq!(map.best("c.example.com"), Some(&"*.example.com"));
        assert_eq!(map.best("nowhere.org"), Some(&""));
        let map = map.edited([(HostPattern::Any, None), (HostPattern::parse("*.example.com").unwrap(), None)]);
        assert_eq!(map.best("c.example.com"), Some(&"*.com"));
        assert_eq!(map.best("nowhere.org"), None);
        assert_eq!(map.len(), PATTERNS.len() - 2);
    }
}
