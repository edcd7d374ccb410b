//! The feed's port: open while what data planes say here is heard where statuses are written.

use crate::ca::TokenEnroller;
use crate::lease::Standing;
use lychgate_feed::server::{self, Feed, Identity, Options};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

/// Between two tries to bind the port.
const RETRY: Duration = Duration::from_secs(2);

/// What is served, where, and when.
pub(super) struct Serve {
    pub(super) address: SocketAddr,
    pub(super) feed: Feed,
    pub(super) identity: watch::Receiver<Identity>,
    pub(super) enroller: Arc<TokenEnroller>,
    pub(super) options: Options,
    pub(super) standing: watch::Receiver<Standing>,
}

impl Serve {
    /// Serves while it may, until `stop`. `listener` shows that the port can be had.
    pub(super) async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let Self { address, feed, identity, enroller, options, mut standing } = self;
        // Who connects to a port that nobody accepts on waits in vain.
        let mut listener = Some(listener).filter(|_| standing.borrow().may_serve());
        loop {
            // An error means that the process is gone.
            tokio::select! {
                stands = standing.wait_for(Standing::may_serve) => if stands.is_err() { return },
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let bound = match listener.take() {
                Some(bound) => Ok(bound),
                None => TcpListener::bind(address).await,
            };
            let bound = match bound {
                Ok(bound) => bound,
                Err(error) => {
                    tracing::error!(%address, %error, "the feed's port cannot be bound; trying again");
                    sleep(RETRY).await;
                    continue;
                }
            };
            tracing::info!("serves the feed");
            let until = async {
                tokio::select! {
                    _ = standing.wait_for(|standing| !standing.may_serve()) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            };
            server::serve(bound, feed.clone(), identity.clone(), enroller.clone(), options.clone(), until).await;
            if !*stop.borrow() {
                tracing::warn!("does not serve the feed: no replica is known that leads and takes reports");
            }
        }
    }
}
