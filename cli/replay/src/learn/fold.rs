//! Many names under one parent, written as one.

use super::need::Used;
use std::collections::BTreeMap;

/// When names are folded into `*.parent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// From so many names on.
    pub names: usize,
}

/// Folds names that share a parent, if there are enough of them. A parent has two labels at least: nobody wants `*.com`.
pub(super) fn fold(hosts: BTreeMap<String, Used>, Fold { names }: Fold) -> BTreeMap<String, Used> {
    let mut by_parent: BTreeMap<String, Vec<(String, Used)>> = BTreeMap::new();
    let mut folded = BTreeMap::new();
    for (host, used) in hosts {
        match host.split_once('.').filter(|(_, parent)| parent.contains('.')) {
            Some((_, parent)) => by_parent.entry(parent.to_owned()).or_default().push((host, used)),
            None => drop(folded.insert(host, used)),
        }
    }
    for (parent, children) in by_parent {
        if children.len() < names.max(2) {
            folded.extend(children);
            continue;
        }
        let mut children = children.into_iter().map(|(_, used)| used);
        if let Some(mut all) = children.next() {
            children.for_each(|used| all.join(&used));
            folded.insert(format!("*.{parent}"), all);
        }
    }
    folded
}
