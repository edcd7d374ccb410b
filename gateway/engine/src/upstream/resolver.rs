//! Names of backends, resolved through the host's resolver and kept up to date.
//!
//! Each name is resolved again when its TTL ends. While its resolver fails, the addresses known before stay; a name that
//! does not exist any more (NXDOMAIN) has none. A backend never goes on with the addresses of a name that it does not
//! have any more.

mod board;
mod lookup;
#[cfg(test)]
mod tests;

use super::BackendCell;
use board::Board;
use hickory_resolver::config::ResolverConfig;
use lookup::{Answer, Dns, Failure};
use lychgate_ir::BackendId;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// A name, and the port to connect to.
pub(crate) type Name = (Arc<str>, u16);

/// What is resolved for one backend: names, and addresses that need no resolving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) names: BTreeSet<Name>,
    pub(crate) ready: Vec<SocketAddr>,
    pub(crate) terminating: Vec<SocketAddr>,
}

/// How often names are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// No name is asked for more often than this, whatever its TTL.
    pub(crate) min_ttl: Duration,
    /// No answer is believed for longer than this.
    pub(crate) max_ttl: Duration,
    /// The wait after a failure; doubled with each one that follows …
    pub(crate) backoff: Duration,
    /// … up to this.
    pub(crate) max_backoff: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(300),
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
        }
    }
}

/// Keeps the names of all backends resolved.
pub(crate) struct Resolver {
    servers: Option<ResolverConfig>,
    pace: Pace,
    /// Made when the first name comes; tried again with the next one if the host could not say whom to ask.
    dns: Mutex<Option<Arc<Dns>>>,
    watched: Mutex<HashMap<BackendId, Watched>>,
}

/// One backend. Its tasks end with it.
struct Watched {
    board: Arc<Board>,
    _tasks: JoinSet<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        // A task that is running at this very moment must not write any more.
        self.board.retire();
    }
}

impl Resolver {
    /// Asks these name servers, or those of the host.
    pub(crate) fn new(servers: Option<ResolverConfig>, pace: Pace) -> Self {
        Self { servers, pace, dns: Mutex::default(), watched: Mutex::default() }
    }

    /// Resolves these names for a backend from now on, instead of those it had.
    pub(crate) fn watch(&self, cell: &Arc<BackendCell>, names: Names) {
        let mut watched = lock(&self.watched);
        if watched.get(&cell.id).is_some_and(|now| now.board.is_for(cell, &names)) {
            return;
        }
        let known = watched.remove(&cell.id).map(|before| before.board.retire()).unwrap_or_default();
        let board = Arc::new(Board::new(cell, names, known));
        let Some(dns) = self.dns() else {
            tracing::error!(backend = %cell.id, "no name can be resolved: the host's resolver configuration is unreadable");
            board.give_up();
            return;
        };
        let mut tasks = JoinSet::new();
        for name in board.names() {
            tasks.spawn(keep_resolved(dns.clone(), name.clone(), board.clone(), self.pace));
        }
        watched.insert(cell.id.clone(), Watched { board, _tasks: tasks });
    }

    /// Stops resolving for a backend.
    pub(crate) fn forget(&self, id: &BackendId) {
        lock(&self.watched).remove(id);
    }

    fn dns(&self) -> Option<Arc<Dns>> {
        let mut dns = lock(&self.dns);
        if dns.is_none() {
            *dns = Dns::new(self.servers.clone()).ok().map(Arc::new);
        }
        dns.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole between any two statements, so a panic of another holder means nothing here.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resolves one name until its backend is gone.
async fn keep_resolved(dns: Arc<Dns>, name: Name, board: Arc<Board>, pace: Pace) {
    let mut backoff = pace.backoff;
    loop {
        let (is_wanted, wait) = match dns.lookup(&name.0).await {
            Ok(Answer { addresses, ttl }) => {
                backoff = pace.backoff;
                (board.answer(&name, &addresses), ttl.clamp(pace.min_ttl, pace.max_ttl))
            }
            Err(failure) => {
                let wait = backoff;
                backoff = (backoff * 2).min(pace.max_backoff);
                let is_wanted = match failure {
                    Failure::NoSuchName => {
                        tracing::warn!(name = %name.0, "the name does not exist");
                        board.answer(&name, &[])
                    }
                    Failure::Unanswered(error) => {
                        tracing::warn!(name = %name.0, %error, "name not resolved; addresses known before stay in use");
                        board.no_answer(&name)
                    }
                };
                (is_wanted, wait)
            }
        };
        if !is_wanted {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}
