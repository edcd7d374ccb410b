//! Who the client is, told to backends: `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! What a client writes there itself is believed only if the listener has trusted hops: proxies in front of us that are
//! known to write the truth. With none, everything is replaced.

use crate::connection::Connection;
use bytes::BytesMut;
use http::{HeaderName, HeaderValue};
use lychgate_ir::Listener;
use pingora_http::RequestHeader;
use std::fmt::{self, Write};
use std::net::IpAddr;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// As much as what is written of a request takes, if its host has a usual length.
const TEXTS: usize = 192;

/// Writes the headers of a request that came over this connection, from a client that was verified as so and so.
pub(super) fn apply(
    request: &mut RequestHeader,
    connection: &Connection,
    listener: &Listener,
    verified: Option<HeaderValue>,
) {
    let proto = if connection.tls.is_some() { "https" } else { "http" };
    let host = host(request);
    let mut texts = BytesMut::with_capacity(TEXTS);
    let client = connection.ends.source.ip();
    let own = text(&mut texts, |texts| write!(texts, "{client}"));
    let name = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let element = text(&mut texts, |texts| element(texts, client, name, proto));
    let believes = listener.trusted_hops > 0;
    if !believes {
        // Setting replaces all of a name; to look names up that are seldom there is what most of this would cost.
        request.remove_header(&CLIENT_CERT);
        set(request, FOR, own);
        set(request, FORWARDED, element);
    } else {
        // Only as many hops as are trusted: what stands before them could be anybody's.
        let hops = usize::from(listener.trusted_hops);
        for (name, own) in [(FOR, own), (FORWARDED, element)] {
            let chain = own.and_then(|own| last(request, &name, hops, &own));
            set(request, name, chain);
        }
    }
    if let Some(verified) = verified {
        let _ = request.insert_header(CLIENT_CERT, verified);
    }
    let port = text(&mut texts, |texts| write!(texts, "{}", connection.bind.port));
    for (name, value) in [(PROTO, Some(HeaderValue::from_static(proto))), (HOST, host), (PORT, port)] {
        if believes && request.headers.contains_key(&name) {
            continue;
        }
        set(request, name, value.filter(|value| !value.is_empty()));
    }
}

/// The host that was asked for, as it was written.
fn host(request: &RequestHeader) -> Option<HeaderValue> {
    match request.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers.get(http::header::HOST).filter(|host| host.to_str().is_ok()).cloned(),
    }
}

/// A value that is written for the request, into the one buffer that all of them share.
fn text(texts: &mut BytesMut, write: impl FnOnce(&mut BytesMut) -> fmt::Result) -> Option<HeaderValue> {
    write(texts).ok()?;
    HeaderValue::from_maybe_shared(texts.split().freeze()).ok()
}

/// Sets a header. What is no header value was refused before; in any case the client's own word does not stand.
fn set(request: &mut RequestHeader, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => {
            let _ = request.insert_header(name, value);
        }
        None => {
            request.remove_header(&name);
        }
    }
}

/// The last `hops` elements of a list header, and one more.
fn last(request: &RequestHeader, name: &HeaderName, hops: usize, own: &HeaderValue) -> Option<HeaderValue> {
    let lines = request.headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let elements: Vec<&str> =
        lines.flat_map(|line| line.split(',')).map(str::trim).filter(|element| !element.is_empty()).collect();
    let mut kept: Vec<&str> = elements.iter().skip(elements.len().saturating_sub(hops)).copied().collect();
    kept.push(own.to_str().ok()?);
    HeaderValue::try_from(kept.join(", ")).ok()
}

/// One element of `Forwarded`. Addresses of IPv6 and hosts with ports have to be quoted.
fn element(texts: &mut BytesMut, client: IpAddr, host: &str, proto: &str) -> fmt::Result {
    match client {
        IpAddr::V4(address) => write!(texts, "for={address}")?,
        IpAddr::V6(address) => write!(texts, "for=\"[{address}]\"")?,
    }
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if host.is_empty() || host.contains(['"', '\\']) {
        write!(texts, ";proto={proto}")
    } else if host.chars().all(token) {
        write!(texts, ";host={host};proto={proto}")
    } else {
        write!(texts, ";host=\"{host}\";proto={proto}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::proxy_protocol::Ends;
    use crate::runtime::Bind;
    use lychgate_ir::{GatewayId, HostPattern, ListenerId, ListenerOwner, ObjectName, Protocol};

    fn sent(hops: u8, headers: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        request.insert_header("host", "a.example:8080").unwrap();
        for (name, value) in headers {
            request.append_header(*name, *value).unwrap();
        }
        let bind = Bind { address: None, port: 8080, transport: lychgate_ir::Transport::Tcp };
        let ends = Ends::new(([192, 0, 2, 1], 4000).into(), ([192, 0, 2, 2], 8080).into());
        let connection = Connection::new(bind, ends, None);
        let listener = Listener {
            id: ListenerId {
                gateway: GatewayId(ObjectName::new("ns", "gw")),
                owner: ListenerOwner::Gateway,
                section: "http".into(),
            },
            addresses: vec![],
            port: 8080,
            protocol: Protocol::Http,
            hostname: HostPattern::Any,
            tls: None,
            upstream_identity: None,
            trusted_hops: hops,
            proxy_protocol_from: vec![],
            filters: vec![],
            leaves: false,
        };
        apply(&mut request, &connection, &listener, None);
        request
    }

    fn get<'a>(request: &'a RequestHeader, name: &str) -> &'a str {
        request.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn what_a_client_claims_is_replaced() {
        let request = sent(
            0,
            &[
                ("x-forwarded-for", "6.6.6.6"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-client-cert", "admin"),
                ("forwarded", "for=6.6.6.6"),
            ],
        );
        assert_eq!(get(&request, "x-forwarded-for"), "192.0.2.1");
        assert_eq!(get(&request, "x-forwarded-proto"), "http");
        assert_eq!(get(&request, "x-forwarded-host"), "a.example:8080");
        assert_eq!(get(&request, "x-forwarded-port"), "8080");
        assert_eq!(get(&request, "x-forwarded-client-cert"), "");
        assert_eq!(get(&request, "forwarded"), "for=192.0.2.1;host=\"a.example:8080\";proto=http");
    }

    #[test]
    fn trusted_hops_are_believed_and_no_more() {
        let request = sent(
            1,
            &[
                ("x-forwarded-for", "6.6.6.6, 198.51.100.7"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=6.6.6.6"),
                ("forwarded", "for=198.51.100.7"),
            ],
        );
        assert_eq!(get(&request, "x-forwarded-for"), "198.51.100.7, 192.0.2.1");
        assert_eq!(get(&request, "x-forwarded-proto"), "https");
        assert_eq!(get(&request, "forwarded"), "for=198.51.100.7, for=192.0.2.1;host=\"a.example:8080\";proto=http");
    }
}
