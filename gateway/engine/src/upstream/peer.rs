//! How Pingora is told to reach an endpoint.

use super::connector::{Dial, DialTls, Offer, probe};
use super::negotiated::Version;
use super::open::tracer;
use super::{BackendCell, BackendState, Introduction, Reach};
use crate::connection::Connection;
use lychgate_ir::UpstreamProtocol;
use lychgate_telemetry::BackendMetrics;
use pingora_core::connectors::L4Connect;
use pingora_core::protocols::ALPN;
use pingora_core::upstreams::peer::HttpPeer;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Idle connections to backends are closed after this.
const IDLE: Duration = Duration::from_secs(60);

/// Requests that share one HTTP/2 connection to an endpoint.
const MAX_STREAMS: usize = 100;

/// What an endpoint may send on one stream of HTTP/2 before somebody has taken it.
const STREAM_WINDOW: u32 = 64 << 10;

/// The same over all streams of a connection. All of them may stand still, and others still go on.
const CONNECTION_WINDOW: u32 = 8 << 20;
const _: () = assert!(CONNECTION_WINDOW as usize > MAX_STREAMS * STREAM_WINDOW as usize);

/// The peer for one attempt, made for a client's connection.
pub(crate) async fn peer(
    backend: &BackendCell,
    state: &Arc<BackendState>,
    reach: &Reach,
    address: SocketAddr,
    offer: Offer,
    connect: Duration,
    client: &Connection,
) -> pingora_error::Result<HttpPeer> {
    let introduction = state.spec.proxy_protocol.map(|version| client.introduce(version));
    let mut peer = match reach {
        Reach::Plain => {
            let version = match (state.spec.protocol, offer) {
                (UpstreamProtocol::Http2, _) | (UpstreamProtocol::Auto, Offer::Http2) => Version::Http2,
                (UpstreamProtocol::Auto | UpstreamProtocol::Http1 | UpstreamProtocol::WebSocket, _) => Version::Http1,
            };
            match introduction {
                None => speaking(HttpPeer::new(address, false, String::new()), version),
                // No policy has this key.
                Some(_) => dialled(Dial { address, introduction, tls: None }, 0, version),
            }
        }
        Reach::Tls(tls) => {
            let (version, ready) = match (state.spec.protocol, offer) {
                (UpstreamProtocol::Http1 | UpstreamProtocol::WebSocket, _) => (Version::Http1, None),
                (UpstreamProtocol::Http2, _) => (Version::Http2, None),
                (UpstreamProtocol::Auto, Offer::Http1) => (Version::Http1, None),
                (UpstreamProtocol::Auto, Offer::Http2) => (Version::Http2, None),
                (UpstreamProtocol::Auto, Offer::All) => match state.negotiated.get(address) {
                    Some(version) => (version, None),
                    None => {
                        let (version, stream) =
                            probe(address, tls, &state.negotiated, connect, introduction.as_ref()).await?;
                        (version, Some(stream))
                    }
                },
            };
            let policy = tls.key;
            let tls =
                DialTls { tls: tls.clone(), offer, expected: version, state: state.clone(), ready: Mutex::new(ready) };
            dialled(Dial { address, introduction, tls: Some(tls) }, policy, version)
        }
        Reach::Refused(refusal) => {
            return Err(pingora_error::Error::explain(
                pingora_error::ErrorType::HTTPStatus(refusal.status),
                refusal.message.to_string(),
            ));
        }
    };
    bound(&mut peer, connect, &backend.metrics);
    Ok(peer)
}

/// The peer of what leaves: dialled by `exit`, and pooled with what has the same key.
pub(crate) fn leaving(
    exit: Arc<dyn L4Connect + Send + Sync>,
    key: u64,
    address: SocketAddr,
    version: Version,
    connect: Duration,
    metrics: &Arc<BackendMetrics>,
) -> HttpPeer {
    let mut peer = of_pair(exit, key, address, version);
    bound(&mut peer, connect, metrics);
    peer
}

/// How long, and how much.
fn bound(peer: &mut HttpPeer, connect: Duration, metrics: &Arc<BackendMetrics>) {
    peer.options.connection_timeout = Some(connect);
    peer.options.total_connection_timeout = Some(connect);
    peer.options.tracer = Some(tracer(metrics));
    peer.options.idle_timeout = Some(IDLE);
    peer.options.max_h2_streams = MAX_STREAMS;
    peer.options.h2_stream_window_size = Some(STREAM_WINDOW);
    peer.options.h2_connection_window_size = Some(CONNECTION_WINDOW);
}

/// A peer that is dialled by us.
fn dialled(dial: Dial, policy: u64, version: Version) -> HttpPeer {
    let (address, key) = (dial.address, key(dial.address, policy, version, dial.introduction.as_ref()));
    of_pair(Arc::new(dial), key, address, version)
}

/// A peer that is one end of a socket pair.
fn of_pair(dial: Arc<dyn L4Connect + Send + Sync>, key: u64, address: SocketAddr, version: Version) -> HttpPeer {
    // A socket pair has no address of its own: Pingora takes 0.0.0.0 for it and goes by the group key alone.
    let mut peer = HttpPeer::new((std::net::Ipv4Addr::UNSPECIFIED, address.port()), false, String::new());
    peer.group_key = key;
    peer.options.custom_l4 = Some(dial);
    speaking(peer, version)
}

fn speaking(mut peer: HttpPeer, version: Version) -> HttpPeer {
    peer.options.alpn = match version {
        Version::Http1 => ALPN::H1,
        Version::Http2 => ALPN::H2,
    };
    peer
}

/// Everything that makes two connections different.
fn key(address: SocketAddr, policy: u64, version: Version, introduction: Option<&Introduction>) -> u64 {
    let owner = introduction.map(|Introduction { owner, header, .. }| (*owner, header));
    let mut hasher = DefaultHasher::new();
    (address, policy, version == Version::Http2, owner).hash(&mut hasher);
    hasher.finish()
}
