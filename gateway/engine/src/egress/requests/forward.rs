//! Requests that are passed on: those in absolute-form (RFC 9112 section 3.2.2), and those inside tunnels.

use super::answer::{or_login, refuse};
use super::fields::{self, Named, join_cookies, named, strip};
use super::pool::{Held, Sender};
use super::upgrade::{self, Upgrade};
use super::{Desk, Inside, InsideTls, Version};
use crate::egress::body::{Body, Upload, UploadBounds, down, late, ours, over, up};
use crate::egress::dial::{Dialled, dial};
use crate::egress::gate::Gate;
use crate::egress::guest::Moment;
use crate::egress::limits::{Fare, Share};
use crate::egress::origin::Handshake;
use crate::egress::passage::{Asker, Degree, Passage, Way, handling};
use crate::egress::record::Record;
use crate::egress::refused::Refused;
use crate::egress::who::Client;
use crate::egress::wish::{SeenRequest, Shown, Wish};
use crate::path;
use http::header::{CONTENT_TYPE, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};
use lychgate_egress::target::{AbsoluteTarget, Target};
use lychgate_ir::Refusal;
use lychgate_ir::egress::{EgressCredential, EgressTls, OriginTls};
use lychgate_telemetry::Reason;
use std::pin::pin;
use std::sync::Arc;
use tokio::time::{Instant, timeout, timeout_at};

/// A request, as it is passed on.
struct Passed<'a> {
    client: Client,
    target: Target,
    /// Whether the client wants the gate to speak TLS.
    is_https: bool,
    path_and_query: String,
    tls: Option<&'a InsideTls>,
    inside: Option<&'a Inside>,
}

/// A request to a proxy.
pub(super) async fn absolute(desk: &Arc<Desk>, request: Request<Incoming>) -> Response<Body> {
    let asked = || {
        let uri = request.uri();
        if uri.scheme().is_none() {
            let said = "this is a proxy: ask it with CONNECT, or for a whole URL";
            return Err(Refused::new(Reason::BadRequest, said));
        }
        let text = uri.to_string();
        let AbsoluteTarget { is_https, target, path_and_query } = AbsoluteTarget::parse(&text)
            .map_err(|error| Refused::new(Reason::BadRequest, format!("no URL: {error}")))?;
        let (_, gate) = desk.guest.gate()?;
        let client = desk.client(&gate, request.headers())?;
        let path_and_query = path_and_query.to_owned();
        Ok(Passed { client, target, is_https, path_and_query, tls: None, inside: None })
    };
    match asked() {
        Ok(passed) => pass(desk, passed, request).await,
        Err(refused) => {
            let source = desk.guest.source_of(&desk.guest.client);
            refuse(&mut desk.guest.record(source, desk.version.name()), &refused)
        }
    }
}

/// A request inside a tunnel.
pub(super) async fn inside(desk: &Arc<Desk>, inside: &Inside, request: Request<Incoming>) -> Response<Body> {
    if request.method() == Method::CONNECT {
        let source = desk.guest.source_of(&inside.client);
        let refused = Refused::new(Reason::NoTunnel, "a tunnel inside a tunnel cannot be decided about");
        return refuse(&mut desk.guest.record(source, desk.version.name()), &refused);
    }
    let path_and_query = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    let passed = Passed {
        client: inside.client.clone(),
        target: inside.target.clone(),
        is_https: false,
        path_and_query,
        tls: inside.tls.as_ref(),
        inside: Some(inside),
    };
    pass(desk, passed, request).await
}

async fn pass(desk: &Arc<Desk>, passed: Passed<'_>, request: Request<Incoming>) -> Response<Body> {
    // From before it is decided: what changes until a request has become something else counts as well.
    let changes = desk.guest.engine.gates_changed();
    let moment = match desk.guest.moment(&passed.client) {
        Ok(moment) => moment,
        Err(refused) => {
            return refuse(&mut desk.guest.record(lychgate_egress::Source::Unknown, desk.version.name()), &refused);
        }
    };
    let mut record = desk.guest.record(moment.source.clone(), desk.version.name());
    let (parts, body) = request.into_parts();
    let upload = desk.upload(&parts.headers);
    let until = desk.guest.limits().request.and_then(|whole| Instant::now().checked_add(whole));
    let mut body = Some(up(body, record.tally().clone(), upload.clone(), desk.activity.run()));
    let decided = decided(desk, &moment, passed, parts, (&mut body, &upload), &mut record);
    let decided = match until {
        Some(until) => timeout_at(until, decided).await.unwrap_or_else(|_| Err(late())),
        None => decided.await,
    };
    upload.answered();
    match decided {
        Ok(Answered { response, upgrade }) => {
            record.answered(response.status().as_u16());
            let (parts, body) = response.into_parts();
            match upgrade {
                Some(upgrade) => {
                    upgrade::carry(desk, &desk.guest, *upgrade, changes, record);
                    Response::from_parts(parts, ours(String::new()))
                }
                None => Response::from_parts(parts, down(body, record, upload, until)),
            }
        }
        Err(refused) => {
            let refused = upload.refused().unwrap_or(refused);
            let answer = refuse(&mut record, &or_login(refused, &moment.gate, &moment.source));
            match body {
                Some(body) => answer.map(|said| over(said, body, desk.guest.limits().linger)),
                None => answer,
            }
        }
    }
}

struct Answered {
    response: Response<Incoming>,
    upgrade: Option<Box<Upgrade>>,
}

async fn decided(
    desk: &Arc<Desk>,
    moment: &Moment,
    passed: Passed<'_>,
    mut parts: http::request::Parts,
    (body, upload): (&mut Option<Body>, &Upload),
    record: &mut Record,
) -> Result<Answered, Refused> {
    let Moment { gate, source } = moment;
    let bad = |why: String| Refused::new(Reason::BadRequest, why);
    let (path, query) = match passed.path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (passed.path_and_query.as_str(), None),
    };
    let path = path::normalize(path).map_err(|path::Ambiguous(why)| bad(why.to_owned()))?.into_owned();
    let named = named(&parts.headers, &parts.uri, desk.version == Version::Http2).map_err(bad)?;
    let seen = SeenRequest {
        host: named.as_ref().map(|named| named.host.clone()),
        method: parts.method.clone(),
        path: path.clone(),
        tls: passed.tls.map(|tls| tls.hello.clone()),
    };
    let wish = Wish::new(passed.target.clone(), Shown::Http(seen));
    record.wants(&wish);
    let asker = Asker { source, address: passed.client.address };
    let passage = Passage::find(gate, &asker, wish, Degree::Decided).await?;
    if let Some(way) = passage.ways.first() {
        record.goes(&passage, way);
    }
    passage.returns_no_secret(&parts.method)?;
    upload.announces(body.as_ref().map_or(0, |body| body.size_hint().lower()))?;
    record.announce().await?;

    let client_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let asks = strip(&mut parts.headers) && desk.version == Version::Http1 && parts.method == Method::GET;
    if asks {
        fields::upgrade(&mut parts.headers);
    }
    parts.extensions.clear();
    let mut outgoing = Outgoing {
        desk,
        gate,
        passage: &passage,
        passed: &passed,
        named,
        path_and_query: match query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        },
        record,
        fare: Fare::default(),
    };
    let (response, way) = outgoing.send(parts, body).await?;
    outgoing.record.goes(&passage, &way);
    finish(response, client_upgrade, asks, &passage, way)
}

impl Desk {
    /// What a client may do with a body. Where calls go both ways it listens as well.
    fn upload(&self, headers: &HeaderMap) -> Arc<Upload> {
        let limits = self.guest.limits();
        let kind = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
        let (before, after) = match (self.version, kind.starts_with(b"application/grpc")) {
            (Version::Http1, _) => (limits.client_idle, limits.client_idle),
            (Version::Http2, false) => (limits.client_idle, limits.stream_idle),
            (Version::Http2, true) => (limits.stream_idle, limits.stream_idle),
        };
        Upload::new(UploadBounds { before, after, most: limits.body })
    }
}

fn finish(
    mut response: Response<Incoming>,
    client: Option<hyper::upgrade::OnUpgrade>,
    asked: bool,
    passage: &Passage,
    way: Way,
) -> Result<Answered, Refused> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        strip(response.headers_mut());
        return Ok(Answered { response, upgrade: None });
    }
    let (Some(client), true) = (client, asked) else {
        let said = "the destination switched protocols, and nobody had asked";
        return Err(Refused::new(Reason::UpstreamError, said).after(&way.decision));
    };
    let upstream = hyper::upgrade::on(&mut response);
    if !strip(response.headers_mut()) {
        let said = "the destination switched to another protocol than was asked for";
        return Err(Refused::new(Reason::UpstreamError, said).after(&way.decision));
    }
    fields::upgrade(response.headers_mut());
    let upgrade = Some(Box::new(Upgrade { client, upstream, passage: passage.clone(), way }));
    Ok(Answered { response, upgrade })
}

/// A request on its way out.
struct Outgoing<'a> {
    desk: &'a Desk,
    gate: &'a Gate,
    passage: &'a Passage,
    passed: &'a Passed<'a>,
    /// The server that it names, as it was decided about.
    named: Option<Named>,
    path_and_query: String,
    record: &'a mut Record,
    fare: Fare,
}

impl Outgoing<'_> {
    async fn send(
        &mut self,
        parts: http::request::Parts,
        body: &mut Option<Body>,
    ) -> Result<(Response<Incoming>, Way), Refused> {
        loop {
            let (mut held, way, is_fresh) = self.connection().await?;
            self.record.goes(self.passage, &way);
            self.record.carried_by(held.share.clone());
            self.record.connected();
            let request = self.request(&parts, &held, &way)?;
            let request = request.map(|()| body.take().unwrap_or_else(|| ours(String::new())));
            match self.in_time(held.sender.send(request), &way).await? {
                Ok(response) => {
                    // It is ready again when this response has ended.
                    self.desk.pool.keep(held);
                    return Ok((response, way));
                }
                // A connection that had been waiting was closed meanwhile, before anything was sent.
                Err((_, Some(back))) if !is_fresh => *body = Some(back.into_body()),
                Err((error, _)) => {
                    if let Some(exceeded) = held.share.as_ref().and_then(Share::ended) {
                        return Err(Refused::limited(&exceeded, &way.decision));
                    }
                    let said = "the destination broke off, or does not speak HTTP";
                    let refused = Refused::new(Reason::UpstreamError, said).because(error.to_string());
                    return Err(refused.after(&way.decision));
                }
            }
        }
    }

    /// Waits for an answer to begin, for as long as the destination is sent something or may be silent.
    async fn in_time<T>(&self, answer: impl Future<Output = T>, way: &Way) -> Result<T, Refused> {
        let (silence, tally) = (self.desk.guest.limits().stream_idle, self.record.tally());
        let mut answer = pin!(answer);
        loop {
            let sent = tally.sent();
            match timeout(silence, answer.as_mut()).await {
                Ok(answer) => return Ok(answer),
                Err(_) if tally.sent() == sent => {
                    let refused = Refused::new(Reason::Timeout, "the destination did not answer in time");
                    return Err(refused.after(&way.decision));
                }
                Err(_) => {}
            }
        }
    }

    /// A connection that waits, or a new one.
    async fn connection(&mut self) -> Result<(Held, Way, bool), Refused> {
        let limits = self.desk.guest.limits();
        let first = self.passage.ways.first().ok_or_else(|| Refused::misconfigured("a passage without a way"))?;
        // How it is protected is up to the rule of the way that is taken, which is that of the credential.
        if let Some((held, way)) = self.desk.pool.take(self.passage, |way| self.tls(way).ok()) {
            if let Err(refused) = self.fare.pay(&way) {
                self.desk.pool.keep(held);
                return Err(refused);
            }
            return Ok((held, way, false));
        }
        let opened = self.passed.inside.and_then(Inside::take_opened);
        let opened = opened.and_then(|opened| {
            let way = opened.is_for(self.passage)?;
            Some(Dialled { way, ..opened })
        });
        let Dialled { io, way, handling: road, spare } = match opened {
            Some(opened) => opened,
            None => {
                // Nothing is connected for what would not be sent.
                self.tls(first)?;
                let idle = self.desk.pool.idle(first.share.as_ref());
                let spare = idle.as_ref().and_then(|idle| idle.spare.clone());
                let fare = Fare { paid: self.fare.paid.clone(), spare, ..Fare::default() };
                let dialled = dial(self.gate, self.passage, limits, fare).await;
                if let Some(idle) = idle {
                    self.desk.pool.keep(idle);
                }
                dialled?
            }
        };
        let tls = self.tls(&way)?;
        // Whoever dialled has counted it.
        self.fare.paid = way.share.clone();
        let http2 = self.passed.inside.is_some() && self.desk.version == Version::Http2;
        let server = self.passage.wish.server();
        let (io, version) = match &tls {
            None => (io, if http2 { Version::Http2 } else { Version::Http1 }),
            Some(spec) => {
                let gateway = self.desk.guest.listener.spec.upstream_identity.as_ref();
                // What HTTP/1.1 can, HTTP/2 can, but for upgrades; not the other way round.
                let alpn = if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
                let handshake = Handshake { gate: self.gate, spec, gateway, server: &server, alpn };
                let io = handshake.over(io, limits).await.map_err(|refused| refused.after(&way.decision))?;
                let version = if io.agreed() == Some(b"h2") { Version::Http2 } else { Version::Http1 };
                (io, version)
            }
        };
        let begun = timeout(limits.connect, Sender::begin(io, version)).await;
        let sender = match begun {
            Ok(Ok(sender)) => sender,
            Ok(Err(error)) => {
                let said = "the destination does not speak HTTP";
                return Err(Refused::new(Reason::UpstreamError, said).because(error.to_string()).after(&way.decision));
            }
            Err(_) => return Err(Refused::new(Reason::ConnectTimeout, "the destination did not answer in time")),
        };
        let share = way.share.clone();
        let target = self.passed.target.clone();
        let address = way.address;
        let held = Held { target, server, address, tls, road, share, spare, sender, is_copy: false };
        Ok((held, way, true))
    }

    /// How the connection is protected.
    fn tls(&self, way: &Way) -> Result<Option<OriginTls>, Refused> {
        let handling = handling(&way.decision);
        let known = |spec: &Result<OriginTls, Refusal>| match spec {
            Ok(spec) => Ok(Some(spec.clone())),
            Err(refusal) => Err(Refused::broken(refusal).after(&way.decision)),
        };
        match (&handling.tls, self.passed.tls) {
            (EgressTls::Inspect(spec), Some(_)) | (EgressTls::Originate(spec), Some(_) | None) => known(spec),
            // What was looked into goes on over TLS, though the rule that lets the request pass says nothing of it.
            (EgressTls::Pass, Some(tls)) => Ok(Some(tls.origin.clone())),
            (EgressTls::Pass | EgressTls::Inspect(_), None) if self.passed.is_https => {
                let said = "the gate speaks no TLS with this destination: ask with CONNECT";
                Err(Refused::new(Reason::BadRequest, said).after(&way.decision))
            }
            (EgressTls::Pass | EgressTls::Inspect(_), None) => Ok(None),
        }
    }

    fn request(&self, parts: &http::request::Parts, held: &Held, way: &Way) -> Result<Request<()>, Refused> {
        let bad =
            |error: &dyn std::fmt::Display| Refused::new(Reason::BadRequest, "no request").because(error.to_string());
        let mut request = Request::new(());
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = parts.headers.clone();
        let path: PathAndQuery = self.path_and_query.parse().map_err(|error| bad(&error))?;
        let authority = match &self.named {
            Some(named) => named.to_string(),
            None => {
                let default = if held.tls.is_some() { 443 } else { 80 };
                let whole = self.passed.target.to_string();
                whole.strip_suffix(&format!(":{default}")).unwrap_or(&whole).to_owned()
            }
        };
        let authority = HeaderValue::try_from(authority).map_err(|error| bad(&error))?;
        match held.sender {
            Sender::Http1(_) => {
                *request.uri_mut() = Uri::from(path);
                request.headers_mut().insert(HOST, authority);
                join_cookies(request.headers_mut());
            }
            Sender::Http2(_) => {
                request.headers_mut().remove(HOST);
                let scheme = if held.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
                let authority = Authority::try_from(authority.as_bytes()).map_err(|error| bad(&error))?;
                let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
                *request.uri_mut() = uri.map_err(|error| bad(&error))?;
            }
        }
        if let Some(credential) = &handling(&way.decision).credential {
            let EgressCredential { header, .. } = credential;
            let value = self.gate.credential(credential).map_err(|refused| refused.after(&way.decision))?;
            request.headers_mut().insert(header.clone(), value);
        }
        Ok(request)
    }
}
