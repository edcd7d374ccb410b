//! What is known of the names of one backend, and shown to it.

use super::{Name, Names, lock};
use crate::upstream::BackendCell;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, Weak};

/// Addresses by name.
pub(super) type Known = HashMap<Name, Vec<SocketAddr>>;

pub(super) struct Board {
    cell: Weak<BackendCell>,
    names: Names,
    answers: Mutex<Answers>,
}

struct Answers {
    known: Known,
    /// Names that have neither been answered nor failed yet.
    open: BTreeSet<Name>,
    /// Other names hold now: nothing is shown any more.
    retired: bool,
}

impl Board {
    /// Begins with what is known already of names that stay. Without any address, requests wait for the first answer.
    pub(super) fn new(cell: &Arc<BackendCell>, names: Names, mut known: Known) -> Self {
        known.retain(|name, _| names.names.contains(name));
        let open = names.names.iter().filter(|name| !known.contains_key(*name)).cloned().collect();
        let answers = Answers { known, open, retired: false };
        match answers.addresses(&names) {
            Some(ready) => cell.set_endpoints(&ready, &names.terminating),
            None => cell.forget_endpoints(),
        }
        Self { cell: Arc::downgrade(cell), names, answers: Mutex::new(answers) }
    }

    pub(super) fn is_for(&self, cell: &Arc<BackendCell>, names: &Names) -> bool {
        self.names == *names && self.cell.upgrade().is_some_and(|own| Arc::ptr_eq(&own, cell))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.names.names.iter()
    }

    /// A name has these addresses now. False if nobody wants to know.
    pub(super) fn answer(&self, name: &Name, addresses: &[IpAddr]) -> bool {
        self.change(|answers| {
            let addresses = addresses.iter().map(|ip| SocketAddr::new(*ip, name.1)).collect();
            answers.known.insert(name.clone(), addresses);
            answers.open.remove(name);
        })
    }

    /// A name could not be resolved: it keeps what it had. False if nobody wants to know.
    pub(super) fn no_answer(&self, name: &Name) -> bool {
        self.change(|answers| {
            answers.open.remove(name);
        })
    }

    /// No name can be resolved.
    pub(super) fn give_up(&self) {
        self.change(|answers| answers.open.clear());
    }

    /// Shows nothing from now on; what was known is for the one that follows.
    pub(super) fn retire(&self) -> Known {
        let mut answers = lock(&self.answers);
        answers.retired = true;
        std::mem::take(&mut answers.known)
    }

    fn change(&self, change: impl FnOnce(&mut Answers)) -> bool {
        // Held while showing, so that the last change is the last one shown.
        let mut answers = lock(&self.answers);
        let Some(cell) = self.cell.upgrade().filter(|_| !answers.retired) else { return false };
        change(&mut answers);
        if let Some(ready) = answers.addresses(&self.names) {
            cell.set_resolved(&ready, &self.names.terminating);
        }
        true
    }
}

impl Answers {
    /// All addresses; `None` while there are none, but may be soon.
    fn addresses(&self, names: &Names) -> Option<Vec<SocketAddr>> {
        let mut ready: Vec<SocketAddr> = names.ready.iter().chain(self.known.values().flatten()).copied().collect();
        if ready.is_empty() && !self.open.is_empty() {
            return None;
        }
        ready.sort_unstable();
        ready.dedup();
        Some(ready)
    }
}
