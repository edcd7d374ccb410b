//! A control plane that publishes what a test says, and hands out certificates. Tests of the data plane use it, too.
#![allow(dead_code, reason = "each user needs its part")]

use async_trait::async_trait;
use lychgate_feed::client::{Options, Pace};
use lychgate_feed::enroll::{EnrollError, Enrolled, Enroller};
use lychgate_feed::server::{self, Feed, Identity};
use lychgate_feed::{Acknowledgement, GroupId};
use lychgate_ir::Redacted;
use lychgate_testkit::Authority;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// No test waits longer for anything; nothing is expected to take so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const TOKEN: &str = "the token of shop/front";

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wanted).await.expect("it never came")
}

pub(crate) fn group() -> GroupId {
    GroupId::new("shop", "front")
}

/// Hands out certificates to those who know a token.
pub(crate) struct Registry {
    pub(crate) authority: Authority,
    /// Signs in its place.
    pub(crate) signer: Option<Authority>,
    /// Tokens, and whose they are.
    pub(crate) tokens: Mutex<Vec<(String, GroupId)>>,
    /// How long certificates live.
    pub(crate) life: Duration,
    pub(crate) issued: AtomicUsize,
}

#[async_trait]
impl Enroller for Registry {
    async fn enroll(&self, token: &Redacted, csr_der: &[u8]) -> Result<Enrolled, EnrollError> {
        let known = self.tokens.lock().unwrap().iter().find(|(known, _)| known == token.expose()).cloned();
        let (_, group) = known.ok_or_else(|| EnrollError::Refused("nobody knows this token".to_owned()))?;
        let uri = group.spiffe("cluster.local");
        let signer = self.signer.as_ref().unwrap_or(&self.authority);
        let chain_pem = signer.sign_request(csr_der, &uri, self.life.as_secs()).map_err(EnrollError::Malformed)?;
        self.issued.fetch_add(1, Ordering::SeqCst);
        Ok(Enrolled { chain_pem, roots_pem: self.authority.pem(), not_after: SystemTime::now() + self.life })
    }
}

/// A control plane.
pub(crate) struct Control {
    pub(crate) feed: Feed,
    pub(crate) registry: Arc<Registry>,
    pub(crate) address: SocketAddr,
    pub(crate) limits: server::Options,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    /// What data planes are mounted.
    pub(crate) home: Arc<TempDir>,
}

impl Control {
    pub(crate) async fn start() -> Self {
        Self::start_with(Duration::from_secs(3600)).await
    }

    /// Certificates live so long.
    pub(crate) async fn start_with(life: Duration) -> Self {
        Self::start_as(Authority::new("feed"), None, life).await
    }

    /// Certificates of data planes come from an authority that the server does not know.
    pub(crate) async fn start_signing_with(signer: Authority) -> Self {
        Self::start_as(Authority::new("feed"), Some(signer), Duration::from_secs(3600)).await
    }

    async fn start_as(authority: Authority, signer: Option<Authority>, life: Duration) -> Self {
        let registry = Registry {
            authority,
            signer,
            tokens: Mutex::new(vec![(TOKEN.to_owned(), group())]),
            life,
            issued: AtomicUsize::new(0),
        };
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("ca.crt"), registry.authority.pem()).unwrap();
        std::fs::write(home.path().join("token"), TOKEN).unwrap();
        Self::replica(Arc::new(registry), Arc::new(home), server::Options::default()).await
    }

    /// Another replica of it, which has published nothing yet.
    pub(crate) async fn beside(&self) -> Self {
        Self::replica(self.registry.clone(), self.home.clone(), self.limits.clone()).await
    }

    async fn replica(registry: Arc<Registry>, home: Arc<TempDir>, limits: server::Options) -> Self {
        let address = ([127, 0, 0, 1], 0).into();
        let mut control = Self { feed: Feed::new(), registry, address, limits, serving: None, home };
        control.serve().await;
        control
    }

    /// Serves, at the address of before if there was one.
    pub(crate) async fn serve(&mut self) {
        let leaf = self.registry.authority.leaf().ip(self.address.ip()).issue();
        let identity =
            Identity::new(&leaf.chain_pem(), &Redacted::new(leaf.key_pem()), &self.registry.authority.pem()).unwrap();
        // Kept for as long as the server wants to know.
        let (_keep, identity) = watch::channel(identity);
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (feed, registry, limits) = (self.feed.clone(), self.registry.clone(), self.limits.clone());
        let serving = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            server::serve(listener, feed, identity, registry, limits, stopped).await;
        });
        self.serving = Some((stop, serving));
    }

    /// Stops serving.
    pub(crate) async fn stop(&mut self) {
        if let Some((stop, serving)) = self.serving.take() {
            let _ = stop.send(());
            soon(serving).await.unwrap();
        }
    }

    /// Options of a data plane of it.
    pub(crate) fn options(&self, instance: &str) -> Options {
        Options {
            control: format!("https://{}", self.address).parse().unwrap(),
            token_file: self.home.path().join("token"),
            trust_bundle: self.home.path().join("ca.crt"),
            cache: None,
            instance: instance.to_owned(),
            node: "node".to_owned(),
            pace: Pace {
                first: Duration::from_millis(10),
                longest: Duration::from_millis(100),
                cache: Duration::from_millis(10),
                ..Pace::default()
            },
        }
    }

    /// What an instance has said, once it holds what is asked for.
    pub(crate) async fn acknowledged(
        &self,
        instance: &str,
        holds: impl Fn(&Acknowledgement) -> bool,
    ) -> Acknowledgement {
        let mut fleet = self.feed.fleet();
        let said = |fleet: &server::Fleet| {
            let client = fleet.clients.iter().find(|(id, _)| &*id.instance == instance)?.1;
            client.acknowledged.clone().filter(|ack| holds(ack))
        };
        let fleet = soon(fleet.wait_for(|fleet| said(fleet).is_some())).await.unwrap();
        said(&fleet).unwrap()
    }
}
