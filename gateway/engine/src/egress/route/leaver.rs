//! Who wants something to leave by a route, and the decision about it.

use super::choice::{Choice, Ready, choose, settle};
use super::elsewhere::{Elsewhere, target};
use super::exit::{Exit, ExitTls};
use super::leaving::Leaving;
use super::{named, tells_nobody};
use crate::connection::Connection;
use crate::egress::dial::can_leave;
use crate::egress::gate::Gate;
use crate::egress::limits::Fare;
use crate::egress::passage::{Asker, Degree, Passage, Way, handling};
use crate::egress::record::{Origin, Record};
use crate::egress::refused::Refused;
use crate::egress::requests::fields;
use crate::egress::who::Client;
use crate::egress::wish::{SeenRequest, Shown, Wish};
use crate::limits::Limits;
use crate::live::Live;
use crate::observe::Observe;
use crate::path;
use crate::runtime::{ListenerState, Runtime};
use crate::upstream::{BackendCell, BackendState, EndpointState, HttpVersion, Offer, Picked, Reach, Session};
use http::{HeaderName, HeaderValue};
use lychgate_egress::Source;
use lychgate_egress::target::Target;
use lychgate_ir::egress::{EgressCredential, EgressHandling, EgressTls};
use lychgate_ir::{GatewayId, UpstreamProtocol};
use lychgate_telemetry::{ConnectFailure, Reason};
use pingora_http::RequestHeader;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// Who asks, by which listener.
#[derive(Clone)]
pub(crate) struct Leaver {
    pub(crate) live: Arc<Live<Runtime>>,
    pub(crate) observe: Arc<Observe>,
    pub(crate) limits: Limits,
    pub(crate) listener: Arc<ListenerState>,
    pub(crate) client: Arc<Connection>,
    /// Told when an egress Gateway has changed.
    pub(crate) gates: watch::Receiver<()>,
}

/// An attempt at a request.
pub(crate) struct Wanted<'a> {
    /// As it will be sent.
    pub(crate) head: &'a RequestHeader,
    pub(crate) backend: &'a BackendCell,
    pub(crate) offer: Offer,
    /// Whose endpoint it would like to have again.
    pub(crate) session: Option<(Session, Option<Duration>)>,
    /// Endpoints that the attempts before have had.
    pub(crate) tried: &'a [Arc<EndpointState>],
}

/// The connection that it will have.
struct Connecting {
    passage: Passage,
    way: Way,
    has_choice: bool,
    has_others: bool,
    ready: Ready,
}

/// What is known when it was decided.
struct Decided {
    connection: Connecting,
    picked: Picked,
    tls: ExitTls,
    version: HttpVersion,
    credential: Option<(HeaderName, HeaderValue)>,
}

impl Leaver {
    pub(crate) fn gateway(&self) -> &GatewayId {
        &self.listener.spec.id.gateway
    }

    /// Decides about an attempt. Whoever is refused is recorded.
    pub(crate) async fn leave(&self, wanted: Wanted<'_>) -> Result<Leaving, Refused> {
        let runtime = self.live.pin();
        let gate = runtime.gates.get(self.gateway());
        let source = gate.map_or(Source::Unknown, |gate| self.source(&runtime, gate));
        let (observe, listener) = (self.observe.clone(), self.listener.spec.id.clone());
        let origin = Origin { observe, listener, client: self.client.ends.source };
        let mut record = Record::begin(origin, source.clone(), "HTTP").beside();
        let gone = || Refused::misconfigured(format!("{} is no egress Gateway any more", self.gateway()));
        let decided = match gate {
            Some(gate) => self.decide(gate, &source, &wanted, &mut record).await.map(|decided| (gate, decided)),
            None => Err(gone()),
        };
        match decided {
            Ok((gate, Decided { connection, picked, tls, version, credential })) => {
                let Connecting { passage, way, has_choice, has_others, ready } = connection;
                let (gate, limits) = (gate.clone(), self.limits.clone());
                let (limited, ready) = (OnceLock::new(), Mutex::new(ready));
                let exit = Exit { gate, passage, way, has_choice, has_others, tls, version, limits, limited, ready };
                Ok(Leaving::new(self.clone(), record, exit, picked, credential))
            }
            Err(refused) => {
                record.refused(&refused);
                record.answered(refused.status.as_u16());
                Err(refused)
            }
        }
    }

    fn source(&self, runtime: &Runtime, gate: &Gate) -> Source {
        let identity = self.client.tls.as_ref().and_then(|tls| tls.spiffe_id(&self.listener));
        Client::new(self.client.ends.source.ip(), identity).source(runtime, gate)
    }

    async fn decide(
        &self,
        gate: &Gate,
        source: &Source,
        wanted: &Wanted<'_>,
        record: &mut Record,
    ) -> Result<Decided, Refused> {
        let state = wanted.backend.state();
        let (target, picked) = self.target(&state, wanted).await?;
        let wish = Wish::new(target.clone(), Shown::Http(seen(wanted.head)?));
        record.wants(&wish);
        tells_nobody(&state)?;
        let asker = Asker { source, address: self.client.ends.source.ip() };
        let mut passage = Passage::find(gate, &asker, wish, Degree::Decided).await?;
        let Choice { mut picked, ways, has_others } = match picked {
            Some(picked) => take(gate, &asker, wanted, &mut passage, picked).await,
            None => choose(gate, &passage, wanted).ok_or_else(|| no_endpoint(wanted.backend))?,
        };
        passage.ways = ways;
        let way = passage.ways.first().ok_or_else(nowhere)?.clone();
        record.goes(&passage, &way);
        passage.returns_no_secret(&wanted.head.method)?;
        let carried = self.carried(gate, &state, &handling(&way.decision));
        let (tls, credential) = carried.map_err(|refused| refused.after(&way.decision))?;
        record.announce().await?;
        Fare::default().pay(&way)?;
        let has_choice = passage.ways.len() > 1;
        let ready = settle(gate, &mut passage, &self.limits).await;
        let way = passage.ways.first().ok_or_else(nowhere)?.clone();
        if let Some(address) = passage.choice(&way)
            && address != picked.endpoint().address
        {
            picked = wanted.backend.pick_among(&[address], None, &[]).ok_or_else(|| no_endpoint(wanted.backend))?;
            record.takes(&passage, &way).await?;
        }
        let connection = Connecting { passage, way, has_choice, has_others, ready };
        Ok(Decided { connection, picked, tls, version: version(&state, wanted.offer), credential })
    }

    /// What the backend is called: by its name, or by the address of an endpoint.
    async fn target(&self, state: &BackendState, wanted: &Wanted<'_>) -> Result<(Target, Option<Picked>), Refused> {
        if let Some(target) = named(state)? {
            return Ok((target, None));
        }
        let picked = wanted.backend.pick(wanted.session, wanted.tried, self.limits.resolve).await;
        let picked = picked.ok_or_else(|| no_endpoint(wanted.backend))?;
        Ok((target(&picked), Some(picked)))
    }

    /// How it is carried: as the rule says, with what the backend says. What they cannot both have, nobody gets.
    fn carried(
        &self,
        gate: &Gate,
        state: &BackendState,
        handling: &EgressHandling,
    ) -> Result<(ExitTls, Option<(HeaderName, HeaderValue)>), Refused> {
        let EgressHandling { tls, credential, via: _, leave_from: _, limits: _ } = handling;
        let gateway = self.listener.spec.upstream_identity.as_ref();
        let reach =
            state.reach(gateway).ok_or_else(|| Refused::misconfigured("it was not compiled for this identity"))?;
        let tls = match (tls, reach) {
            (_, Reach::Refused(refusal)) | (EgressTls::Originate(Err(refusal)), Reach::Plain) => {
                return Err(Refused::broken(refusal));
            }
            (EgressTls::Pass | EgressTls::Inspect(_), Reach::Plain) => ExitTls::None,
            (EgressTls::Pass, Reach::Tls(tls)) => ExitTls::OfBackend(tls.clone()),
            // There is no TLS to look into, and nothing else is said of how it is spoken.
            (EgressTls::Inspect(Ok(spec)), Reach::Tls(tls)) if spec.is_usual() => ExitTls::OfBackend(tls.clone()),
            (EgressTls::Originate(Ok(spec)), Reach::Plain) => ExitTls::OfRule(spec.clone(), gateway.cloned()),
            (EgressTls::Originate(_) | EgressTls::Inspect(_), Reach::Tls(_)) => {
                let id = &state.spec.id;
                return Err(Refused::misconfigured(format!("the rule says how TLS is spoken, and so does {id}")));
            }
        };
        Ok((tls, credential.as_ref().map(|credential| read(gate, credential)).transpose()?))
    }
}

/// What the gate knows, and the workload need not.
fn read(gate: &Gate, credential: &EgressCredential) -> Result<(HeaderName, HeaderValue), Refused> {
    let EgressCredential { header, prefix: _, secret: _ } = credential;
    Ok((header.clone(), gate.credential(credential)?))
}

/// The request as policies see it.
fn seen(head: &RequestHeader) -> Result<SeenRequest, Refused> {
    // One of Host and authority is sent: both have to name the same.
    let named = fields::named(&head.headers, &head.uri, true).map_err(|why| Refused::new(Reason::BadRequest, why))?;
    let host = named.map(|named| named.host);
    let path = head.uri.path();
    match path::normalize(path) {
        Ok(one) if one == path => {}
        // It was in its one form when it came.
        Ok(_) | Err(_) => return Err(Refused::misconfigured("a filter writes a path that can be read in two ways")),
    }
    Ok(SeenRequest { host, method: head.method.clone(), path: path.to_owned(), tls: None })
}

/// Takes the endpoint to which the passage leads; where there is no address here to leave from to it, another one that there is
/// one for.
async fn take(gate: &Gate, asker: &Asker<'_>, wanted: &Wanted<'_>, passage: &mut Passage, picked: Picked) -> Choice {
    let has_others = has_others(wanted, &picked);
    if !has_others || can_leave(gate, passage) {
        return Choice { picked, ways: std::mem::take(&mut passage.ways), has_others };
    }
    for other in Elsewhere::than(&picked, wanted.backend, wanted.tried) {
        let wish = passage.wish.towards(target(&other));
        if let Ok(found) = Passage::find(gate, asker, wish, Degree::Decided).await
            && can_leave(gate, &found)
        {
            *passage = found;
            return Choice { picked: other, ways: std::mem::take(&mut passage.ways), has_others };
        }
    }
    // Another attempt would find no more.
    Choice { picked, ways: std::mem::take(&mut passage.ways), has_others: false }
}

/// Whether a backend has endpoints that this request has not had.
fn has_others(wanted: &Wanted<'_>, picked: &Picked) -> bool {
    let is_had =
        |one: &Arc<EndpointState>| wanted.tried.iter().chain([picked.endpoint()]).any(|had| had.address == one.address);
    wanted.backend.endpoints().all().any(|one| !is_had(one))
}

fn nowhere() -> Refused {
    Refused::misconfigured("a passage without a way")
}

fn no_endpoint(backend: &BackendCell) -> Refused {
    backend.metrics.not_connected(ConnectFailure::NoEndpoint);
    Refused::new(Reason::NoEndpoint, "the destination has no endpoint")
}

/// What is spoken. Nothing is tried out first: it would have left before it was recorded.
fn version(state: &BackendState, offer: Offer) -> HttpVersion {
    match (state.spec.protocol, offer) {
        (UpstreamProtocol::Http2, Offer::All | Offer::Http2) | (UpstreamProtocol::Auto, Offer::Http2) => {
            HttpVersion::Http2
        }
        (
            UpstreamProtocol::Auto | UpstreamProtocol::Http1 | UpstreamProtocol::WebSocket | UpstreamProtocol::Http2,
            Offer::All | Offer::Http1 | Offer::Http2,
        ) => HttpVersion::Http1,
    }
}
