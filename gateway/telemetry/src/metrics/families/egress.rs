//! What leaves, or wants to.

use super::stream::Direction;
use super::{Registered, counters, gauges};
use crate::metrics::OTHER;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was decided, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EgressVerdict {
    /// Whether it left.
    pub allowed: bool,
    /// Whether it would not have, were everything enforced.
    pub would_deny: bool,
    /// `rule`, `uncertain`, `no_rule` or `not_enforced`.
    pub because: &'static str,
}

/// Families of egress Gateways.
pub(in crate::metrics) struct EgressFamilies {
    decisions: IntCounterVec,
    questions: IntCounterVec,
    rules: IntCounterVec,
    connections: IntCounterVec,
    open: IntGaugeVec,
    bytes: IntCounterVec,
    limits: IntCounterVec,
    limit: usize,
    destinations: Mutex<Ranks<Arc<EgressMetrics>>>,
    ruled: Mutex<Ranks<()>>,
}

/// What is counted of one destination.
pub struct EgressMetrics {
    connections: IntCounter,
    open: IntGauge,
    up: IntCounter,
    down: IntCounter,
}

impl EgressFamilies {
    pub(in crate::metrics) fn register(registry: &Registry, limit: usize) -> Registered<Self> {
        Ok(Self {
            decisions: counters(registry, "lychgate_egress_decisions_total")?,
            questions: counters(registry, "lychgate_egress_questions_total")?,
            rules: counters(registry, "lychgate_egress_rule_decisions_total")?,
            connections: counters(registry, "lychgate_egress_connections_total")?,
            open: gauges(registry, "lychgate_egress_connections_open")?,
            bytes: counters(registry, "lychgate_egress_bytes_total")?,
            limits: counters(registry, "lychgate_egress_limits_total")?,
            limit,
            destinations: Mutex::default(),
            ruled: Mutex::default(),
        })
    }

    pub(in crate::metrics) fn decided(&self, gateway: &str, rule: Option<&str>, verdict: EgressVerdict) {
        let EgressVerdict { allowed, would_deny, because } = verdict;
        let word = match (allowed, would_deny) {
            (true, false) => "allow",
            (true, true) => "would_deny",
            (false, _) => "deny",
        };
        self.decisions.with_label_values(&[gateway, word, because]).inc();
        let Some(rule) = rule else { return };
        let placed = lock(&self.ruled).place(rule, self.limit, || ());
        if let Some(gone) = placed.gone {
            for word in ["allow", "would_deny", "deny"] {
                // Not there: it was never counted.
                let _ = self.rules.remove_label_values(&[&gone, word]);
            }
        }
        self.rules.with_label_values(&[if placed.value.is_some() { rule } else { OTHER }, word]).inc();
    }

    pub(in crate::metrics) fn limited(&self, gateway: &str, limit: &'static str, in_shadow: bool) {
        let mode = if in_shadow { "shadow" } else { "enforce" };
        self.limits.with_label_values(&[gateway, limit, mode]).inc();
    }

    pub(in crate::metrics) fn question(&self, gateway: &str, outcome: &'static str) {
        self.questions.with_label_values(&[gateway, outcome]).inc();
    }

    pub(in crate::metrics) fn destination(&self, name: &str) -> Arc<EgressMetrics> {
        let placed = lock(&self.destinations).place(name, self.limit, || Arc::new(self.handle(name)));
        if let Some(gone) = placed.gone {
            let _ = self.connections.remove_label_values(&[&gone]);
            let _ = self.open.remove_label_values(&[&gone]);
            for direction in ["up", "down"] {
                let _ = self.bytes.remove_label_values(&[gone.as_str(), direction]);
            }
        }
        placed.value.unwrap_or_else(|| Arc::new(self.handle(OTHER)))
    }

    fn handle(&self, name: &str) -> EgressMetrics {
        EgressMetrics {
            connections: self.connections.with_label_values(&[name]),
            open: self.open.with_label_values(&[name]),
            up: self.bytes.with_label_values(&[name, "up"]),
            down: self.bytes.with_label_values(&[name, "down"]),
        }
    }
}

impl EgressMetrics {
    /// A connection was opened.
    pub fn opened(&self) {
        self.connections.inc();
        self.open.inc();
    }

    /// A connection that had been opened is closed.
    pub fn closed(&self) {
        self.open.dec();
    }

    /// Bytes were carried.
    pub fn carried(&self, direction: Direction, bytes: u64) {
        match direction {
            Direction::Up => self.up.inc_by(bytes),
            Direction::Down => self.down.inc_by(bytes),
        }
    }
}

/// The names that are asked for most often. Others are counted until one of them is asked for more often than the least
/// of these, whose place it takes.
struct Ranks<V> {
    kept: HashMap<String, (u64, V)>,
    others: HashMap<String, u64>,
}

/// Where a name has its place.
struct Placed<V> {
    /// Of its own; `None` shares that of all others.
    value: Option<V>,
    /// Who lost it for that.
    gone: Option<String>,
}

impl<V> Default for Ranks<V> {
    fn default() -> Self {
        Self { kept: HashMap::new(), others: HashMap::new() }
    }
}

impl<V: Clone> Ranks<V> {
    fn place(&mut self, name: &str, limit: usize, make: impl FnOnce() -> V) -> Placed<V> {
        if let Some((count, value)) = self.kept.get_mut(name) {
            *count += 1;
            return Placed { value: Some(value.clone()), gone: None };
        }
        let mut gone = None;
        let mut count = 1;
        if self.kept.len() >= limit {
            // Names come from clients: as many as they like.
            if self.others.len() >= limit.saturating_mul(16) {
                self.others.clear();
            }
            let asked = self.others.entry(name.to_owned()).or_insert(0);
            *asked += 1;
            count = *asked;
            // Looked for at every 16th question only: it is among a hundred.
            if count % 16 != 0 {
                return Placed { value: None, gone: None };
            }
            let least =
                self.kept.iter().min_by_key(|(_, (count, _))| *count).map(|(name, (count, _))| (name.clone(), *count));
            match least {
                Some((least, most)) if most < count => {
                    self.kept.remove(&least);
                    gone = Some(least);
                }
                Some(_) | None => return Placed { value: None, gone: None },
            }
            self.others.remove(name);
        }
        let value = make();
        self.kept.insert(name.to_owned(), (count, value.clone()));
        Placed { value: Some(value), gone }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counts are whole whatever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_asked_for_most_have_a_place_of_their_own() {
        let mut ranks = Ranks::default();
        assert!(ranks.place("a", 2, || ()).value.is_some());
        assert!(ranks.place("b", 2, || ()).value.is_some());
        for _ in 0..20 {
            assert!(ranks.place("a", 2, || ()).gone.is_none());
        }
        assert!(ranks.place("c", 2, || ()).value.is_none());
        let gone: Vec<String> = (0..32).filter_map(|_| ranks.place("c", 2, || ()).gone).collect();
        assert_eq!(gone, ["b"]);
        assert!(ranks.place("a", 2, || ()).value.is_some() && ranks.place("c", 2, || ()).value.is_some());
        for other in 0..1000 {
            assert!(ranks.place(&format!("other-{other}"), 2, || ()).value.is_none());
        }
        assert!(ranks.kept.len() == 2 && ranks.others.len() <= 32);
    }
}
