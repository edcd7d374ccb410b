//! Connections: TLS, HTTP/2, and how many there may be.

use super::Feed;
use super::enrollment::Enrollment;
use super::follow::Follow;
use super::identity::{Identity, Peer};
use super::options::Options;
use super::quota::Quota;
use super::relay::Relay;
use crate::GroupId;
use crate::enroll::Enroller;
use crate::wire;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic_prost::ProstCodec;

/// How often a silent connection is asked whether it is still there, and how long the answer may take.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The pause after an accept that failed because the process is out of descriptors or memory.
const BREATH: Duration = Duration::from_millis(50);

/// What all connections share.
pub(super) struct Server {
    pub(super) feed: Feed,
    pub(super) enroller: Arc<dyn Enroller>,
    pub(super) options: Options,
    /// Turns true when the server ends.
    pub(super) stop: watch::Receiver<bool>,
    clients: Arc<Semaphore>,
    groups: Quota<GroupId>,
    replicas: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    sources: Quota<IpAddr>,
}

/// Serves the feed until told to stop. Then clients are told that the server ends, so that they ask another at once.
pub async fn serve(
    listener: TcpListener,
    feed: Feed,
    identity: watch::Receiver<Identity>,
    enroller: Arc<dyn Enroller>,
    options: Options,
    stop: impl Future<Output = ()>,
) {
    let (ending, ended) = watch::channel(false);
    let places = |most| Arc::new(Semaphore::new(most));
    let server = Arc::new(Server {
        feed,
        enroller,
        stop: ended,
        clients: places(options.clients),
        groups: Quota::new(options.clients_of_group),
        replicas: places(options.replicas),
        strangers: places(options.strangers),
        sources: Quota::new(options.strangers_of_source),
        options,
    });
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            (tcp, from, permit) = accept(&listener, &server.strangers) => {
                let identity = identity.borrow().clone();
                connections.spawn(server.clone().connection(tcp, from, identity, permit));
            }
            // Those that have ended are forgotten.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    ending.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    // Who does not take the farewell is cut when the set is dropped.
    let _ = tokio::time::timeout(Duration::from_secs(5), all).await;
}

/// The next connection, once there is room for one more that is not known yet.
async fn accept(
    listener: &TcpListener,
    strangers: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // Never closed.
    let permit = strangers.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((tcp, from)) => return (tcp, from, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection to the feed could not be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

impl Server {
    async fn connection(
        self: Arc<Self>,
        tcp: TcpStream,
        from: SocketAddr,
        identity: Identity,
        stranger: Option<OwnedSemaphorePermit>,
    ) {
        let Some(source) = self.sources.enter(&from.ip()) else {
            let limit = self.options.strangers_of_source;
            tracing::warn!(%from, limit, "too many connections from one address have not shown a certificate yet");
            return;
        };
        // Small messages go at once.
        let _ = tcp.set_nodelay(true);
        let handshake = TlsAcceptor::from(identity.config).accept(tcp);
        let tls = match tokio::time::timeout(self.options.patience, handshake).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => {
                tracing::warn!(%from, %error, "a TLS handshake with the feed failed");
                return;
            }
            Err(_) => {
                tracing::warn!(%from, "a TLS handshake with the feed took too long");
                return;
            }
        };
        let peer = Peer::of(tls.get_ref().1.peer_certificates(), &self.options.trust_domain);
        let served = self.clone().http(tls, peer.clone());
        match peer {
            Peer::Anybody => {
                let _room = (stranger, source);
                if tokio::time::timeout(self.options.patience, served).await.is_err() {
                    tracing::debug!(%from, "a connection without a certificate was closed: its time was over");
                }
            }
            Peer::Gateway(group, _) => {
                drop((stranger, source));
                let room = (self.clients.clone().try_acquire_owned().ok(), self.groups.enter(&group));
                match room {
                    (Some(_room), Some(_place)) => served.await,
                    (_, _) => {
                        let Options { clients, clients_of_group, .. } = &self.options;
                        tracing::warn!(%from, %group, clients, clients_of_group, "too many are connected; not served");
                    }
                }
            }
            Peer::Replica(_) => {
                drop((stranger, source));
                match self.replicas.clone().try_acquire_owned() {
                    Ok(_room) => served.await,
                    Err(_) => {
                        tracing::warn!(%from, most = self.options.replicas, "too many replicas report; not served")
                    }
                }
            }
            Peer::Stranger(why) => {
                tracing::warn!(%from, why, "a certificate of our authority that is neither a data plane's nor ours; not \
                    served");
            }
        }
    }

    async fn http(self: Arc<Self>, tls: tokio_rustls::server::TlsStream<TcpStream>, peer: Peer) {
        let stop = self.stop.clone();
        let service = service_fn(move |request| {
            let (server, peer) = (self.clone(), peer.clone());
            async move { Ok::<_, Infallible>(server.answer(request, peer).await) }
        });
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .max_concurrent_streams(8)
            .max_header_list_size(16 << 10);
        let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(tls), service));
        // What went wrong is the business of the other side, which is gone.
        tokio::select! {
            _ = connection.as_mut() => {}
            () = ending(stop) => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        match (request.uri().path(), peer) {
            (wire::FOLLOW, Peer::Gateway(group, not_after)) => {
                let mut grpc = Grpc::new(ProstCodec::default())
                    .max_decoding_message_size(wire::LONGEST_UP)
                    .max_encoding_message_size(wire::LONGEST_DOWN);
                grpc.streaming(Follow { server: self, group, not_after }, request).await
            }
            (wire::FOLLOW, Peer::Anybody | Peer::Replica(_) | Peer::Stranger(_)) => {
                Status::unauthenticated("the feed is for data planes with a certificate; enrol first").into_http()
            }
            (wire::REPORT, Peer::Replica(not_after)) => {
                let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(wire::LONGEST_UP);
                grpc.streaming(Relay { server: self, not_after }, request).await
            }
            (wire::REPORT, Peer::Anybody | Peer::Gateway(..) | Peer::Stranger(_)) => {
                Status::permission_denied("reports are for replicas of the control plane").into_http()
            }
            (wire::ENROLL, _) => {
                let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(64 << 10);
                grpc.unary(Enrollment(self), request).await
            }
            (path, _) => Status::unimplemented(format!("there is no {path} here")).into_http(),
        }
    }
}

/// Ends when the server does.
pub(super) async fn ending(mut stop: watch::Receiver<bool>) {
    // An error means that the server is gone altogether.
    let _ = stop.wait_for(|stop| *stop).await;
}
