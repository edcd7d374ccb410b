//! Who the client is, told to backends: `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! What a client writes there itself is believed only if the listener has trusted hops: proxies in front of us that are
//! known to write the truth. With none, everything is replaced.

use super::head::authority;
use crate::connection::Connection;
use http::{HeaderName, HeaderValue};
use lychgate_ir::Listener;
use pingora_http::RequestHeader;
use std::net::IpAddr;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// Writes the headers of a request that came over this connection, from a client that was verified as so and so.
pub(super) fn apply(
    request: &mut RequestHeader,
    connection: &Connection,
    listener: &Listener,
    verified: Option<HeaderValue>,
) {
    let proto = if connection.tls.is_some() { "https" } else { "http" };
    let client = connection.ends.source.ip();
    let host = authority(request).unwrap_or_default().to_owned();
    let element = element(client, &host, proto);
    let believes = listener.trusted_hops > 0;
    if !believes {
        // Setting replaces all of a name; to look names up that are seldom there is what most of this would cost.
        request.remove_header(&CLIENT_CERT);
        set(request, &FOR, client.to_string());
        set(request, &FORWARDED, element);
    } else {
        // Only as many hops as are trusted: what stands before them could be anybody's.
        let hops = usize::from(listener.trusted_hops);
        let chain = last(request, &FOR, hops, &client.to_string());
        set(request, &FOR, chain);
        let chain = last(request, &FORWARDED, hops, &element);
        set(request, &FORWARDED, chain);
    }
    if let Some(verified) = verified {
        let _ = request.insert_header(CLIENT_CERT, verified);
    }
    for (name, value) in [(&PROTO, proto.to_owned()), (&HOST, host), (&PORT, connection.bind.port.to_string())] {
        if believes && request.headers.contains_key(name) {
            continue;
        }
        if value.is_empty() {
            request.remove_header(name);
        } else {
            set(request, name, value);
        }
    }
}

fn set(request: &mut RequestHeader, name: &HeaderName, value: String) {
    match HeaderValue::try_from(value) {
        Ok(value) => {
            let _ = request.insert_header(name.clone(), value);
        }
        // A host that is no header value was refused before; in any case the client's own word does not stand.
        Err(_) => {
            request.remove_header(name);
        }
    }
}

/// The last `hops` elements of a list header, and one more.
fn last(request: &RequestHeader, name: &HeaderName, hops: usize, own: &str) -> String {
    let lines = request.headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let elements: Vec<&str> =
        lines.flat_map(|line| line.split(',')).map(str::trim).filter(|element| !element.is_empty()).collect();
    let mut kept: Vec<&str> = elements.iter().skip(elements.len().saturating_sub(hops)).copied().collect();
    kept.push(own);
    kept.join(", ")
}

/// One element of `Forwarded`. Addresses of IPv6 and hosts with ports have to be quoted.
fn element(client: IpAddr, host: &str, proto: &str) -> String {
    let node = match client {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if host.is_empty() || host.contains(['"', '\\']) {
        format!("for={node};proto={proto}")
    } else if host.chars().all(token) {
        format!("for={node};host={host};proto={proto}")
    } else {
        format!("for={node};host=\"{host}\";proto={proto}")
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
