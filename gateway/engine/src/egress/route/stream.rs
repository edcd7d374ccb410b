//! Connections of TLSRoutes and TCPRoutes: tunnels to the backend, as if the client had asked a proxy for it. What is said in
//! them is looked at as in any tunnel: SNI has to agree with the backend's name, and so has the Host of HTTP that can be
//! read.

use super::elsewhere::{Elsewhere, target};
use super::{named, tells_nobody};
use crate::connection::Peeked;
use crate::egress::dial::can_leave;
use crate::egress::guest::{Guest, Moment};
use crate::egress::passage::{Asker, Degree, Passage};
use crate::egress::refused::Refused;
use crate::egress::tunnel::{ACCESS_DENIED, Tunnel};
use crate::egress::who::Client;
use crate::egress::wire::{Begun, Wire};
use crate::egress::wish::{Shown, Wish};
use crate::engine::Engine;
use crate::proxy_protocol::Ends;
use crate::runtime::ListenerState;
use crate::stream::{Record, StreamState};
use crate::upstream::{BackendCell, EndpointState, Picked, Reach};
use lychgate_egress::target::Target;
use lychgate_telemetry::Reason;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;

/// Endpoints that are tried for one connection.
const TRIES: usize = 3;

/// A connection that a route leads out.
pub(crate) struct Led<'a> {
    pub(crate) listener: &'a Arc<ListenerState>,
    pub(crate) route: &'a Arc<StreamState>,
    pub(crate) ends: Ends,
    /// The SPIFFE ID that the client has proved.
    pub(crate) identity: Option<Arc<str>>,
    pub(crate) drain: watch::Receiver<bool>,
}

/// What a client's connection is.
pub(crate) enum Bytes {
    /// Of a TCPRoute.
    Tcp(TcpStream),
    /// TLS that is passed through.
    Sealed(Peeked),
    /// From inside TLS that was ended here.
    Opened(Box<TlsStream<Peeked>>),
}

impl Bytes {
    /// As logs have it.
    fn protocol(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "TCP",
            Self::Sealed(_) | Self::Opened(_) => "TLS",
        }
    }

    fn begun(self) -> Begun {
        match self {
            Self::Tcp(tcp) => Begun::new(Wire::Tcp(tcp)),
            Self::Sealed(peeked) => {
                let (seen, tcp) = peeked.into_parts();
                let mut begun = Begun::new(Wire::Tcp(tcp));
                begun.put_back(&seen);
                begun
            }
            Self::Opened(tls) => Begun::new(Wire::Ended(tls)),
        }
    }
}

impl Engine {
    /// Carries a connection out, if it may leave.
    pub(crate) async fn lead_out(self: &Arc<Self>, led: Led<'_>, bytes: Bytes, mut record: Record) {
        let Led { listener, route, ends, identity, drain } = led;
        record.routed(route);
        let backend = match route.backend() {
            Ok(backend) => backend,
            Err(refusal) => {
                let detail = format!("{}: {}", refusal.reason, refusal.message);
                return record.refused(Reason::RefusedByConfig, detail);
            }
        };
        record.goes_to(&backend);
        let guest = Arc::new(Guest {
            engine: self.clone(),
            listener: listener.clone(),
            client: Client::new(ends.source.ip(), identity),
            peer: ends.source,
            drain,
            meter: record.meter().cloned(),
        });
        let (protocol, is_sealed) = (bytes.protocol(), matches!(bytes, Bytes::Sealed(_)));
        match open(&guest, &backend, protocol, is_sealed).await {
            Ok(tunnel) => tunnel.run(bytes.begun()).await,
            // The tunnel has told why.
            Err(_) => {
                record.turned_away();
                if is_sealed {
                    let mut begun = bytes.begun();
                    // Whoever does not want to hear it is gone anyway.
                    let _ = begun.write_all(&ACCESS_DENIED).await;
                    let _ = begun.shutdown().await;
                }
            }
        }
        record.hand_over();
    }
}

/// Opens a tunnel to the backend: by its name, or to the first endpoint that can be connected to.
async fn open(
    guest: &Arc<Guest>,
    backend: &Arc<BackendCell>,
    protocol: &'static str,
    is_sealed: bool,
) -> Result<Tunnel, Refused> {
    let by_name = check(guest, backend, is_sealed);
    let by_name = by_name.inspect_err(|refused| tell(guest, None, protocol, refused))?;
    if let Some(target) = by_name {
        return Tunnel::open(guest, guest.client.clone(), target, protocol).await;
    }
    let mut tried: Vec<Arc<EndpointState>> = Vec::new();
    let mut last = Refused::new(Reason::NoEndpoint, "the destination has no endpoint");
    while tried.len() < TRIES {
        let picked = backend.pick(None, &tried, guest.limits().resolve).await;
        let fresh = |address| tried.iter().all(|endpoint| endpoint.address != address);
        let Some(picked) = picked.filter(|picked| fresh(picked.endpoint().address)) else { break };
        let picked = from_here(guest, backend, &tried, picked).await;
        match Tunnel::open(guest, guest.client.clone(), target(&picked), protocol).await {
            Ok(tunnel) => return Ok(tunnel),
            Err(refused) => last = refused,
        }
        tried.push(picked.endpoint().clone());
    }
    if tried.is_empty() {
        tell(guest, None, protocol, &last);
    }
    Err(last)
}

/// The same endpoint; where there is no address here to leave from to it, another one that there is one for.
async fn from_here(guest: &Guest, backend: &BackendCell, tried: &[Arc<EndpointState>], picked: Picked) -> Picked {
    let is_alone = backend.endpoints().all().nth(1).is_none();
    let Some(Moment { gate, source }) = guest.moment(&guest.client).ok().filter(|_| !is_alone) else { return picked };
    let asker = Asker { source: &source, address: guest.client.address };
    let wish = Wish::new(target(&picked), Shown::NotYet);
    let find = |wish| Passage::find(&gate, &asker, wish, Degree::Foreseen);
    // What is denied, or not decided yet, is for the tunnel to tell.
    if find(wish.clone()).await.is_ok_and(|passage| !can_leave(&gate, &passage)) {
        for other in Elsewhere::than(&picked, backend, tried) {
            if find(wish.towards(target(&other))).await.is_ok_and(|passage| can_leave(&gate, &passage)) {
                return other;
            }
        }
    }
    picked
}

/// What the backend is called, if it can be reached at all.
fn check(guest: &Guest, backend: &BackendCell, is_sealed: bool) -> Result<Option<Target>, Refused> {
    let state = backend.state();
    tells_nobody(&state)?;
    let target = named(&state)?;
    // What is sealed goes on as it is, whatever the backend would have.
    let reach = match is_sealed {
        true => None,
        false => state.reach(guest.listener.spec.upstream_identity.as_ref()),
    };
    match reach {
        None | Some(Reach::Plain) => Ok(target),
        Some(Reach::Refused(refusal)) => Err(Refused::broken(refusal)),
        Some(Reach::Tls(_)) => {
            let detail = format!("{} wants TLS: let the rule that allows it speak it (Originate)", state.spec.id);
            Err(Refused::misconfigured(detail))
        }
    }
}

/// Records what comes to no tunnel.
fn tell(guest: &Guest, target: Option<Target>, protocol: &'static str, refused: &Refused) {
    let source = guest.source_of(&guest.client);
    let mut record = guest.record(source, protocol);
    if let Some(target) = target {
        record.wants(&Wish::new(target, Shown::NotYet));
    }
    record.refused(refused);
}
