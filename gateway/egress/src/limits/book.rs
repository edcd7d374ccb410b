//! The accounts of all rules with limits, from one snapshot to the next.

use super::Accounts;
use lychgate_ir::egress::{
    Destination, EgressHandling, EgressLimits, EgressPolicy, EgressPolicyId, EgressRule, EgressRuleId,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

/// One rule's: what may leave, and what has.
#[derive(Debug)]
pub struct Book {
    limits: RwLock<EgressLimits>,
    accounts: Accounts,
}

impl Book {
    /// With these numbers, and nothing used.
    pub fn new(limits: EgressLimits) -> Self {
        Self { limits: RwLock::new(limits), accounts: Accounts::default() }
    }

    /// What may leave, as the newest snapshot has it.
    pub fn limits(&self) -> EgressLimits {
        *self.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    fn set(&self, limits: EgressLimits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }
}

/// The books of a Gateway's policies.
#[derive(Debug, Default)]
pub struct Books(HashMap<EgressPolicyId, BTreeMap<u32, Entry>>);

#[derive(Debug)]
struct Entry {
    /// What the rule says but for its limits.
    rule: EgressRule,
    book: Arc<Book>,
}

impl Books {
    /// Those of these policies. A rule that was there before keeps its book, with what it says now: one that has a name by
    /// its name, another by what it says or else its place.
    pub fn compile(policies: &BTreeMap<EgressPolicyId, Arc<EgressPolicy>>, before: &Self) -> Self {
        let of = |(id, policy): (&EgressPolicyId, &Arc<EgressPolicy>)| {
            let entries = entries(policy, before.0.get(id));
            (!entries.is_empty()).then(|| (id.clone(), entries))
        };
        Self(policies.iter().filter_map(of).collect())
    }

    /// The book of a rule; none where it has no limits.
    pub fn of(&self, rule: &EgressRuleId) -> Option<&Arc<Book>> {
        self.0.get(&rule.policy)?.get(&rule.index).map(|entry| &entry.book)
    }

    /// Whether what a rule lets leave surely goes by its name, even where the name is only claimed for an address.
    pub fn is_sure_of_names(&self, rule: &EgressRuleId) -> bool {
        let entry = self.0.get(&rule.policy).and_then(|entries| entries.get(&rule.index));
        entry.is_some_and(|entry| match entry.rule.destination {
            Destination::Hosts { hosts: _, within: _ } => !entry.rule.exceptions.unverified_name,
            Destination::Any | Destination::Addresses(_) => false,
        })
    }

    /// Takes the limits from what runs by rules that have none any more.
    pub fn release(&self, now: &Self) {
        let kept: HashSet<*const Book> = now.all().map(Arc::as_ptr).collect();
        for book in self.all().filter(|book| !kept.contains(&Arc::as_ptr(book))) {
            let EgressLimits {
                mode,
                per,
                connections: _,
                requests_per_second: _,
                bytes_per_second: _,
                bytes_per_day: _,
            } = book.limits();
            book.set(EgressLimits {
                mode,
                per,
                connections: None,
                requests_per_second: None,
                bytes_per_second: None,
                bytes_per_day: None,
            });
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Book>> {
        self.0.values().flat_map(BTreeMap::values).map(|entry| &entry.book)
    }
}

/// Whether a rule at its place is one of before at its own.
type Same = fn(u32, &EgressRule, u32, &EgressRule) -> bool;

fn entries(policy: &EgressPolicy, before: Option<&BTreeMap<u32, Entry>>) -> BTreeMap<u32, Entry> {
    let limited = |(index, rule): (u32, &EgressRule)| {
        let limits = rule.handling.limits?;
        Some((index, limits, without_limits(rule)))
    };
    let wanted: Vec<_> = (0..).zip(&policy.rules).filter_map(limited).collect();
    let mut left: Vec<(&u32, &Entry)> = before.into_iter().flatten().collect();
    let mut books: BTreeMap<u32, Arc<Book>> = BTreeMap::new();
    // Those that are surely the same choose first.
    let same: [Same; 3] = [
        |_, rule, _, old| rule.name.is_some() && rule.name == old.name,
        |_, rule, _, old| rule.name.is_none() && *rule == *old,
        |index, rule, place, old| rule.name.is_none() && old.name.is_none() && index == place,
    ];
    for same in same {
        for (index, _, rule) in &wanted {
            if books.contains_key(index) {
                continue;
            }
            if let Some(at) = left.iter().position(|(place, old)| same(*index, rule, **place, &old.rule)) {
                books.insert(*index, left.swap_remove(at).1.book.clone());
            }
        }
    }
    let entry = |(index, limits, rule): (u32, EgressLimits, EgressRule)| {
        let book = books.remove(&index).unwrap_or_else(|| Arc::new(Book::new(limits)));
        book.set(limits);
        (index, Entry { rule, book })
    };
    wanted.into_iter().map(entry).collect()
}

fn without_limits(rule: &EgressRule) -> EgressRule {
    let handling = EgressHandling { limits: None, ..(*rule.handling).clone() };
    EgressRule { handling: Arc::new(handling), ..rule.clone() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::limits::Now;
    use lychgate_ir::ObjectName;
    use lychgate_ir::egress::{
        EgressAction, EgressExceptions, EgressHost, EgressLimitScope, EgressMode, EgressSubject,
    };
    use std::time::Duration;

    const NOW: Now = Now { elapsed: Duration::ZERO, unix_seconds: 0 };

    fn rule(name: Option<&str>, host: &str, bytes_per_day: Option<u64>) -> EgressRule {
        let limits = bytes_per_day.map(|most| EgressLimits {
            mode: EgressMode::Enforce,
            per: EgressLimitScope::Rule,
            connections: None,
            requests_per_second: None,
            bytes_per_second: None,
            bytes_per_day: Some(most),
        });
        EgressRule {
            name: name.map(Into::into),
            action: EgressAction::Allow,
            destination: Destination::Hosts { hosts: vec![EgressHost::parse(host).unwrap()], within: vec![] },
            ports: vec![],
            protocols: vec![],
            windows: vec![],
            exceptions: EgressExceptions::default(),
            reason: None,
            handling: Arc::new(EgressHandling { limits, ..EgressHandling::default() }),
        }
    }

    fn id() -> EgressPolicyId {
        EgressPolicyId(ObjectName::new("shop", "bounds"))
    }

    fn books(rules: Vec<EgressRule>, before: &Books) -> Books {
        let policy =
            EgressPolicy { generation: 1, mode: EgressMode::Enforce, subjects: vec![EgressSubject::Everyone], rules };
        let books = Books::compile(&[(id(), Arc::new(policy))].into(), before);
        before.release(&books);
        books
    }

    fn book(books: &Books, index: u32) -> Option<&Arc<Book>> {
        books.of(&EgressRuleId { policy: id(), generation: 7, index, name: None })
    }

    fn left(book: &Book) -> u64 {
        book.accounts().whole().lock().unwrap().piece(&book.limits(), NOW).unwrap_or(0)
    }

    fn spend(book: &Book, bytes: u64) {
        book.accounts().whole().lock().unwrap().carried(bytes, &book.limits(), NOW);
    }

    #[test]
    fn a_rule_keeps_its_book_wherever_it_goes_and_whatever_its_numbers() {
        let first = books(
            vec![
                rule(None, "free.test", None),
                rule(Some("named"), "a.test", Some(100)),
                rule(None, "b.test", Some(100)),
            ],
            &Books::default(),
        );
        assert!(book(&first, 0).is_none(), "no limits, no book");
        spend(book(&first, 1).unwrap(), 60);
        spend(book(&first, 2).unwrap(), 70);
        let second = books(
            vec![
                rule(None, "b.test", Some(80)),
                rule(None, "new.test", Some(100)),
                // By its name, although it is about something else now.
                rule(Some("named"), "other.test", Some(200)),
            ],
            &first,
        );
        let lefts: Vec<u64> = (0..3).map(|index| left(book(&second, index).unwrap())).collect();
        assert_eq!(lefts, [10, 100, 140]);
        assert_eq!(left(book(&first, 1).unwrap()), 140, "what runs by it holds to the new number");
        // Without a name and with another host, its place is what is left to know it by.
        let third = books(vec![rule(None, "c.test", Some(80))], &second);
        assert_eq!(left(book(&third, 0).unwrap()), 10);
    }

    #[test]
    fn names_are_sure_where_a_rule_is_about_hosts_and_wants_them_verified() {
        let hosts = rule(Some("hosts"), "a.test", Some(1));
        let waived = EgressExceptions { unverified_name: true, ..EgressExceptions::default() };
        let unverified = EgressRule { exceptions: waived, ..rule(Some("unverified"), "a.test", Some(1)) };
        let any = EgressRule { destination: Destination::Any, ..rule(Some("any"), "a.test", Some(1)) };
        let books = books(vec![hosts, unverified, any], &Books::default());
        let of = |index| books.is_sure_of_names(&EgressRuleId { policy: id(), generation: 1, index, name: None });
        assert_eq!([0, 1, 2, 3].map(of), [true, false, false, false]);
    }

    #[test]
    fn what_runs_by_a_rule_without_limits_goes_on_without() {
        let first = books(vec![rule(Some("a"), "a.test", Some(100))], &Books::default());
        spend(book(&first, 0).unwrap(), 100);
        let second = books(vec![rule(Some("a"), "a.test", None)], &first);
        assert!(book(&second, 0).is_none());
        assert_eq!(left(book(&first, 0).unwrap()), u64::MAX);
    }
}
