//! Whether a request may leave, and what becomes of its answer.

use super::super::fields::{self, named, strip};
use super::super::upgrade::Upgrade;
use super::super::{Desk, Version};
use super::Passed;
use super::outgoing::Outgoing;
use crate::egress::body::{Body, Upload};
use crate::egress::guest::Moment;
use crate::egress::limits::Fare;
use crate::egress::passage::{Asker, Degree, Passage, Way};
use crate::egress::record::Record;
use crate::egress::refused::Refused;
use crate::egress::wish::{SeenRequest, Shown, Wish};
use crate::path;
use http::{Method, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use lychgate_telemetry::Reason;
use std::sync::Arc;

/// What came back, and what it becomes.
pub(super) struct Answered {
    pub(super) response: Response<Incoming>,
    pub(super) upgrade: Option<Box<Upgrade>>,
}

/// Decides about a request, sends it, and waits for its answer to begin.
pub(super) async fn decided(
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
