//! Names of backends, resolved through the host's resolver and kept up to date.
//!
//! A name is resolved again when its TTL ends. While the resolver fails, the addresses known before stay.

use super::BackendCell;
use hickory_resolver::TokioResolver;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// No name is asked for more often than this, whatever its TTL.
const MIN_TTL: Duration = Duration::from_secs(1);
/// No answer is believed for longer than this.
const MAX_TTL: Duration = Duration::from_secs(300);
/// The first wait after a failure; doubled up to [`MAX_BACKOFF`].
const BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// What is resolved for one backend: names, and addresses that need no resolving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) names: BTreeSet<(Arc<str>, u16)>,
    pub(crate) ready: Vec<SocketAddr>,
    pub(crate) terminating: Vec<SocketAddr>,
}

/// Keeps one task for each backend that has names.
#[derive(Default)]
pub(crate) struct Resolver {
    dns: OnceLock<Option<Arc<TokioResolver>>>,
    tasks: Mutex<HashMap<lychgate_ir::BackendId, Task>>,
}

struct Task {
    names: Names,
    handle: JoinHandle<()>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Resolver {
    /// Resolves these names for a backend from now on, instead of those it had.
    pub(crate) fn watch(&self, cell: &Arc<BackendCell>, names: Names) {
        let Ok(mut tasks) = self.tasks.lock() else { return };
        if tasks.get(&cell.id).is_some_and(|task| task.names == names && !task.handle.is_finished()) {
            return;
        }
        let Some(dns) = self.dns() else {
            tracing::error!(backend = %cell.id, "no name can be resolved: the host's resolver configuration is unreadable");
            cell.endpoints_unavailable();
            return;
        };
        let handle = tokio::spawn(keep_resolved(dns, Arc::downgrade(cell), names.clone()));
        tasks.insert(cell.id.clone(), Task { names, handle });
    }

    /// Stops resolving for a backend.
    pub(crate) fn forget(&self, id: &lychgate_ir::BackendId) {
        if let Ok(mut tasks) = self.tasks.lock() {
            tasks.remove(id);
        }
    }

    fn dns(&self) -> Option<Arc<TokioResolver>> {
        self.dns.get_or_init(|| Some(Arc::new(TokioResolver::builder_tokio().ok()?.build().ok()?))).clone()
    }
}

async fn keep_resolved(dns: Arc<TokioResolver>, cell: Weak<BackendCell>, names: Names) {
    let mut known: HashMap<(Arc<str>, u16), Vec<SocketAddr>> = HashMap::new();
    let mut backoff = BACKOFF;
    loop {
        let mut next = MAX_TTL;
        let mut failed = false;
        for (name, port) in &names.names {
            match lookup(&dns, name).await {
                Ok((addresses, ttl)) => {
                    next = next.min(ttl);
                    let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, *port)).collect();
                    known.insert((name.clone(), *port), addresses);
                }
                Err(error) => {
                    failed = true;
                    tracing::warn!(%name, %error, "name not resolved; addresses known before stay in use");
                }
            }
        }
        let Some(cell) = cell.upgrade() else { return };
        if failed && known.is_empty() && names.ready.is_empty() {
            cell.endpoints_unavailable();
        } else {
            let mut ready: Vec<SocketAddr> =
                names.ready.iter().copied().chain(known.values().flatten().copied()).collect();
            ready.sort_unstable();
            ready.dedup();
            cell.set_endpoints(&ready, &names.terminating);
        }
        drop(cell);
        backoff = if failed { (backoff * 2).min(MAX_BACKOFF) } else { BACKOFF };
        tokio::time::sleep(if failed { backoff.min(next) } else { next }).await;
    }
}

async fn lookup(dns: &TokioResolver, name: &str) -> Result<(Vec<IpAddr>, Duration), hickory_resolver::net::NetError> {
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Ok((vec![ip], MAX_TTL));
    }
    let answer = dns.lookup_ip(name).await?;
    let ttl = answer.valid_until().saturating_duration_since(Instant::now()).clamp(MIN_TTL, MAX_TTL);
    Ok((answer.iter().collect(), ttl))
}
