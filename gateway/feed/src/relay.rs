//! The side of a replica of the control plane that does not lead: it tells the one that does who follows it, and what those
//! acknowledged.
//!
//! Each stream begins with all that there is, and goes on with what changes; so it does not matter who led before, or what
//! was lost on the way. A slow leader delays nobody: what changes meanwhile is told in its last form.

mod changes;

use crate::channel::{Channel, ConnectError, connect};
use crate::server::Feed;
use crate::tls::{self, TlsError};
use crate::wire::relay::{Down, Hello, Noted, Said, Told, Up, Whole};
use crate::{PRODUCT, PROTOCOL, wire};
use changes::Told as AlreadyTold;
use futures::stream::poll_fn;
use http::uri::PathAndQuery;
use lychgate_ir::Redacted;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::client::Grpc;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

/// For a connection, for each answer in setting a stream up, and for the leader to take a report.
const PATIENCE: Duration = Duration::from_secs(10);
/// What many data planes say at the same moment is told together.
const TOGETHER: Duration = Duration::from_millis(10);
/// Reports on their way.
const UNDER_WAY: usize = 64;

/// The identity that replicas of the control plane have among each other. It is in no namespace, so no token of a
/// ServiceAccount leads to it.
pub fn spiffe(trust_domain: &str) -> String {
    format!("spiffe://{trust_domain}/lychgate/control")
}

/// The replica that leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Where its feed is.
    pub address: SocketAddr,
    /// A name that its certificate has.
    pub name: String,
}

/// What we present, and whom we believe. The key prints as `[redacted]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// PEM, leaf first; it has the identity of [`spiffe`].
    pub chain_pem: String,
    /// PEM.
    pub key_pem: Redacted,
    /// PEM: the authorities of the control plane.
    pub roots_pem: String,
}

/// How far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many reports are on their way.
    Reported(usize),
    /// The leader has all, of so many data planes; from here on it is told what changes.
    Whole(usize),
}

/// Why a replica cannot report.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Our certificate or key, or the authorities.
    #[error("the certificate of this replica cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// No connection.
    #[error(
        "the replica that leads cannot be reached at {0} ({1}); does a NetworkPolicy let replicas reach each other?"
    )]
    Unreachable(SocketAddr, #[source] std::io::Error),
    /// The TLS handshake.
    #[error("the TLS handshake with the replica that leads at {0} failed ({1}); have both the same authority?")]
    Handshake(SocketAddr, #[source] std::io::Error),
    /// HTTP/2.
    #[error("the connection to the replica that leads at {0} broke: {1}")]
    Broken(SocketAddr, #[source] hyper::Error),
    /// What it said.
    #[error("the replica that leads says: {} ({:?})", .0.message(), .0.code())]
    Said(#[from] Status),
    /// Nothing.
    #[error("the replica that leads at {0} did not answer for {PATIENCE:?}")]
    Silent(SocketAddr),
}

/// Reports to the leader for as long as that goes well.
pub async fn report(
    feed: &Feed,
    replica: &str,
    leader: &Leader,
    credentials: &Credentials,
    step: impl Fn(Step) + Send,
) -> RelayError {
    match open(replica, leader, credentials).await {
        Ok(mut stream) => {
            let Err(error) = stream.keep_up(feed, step).await;
            error
        }
        Err(error) => error,
    }
}

enum Never {}

/// An open stream.
struct Stream {
    leader: SocketAddr,
    inbound: Streaming<Down>,
    out: mpsc::Sender<Up>,
    /// The connection; it ends with this.
    _grpc: Grpc<Channel>,
}

async fn open(replica: &str, leader: &Leader, credentials: &Credentials) -> Result<Stream, RelayError> {
    let Leader { address, name } = leader;
    let Credentials { chain_pem, key_pem, roots_pem } = credentials;
    let chain = tls::certificates(chain_pem, "the certificate of this replica")?;
    let key = tls::key(key_pem.expose(), "the key of this replica")?;
    let config = tls::client(tls::roots(roots_pem, "the authorities of the control plane")?, Some((chain, key)))?;
    let opened = async {
        let host = address.ip().to_string();
        let channel = connect(&host, address.port(), name, config).await.map_err(|error| match error {
            ConnectError::Unreachable(error) => RelayError::Unreachable(*address, error),
            ConnectError::Handshake(error) => RelayError::Handshake(*address, error),
            ConnectError::Broken(error) => RelayError::Broken(*address, error),
        })?;
        let origin = format!("https://{name}").parse().unwrap_or_default();
        let mut grpc = Grpc::with_origin(channel, origin);
        let (out, mut said) = mpsc::channel(UNDER_WAY);
        let hello = Hello { replica: replica.to_owned(), protocol: PROTOCOL, product: PRODUCT.to_owned() };
        // There is room: it is the first.
        let _ = out.try_send(Up { said: Some(Said::Hello(hello)) });
        grpc.ready().await.map_err(|error| RelayError::Broken(*address, error))?;
        let request = tonic::Request::new(poll_fn(move |cx| said.poll_recv(cx)));
        let path = PathAndQuery::from_static(wire::REPORT);
        let inbound = grpc.streaming(request, path, ProstCodec::default()).await?.into_inner();
        Ok(Stream { leader: *address, inbound, out, _grpc: grpc })
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap_or(Err(RelayError::Silent(*address)))
}

impl Stream {
    async fn keep_up(&mut self, feed: &Feed, step: impl Fn(Step)) -> Result<Never, RelayError> {
        let mut fleet = feed.fleet();
        let mut told = AlreadyTold::default();
        let mut is_whole = false;
        loop {
            let changes = told.catch_up(&fleet.borrow_and_update().clients);
            let count = changes.len();
            for change in changes {
                self.say(change).await?;
            }
            if count > 0 {
                step(Step::Reported(count));
            }
            if !std::mem::replace(&mut is_whole, true) {
                self.say(Said::Whole(Whole {})).await?;
            }
            tokio::select! {
                heard = self.inbound.message() => {
                    let ended = || Status::unavailable("it has ended the stream");
                    match heard?.ok_or_else(ended)?.told {
                        Some(Told::Noted(Noted { clients })) => {
                            step(Step::Whole(usize::try_from(clients).unwrap_or(usize::MAX)));
                        }
                        // A newer one says more, which is not for us.
                        None => {}
                    }
                }
                // We hold the feed, so there is somebody who tells.
                Ok(()) = fleet.changed() => tokio::time::sleep(TOGETHER).await,
            }
        }
    }

    async fn say(&self, said: Said) -> Result<(), RelayError> {
        let sent = tokio::time::timeout(PATIENCE, self.out.send(Up { said: Some(said) })).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Status::unavailable("it has ended the stream").into()),
            Err(_) => Err(RelayError::Silent(self.leader)),
        }
    }
}
