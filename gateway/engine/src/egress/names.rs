//! Names, resolved for what leaves, by whom the Gateway says.

use lychgate_dns::{BadUpstream, Failure, Front, Upstream};
use lychgate_ir::egress::{DnsName, EgressDns};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Addresses of an answer that count.
const ADDRESSES: usize = 64;

/// The addresses of a name. What is dialled is what was checked, so an answer that changes later helps nobody.
pub(crate) type Addresses = Arc<[IpAddr]>;

/// Why there are none.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unresolved {
    #[error("the name does not exist")]
    NoSuchName,
    #[error("the name has no address")]
    NoAddress,
    #[error("DNS did not answer: {0}")]
    Unanswered(String),
}

/// Resolves the names of one Gateway.
pub(crate) struct Names {
    dns: EgressDns,
    /// Made with the first question: who only explains asks none.
    front: OnceLock<Result<Front, BadUpstream>>,
    patience: Duration,
}

impl Names {
    /// Waits no longer than `patience` for an answer.
    pub(crate) fn new(dns: &EgressDns, patience: Duration) -> Self {
        Self { dns: dns.clone(), front: OnceLock::new(), patience }
    }

    /// Answers questions of workloads, from the cache that connections use.
    pub(crate) fn front(&self) -> Result<&Front, &BadUpstream> {
        let front = || Upstream::new(&self.dns).map(|upstream| Front::new(Arc::new(upstream)));
        self.front.get_or_init(front).as_ref()
    }

    /// The addresses of a name.
    pub(crate) async fn resolve(&self, name: &DnsName) -> Result<Addresses, Unresolved> {
        let upstream = self.front().map_err(|bad| Unresolved::Unanswered(bad.to_string()))?.upstream();
        let late = |_| Unresolved::Unanswered(format!("nothing within {:?}", self.patience));
        // Boxed: it is the largest part of whoever waits for it, and is seldom waited for.
        let asked: Pin<Box<dyn Future<Output = _> + Send + '_>> = Box::pin(upstream.addresses(name));
        match tokio::time::timeout(self.patience, asked).await.map_err(late)? {
            Ok(found) => Ok(found.addresses.iter().map(IpAddr::to_canonical).take(ADDRESSES).collect()),
            Err(Failure::NoSuchName) => Err(Unresolved::NoSuchName),
            Err(Failure::NoRecords) => Err(Unresolved::NoAddress),
            Err(Failure::Unanswered(why)) => Err(Unresolved::Unanswered(why)),
        }
    }
}
