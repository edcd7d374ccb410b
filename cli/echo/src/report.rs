//! What a client is told of its request: the shape that the Gateway API conformance suite reads, and a little more.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http::uri::Scheme;
use http::{HeaderMap, Request, Version, header};
use serde::{Deserialize, Serialize};

use crate::config::EchoIdentity;
use crate::connection::Connection;
use crate::introduction::Introduction;

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EchoReport {
    /// The request target as sent: path and query, or the whole URI where the client sent that.
    pub path: String,
    /// `:authority` or `Host`, with the port if it was sent.
    pub host: String,
    /// The method.
    pub method: String,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    pub proto: String,
    /// Header fields except `Host`, by canonical name (`X-Request-Id`), each with its values in order.
    /// Bytes that are not UTF-8 show as U+FFFD.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The port that the request arrived at.
    pub http_port: String,
    /// Who answers.
    #[serde(flatten)]
    pub identity: EchoIdentity,
    /// The TLS connection, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsReport>,
    /// The other end of the connection.
    pub client: SocketAddr,
    /// Whose connection that end says it carries, if this server asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<Introduction>,
    /// The number of the connection at this server, from 1: two requests with the same number shared one.
    pub connection: u64,
    /// The number of the request at this server, from 1.
    pub request: u64,
    /// The length of the request's body in bytes, if it was read before the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// The request's trailers, by canonical name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trailers: BTreeMap<String, Vec<String>>,
}

/// A TLS connection as the server sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsReport {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The server name that the client sent (SNI, RFC 6066), or empty.
    pub server_name: String,
    /// The protocol agreed on (ALPN, RFC 7301), or empty.
    pub negotiated_protocol: String,
    /// The cipher suite by its IANA name.
    pub cipher_suite: String,
    /// The client's certificates as PEM, its own first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peer_certificates: Vec<String>,
    /// The key exchange group, such as `X25519MLKEM768`; empty in a resumed TLS 1.2 session.
    pub key_exchange: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

impl EchoReport {
    pub(crate) fn new<B>(request: &Request<B>, number: u64, connection: &Connection, identity: &EchoIdentity) -> Self {
        let uri = request.uri();
        let over_h2 = request.version() == Version::HTTP_2;
        let path = match uri.path_and_query() {
            Some(target) if over_h2 => target.to_string(),
            Some(_) | None => uri.to_string(),
        };
        let host = match uri.authority() {
            Some(authority) => authority.to_string(),
            None => request.headers().get(header::HOST).map(text).unwrap_or_default(),
        };
        let mut headers = by_canonical_name(request.headers());
        headers.remove("Host");
        Self {
            path,
            host,
            method: request.method().to_string(),
            proto: proto(request.version()).to_owned(),
            headers,
            http_port: connection.local.port().to_string(),
            identity: identity.clone(),
            // As Go's servers do, whose handlers hear nothing of TLS from who does not say `https`.
            tls: connection.tls.clone().filter(|_| !over_h2 || uri.scheme() == Some(&Scheme::HTTPS)),
            client: connection.peer,
            proxy_protocol: connection.introduction.clone(),
            connection: connection.number,
            request: number,
            body_bytes: None,
            trailers: BTreeMap::new(),
        }
    }

    /// The values of a header field, whatever the case of `name`; none if it did not arrive.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .flat_map(|(_, values)| values.iter().map(String::as_str))
            .collect()
    }
}

fn proto(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

/// Header fields by their canonical names: `x-request-id` becomes `X-Request-Id`.
pub(crate) fn by_canonical_name(fields: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in fields {
        named.entry(canonical(name.as_str())).or_default().push(text(value));
    }
    named
}

fn text(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn canonical(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|c| {
            let shown = if start { c.to_ascii_uppercase() } else { c };
            start = c == '-';
            shown
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_people_write_them() {
        assert_eq!(canonical("x-request-id"), "X-Request-Id");
        assert_eq!(canonical("te"), "Te");
        assert_eq!(canonical("x--y"), "X--Y");
    }
}
