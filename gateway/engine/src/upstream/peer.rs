//! How Pingora is told to reach an endpoint.

use super::connector::{Dial, Offer, probe};
use super::negotiated::Version;
use super::{BackendState, Reach};
use lychgate_ir::UpstreamProtocol;
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

/// The peer for one attempt.
pub(crate) async fn peer(
    state: &Arc<BackendState>,
    reach: &Reach,
    address: SocketAddr,
    offer: Offer,
    connect: Duration,
) -> pingora_error::Result<HttpPeer> {
    let mut peer = match reach {
        Reach::Plain => {
            let mut peer = HttpPeer::new(address, false, String::new());
            peer.options.alpn = match (state.spec.protocol, offer) {
                (UpstreamProtocol::Http2, _) | (UpstreamProtocol::Auto, Offer::Http2) => ALPN::H2,
                (UpstreamProtocol::Auto | UpstreamProtocol::Http1 | UpstreamProtocol::WebSocket, _) => ALPN::H1,
            };
            peer
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
                        let (version, stream) = probe(address, tls, &state.negotiated, connect).await?;
                        (version, Some(stream))
                    }
                },
            };
            // A socket pair has no address of its own: Pingora takes 0.0.0.0 for it and goes by the group key alone.
            let mut peer = HttpPeer::new((std::net::Ipv4Addr::UNSPECIFIED, address.port()), false, String::new());
            peer.group_key = key(address, tls.key, version);
            peer.options.alpn = match version {
                Version::Http1 => ALPN::H1,
                Version::Http2 => ALPN::H2,
            };
            peer.options.custom_l4 = Some(Arc::new(Dial {
                address,
                tls: tls.clone(),
                offer,
                expected: version,
                state: state.clone(),
                ready: Mutex::new(ready),
            }));
            peer
        }
        Reach::Refused(refusal) => {
            return Err(pingora_error::Error::explain(
                pingora_error::ErrorType::HTTPStatus(refusal.status),
                refusal.message.to_string(),
            ));
        }
    };
    peer.options.connection_timeout = Some(connect);
    peer.options.total_connection_timeout = Some(connect);
    peer.options.idle_timeout = Some(IDLE);
    peer.options.max_h2_streams = MAX_STREAMS;
    Ok(peer)
}

/// Everything that makes two connections different.
fn key(address: SocketAddr, policy: u64, version: Version) -> u64 {
    let mut hasher = DefaultHasher::new();
    (address, policy, version == Version::Http2).hash(&mut hasher);
    hasher.finish()
}
