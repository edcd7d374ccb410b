//! Certificates that were signed, kept for the next connection to the same host.

use super::authority::{Authority, Leaf};
use crate::tls::{self, TlsError};
use lychgate_egress::target::TargetHost;
use lychgate_ir::TlsVersion;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert, ResolvesServerCertUsingSni};
use rustls::sign::CertifiedKey;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

/// So many are kept; the first one goes for the next. A client that asks for ever new names costs itself a signature each.
const KEPT: usize = 4096;

/// Filled by whoever asks first; all others wait for that.
type Slot = Arc<OnceLock<Result<Leaf, String>>>;

/// What an authority has signed.
pub(super) struct Leaves {
    authority: Authority,
    settings: ServerConfig,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_host: HashMap<Arc<str>, Slot>,
    /// In the order in which they came.
    order: VecDeque<Arc<str>>,
}

impl Leaves {
    pub(super) fn new(authority: Authority) -> Result<Self, TlsError> {
        let builder = ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(tls::versions(TlsVersion::V1_2))?
            .with_no_client_auth();
        // Each connection has its own.
        let mut settings = builder.with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
        settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        settings.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        settings.send_tls13_tickets = 1;
        Ok(Self { authority, settings, kept: Mutex::default() })
    }

    /// TLS with a client that wants this host.
    pub(super) fn server(&self, host: &TargetHost, now: SystemTime) -> Result<Arc<ServerConfig>, String> {
        let mut settings = self.settings.clone();
        settings.cert_resolver = Arc::new(One(self.leaf(host, now)?));
        Ok(Arc::new(settings))
    }

    fn leaf(&self, host: &TargetHost, now: SystemTime) -> Result<Arc<CertifiedKey>, String> {
        let slot = self.kept.lock().unwrap_or_else(PoisonError::into_inner).slot(host, now);
        let leaf = slot.get_or_init(|| self.authority.sign(host, now));
        leaf.as_ref().map(|leaf| leaf.key.clone()).map_err(Clone::clone)
    }
}

impl Kept {
    /// What is there for a host and still holds, or an empty one.
    fn slot(&mut self, host: &TargetHost, now: SystemTime) -> Slot {
        let is_good = |slot: &&Slot| match slot.get() {
            None => true,
            Some(Ok(leaf)) => now < leaf.stale,
            Some(Err(_)) => false,
        };
        let name: Arc<str> = host.to_string().into();
        if let Some(slot) = self.by_host.get(&name).filter(is_good) {
            return slot.clone();
        }
        let slot = Slot::default();
        if self.by_host.insert(name.clone(), slot.clone()).is_none() {
            self.order.push_back(name);
        }
        while self.by_host.len() > KEPT
            && let Some(first) = self.order.pop_front()
        {
            self.by_host.remove(&first);
        }
        slot
    }
}

/// Always the same one, whatever name is asked for: the policies have read that name already.
#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
