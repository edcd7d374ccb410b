//! Requests that the guard does not let in: nobody has parsed them, and still they are answered, counted and logged like
//! others.

use super::{Fault, Json, on_the_wire};
use crate::connection::{Connection, Refused};
use crate::observe::Observe;
use crate::proxy::request_id;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use lychgate_telemetry::{AccessEntry, Timing};
use std::time::SystemTime;

/// The last response of a connection, if there is a request to respond to, as bytes of HTTP/1.1. Counts and logs it.
pub(crate) fn last_page(observe: &Observe, connection: &Connection, refused: &Refused) -> Option<Vec<u8>> {
    let fault = Fault::flaw(refused.flaw);
    let status = refused.flaw.status();
    let id = request_id::new();
    fault.log(None, None, Some(&id));
    observe.metrics.refused(fault.reason);
    if let Some(log) = &observe.access_log {
        log.write(Box::new(entry(connection, refused, &fault, &id)));
    }
    status?;
    let (head, body) = fault.response(accept(&refused.head), false, Some(&id)).ok()?;
    Some(on_the_wire(&head, &body))
}

/// What can be told of a request that cannot be read.
fn entry(connection: &Connection, refused: &Refused, fault: &Fault, id: &HeaderValue) -> AccessEntry {
    let line = refused.head.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty());
    let mut words = line.unwrap_or_default().splitn(3, |byte| *byte == b' ');
    let mut word = || {
        let word = words.next().filter(|word| !word.is_empty())?;
        Some(String::from_utf8_lossy(word).into_owned())
    };
    AccessEntry {
        time: SystemTime::now(),
        request_id: id.to_str().unwrap_or_default().to_owned(),
        client: connection.ends.source,
        method: word(),
        scheme: if connection.tls.is_some() { "https" } else { "http" },
        host: None,
        path: word(),
        protocol: if connection.http2.load(std::sync::atomic::Ordering::Relaxed) { "HTTP/2.0" } else { "HTTP/1.1" },
        status: refused.flaw.status(),
        reason: Some(fault.reason),
        detail: Some(fault.detail.clone().into_owned()),
        listener: None,
        rule: None,
        backend: None,
        endpoint: None,
        attempts: 0,
        received: 0,
        sent: 0,
        user_agent: None,
        trace: None,
        timing: Timing { tls: connection.tls.as_ref().and_then(|tls| tls.handshake()), ..Timing::default() },
    }
}

/// Whether the client asked for JSON, as far as that can be seen.
fn accept(head: &[u8]) -> Json {
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let Some((name, value)) = line.split_at_checked(7) else { continue };
        if name.eq_ignore_ascii_case(b"accept:")
            && let Ok(value) = HeaderValue::from_bytes(value.trim_ascii())
        {
            headers.append(ACCEPT, value);
        }
    }
    Json::of(&headers)
}
