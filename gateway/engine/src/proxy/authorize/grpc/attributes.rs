//! A request in the words of the protocol.

use super::super::super::RequestContext;
use super::super::super::head::authority;
use super::super::Inquiry;
use super::message::{Address, AttributeContext, HttpRequest, Peer, Request, SocketAddress, Timestamp};
use http::Version;
use http::header::CONTENT_LENGTH;
use lychgate_filters::external_auth::seen;
use lychgate_ir::filter::AuthHeaders;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

pub(super) fn of(ctx: &RequestContext, inquiry: &Inquiry<'_>, sees: &AuthHeaders) -> AttributeContext {
    let ends = inquiry.client.ends;
    let since = SystemTime::now().checked_sub(ctx.started.elapsed());
    let since = since.and_then(|begun| begun.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
    let time = Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or_default(),
    };
    AttributeContext {
        source: Some(peer(ends.source)),
        destination: Some(peer(ends.destination)),
        request: Some(Request { time: Some(time), http: Some(http(ctx, inquiry, sees)) }),
    }
}

fn peer(address: SocketAddr) -> Peer {
    let socket = SocketAddress { address: address.ip().to_string(), port_value: address.port().into() };
    Peer { address: Some(Address { socket_address: Some(socket) }) }
}

fn http(ctx: &RequestContext, inquiry: &Inquiry<'_>, sees: &AuthHeaders) -> HttpRequest {
    let head = &inquiry.head;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in seen(sees, &head.headers) {
        let value = String::from_utf8_lossy(value.as_bytes());
        match headers.get_mut(name.as_str()) {
            // RFC 9110 section 5.3.
            Some(values) => {
                values.push(',');
                values.push_str(&value);
            }
            None => {
                headers.insert(name.as_str().to_owned(), value.into_owned());
            }
        }
    }
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let kept = i64::try_from(inquiry.body.len()).ok().filter(|length| *length > 0);
    let is_http2 = head.version == Version::HTTP_2 || inquiry.client.is_stream;
    let (body, raw_body) = match std::str::from_utf8(&inquiry.body) {
        Ok(text) => (text.to_owned(), bytes::Bytes::new()),
        Err(_) => (String::new(), inquiry.body.clone()),
    };
    HttpRequest {
        id: ctx.id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned(),
        method: head.method.to_string(),
        headers,
        path: String::from_utf8_lossy(head.raw_path()).into_owned(),
        host: authority(head).unwrap_or_default().to_owned(),
        scheme: ctx.scheme().as_str().to_owned(),
        size: kept.or(announced).unwrap_or(-1),
        protocol: if is_http2 { "HTTP/2" } else { "HTTP/1.1" }.to_owned(),
        body,
        raw_body,
    }
}
