//! Pingora's heads, as filters see them.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Parts, PathAndQuery, Uri};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use lychgate_filters::{RequestHead, ResponseHead, TooLong};
use pingora_http::{RequestHeader, ResponseHeader};

/// A request of Pingora's.
pub(crate) struct PingoraRequest<'a>(pub(crate) &'a mut RequestHeader);

/// The authority of a request: the target's own or `:authority`, else `Host`.
pub(crate) fn authority(request: &RequestHeader) -> Option<&str> {
    match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers.get(HOST)?.to_str().ok(),
    }
}

/// Headers that belong to one connection (RFC 9110 section 7.6.1).
const OF_THE_CONNECTION: [HeaderName; 4] =
    [CONNECTION, UPGRADE, HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection")];

/// The headers that `Connection` names, without those that frame the message: they are never an option of it.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let options = lines.flat_map(|line| line.split(',')).map(str::trim);
    // What nearly every message says costs nothing.
    let names =
        options.filter(|option| !["close", "keep-alive"].iter().any(|usual| option.eq_ignore_ascii_case(usual)));
    names
        .filter_map(|name| HeaderName::try_from(name).ok())
        .filter(|name| ![CONTENT_LENGTH, TRANSFER_ENCODING, HOST].contains(name))
        .collect()
}

/// Removes from a request what belongs to the client's connection.
pub(super) fn leave_connection(request: &mut RequestHeader) {
    for name in named_by_connection(&request.headers).iter().chain(&OF_THE_CONNECTION) {
        request.remove_header(name);
    }
}

/// Removes from a backend's response what belongs to the backend's connection. Trailers are announced only if they can
/// come.
pub(super) fn end_connection(response: &mut ResponseHeader, has_trailers: bool) {
    for name in named_by_connection(&response.headers).iter().chain(&OF_THE_CONNECTION) {
        response.remove_header(name);
    }
    if !has_trailers {
        response.remove_header(&TRAILER);
    }
}

/// A target that is neither a path nor the address of one.
#[derive(Debug)]
pub(super) struct NoPath;

/// A target in absolute form is a path and the host that it belongs to (RFC 9112 section 3.2.2): that is how rules see it
/// and how backends have to get it. Pingora has seen to it that the host is that of the header, if there is one.
///
/// Anything else that is no path is refused (section 3.2): rules would see the path `/`, backends what was written.
pub(super) fn to_origin_form(request: &mut RequestHeader) -> Result<(), NoPath> {
    let target = request.raw_path();
    // Nothing before a fragment comes out as the path `/`, and goes in as no path.
    if !request.uri.path().is_empty() && (target.starts_with(b"/") || target == b"*") {
        return Ok(());
    }
    let target = String::from_utf8_lossy(target);
    let (scheme, after_scheme) = target.split_once("://").ok_or(NoPath)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(NoPath);
    }
    if !request.headers.contains_key(HOST) {
        let host = after_scheme.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
        request.insert_header(HOST, host).map_err(|_| NoPath)?;
    }
    request.set_uri(request.uri.clone());
    Ok(())
}

/// Clients may ask for any protocol (RFC 9110 section 7.8). Those that we do not carry are not heard, so that the request
/// is one like any other.
pub(super) fn ignore_upgrades(request: &mut RequestHeader) {
    let mut upgrades = request.headers.get_all(UPGRADE).iter();
    let Some(upgrade) = upgrades.next() else { return };
    let is_websocket = upgrades.next().is_none()
        && upgrade.as_bytes().eq_ignore_ascii_case(b"websocket")
        && request.method == Method::GET
        && named_by_connection(&request.headers).contains(&UPGRADE);
    if !is_websocket {
        request.remove_header(&UPGRADE);
    }
}

impl RequestHead for PingoraRequest<'_> {
    fn method(&self) -> &Method {
        &self.0.method
    }

    fn path(&self) -> &str {
        self.0.uri.path()
    }

    fn query(&self) -> Option<&str> {
        self.0.uri.query()
    }

    fn set_path(&mut self, path: &str) -> Result<(), TooLong> {
        let target = match self.0.uri.query() {
            Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
            None => PathAndQuery::try_from(path),
        };
        let mut parts = self.0.uri.clone().into_parts();
        parts.path_and_query = Some(target.map_err(|_| TooLong)?);
        self.0.set_uri(Uri::from_parts(parts).map_err(|_| TooLong)?);
        Ok(())
    }

    fn set_query(&mut self, query: Option<&str>) -> Result<(), TooLong> {
        let target = match query {
            Some(query) => PathAndQuery::try_from(format!("{}?{query}", self.0.uri.path())),
            None => PathAndQuery::try_from(self.0.uri.path()),
        };
        let mut parts = self.0.uri.clone().into_parts();
        parts.path_and_query = Some(target.map_err(|_| TooLong)?);
        self.0.set_uri(Uri::from_parts(parts).map_err(|_| TooLong)?);
        Ok(())
    }

    fn host(&self) -> Option<&str> {
        authority(self.0)
    }

    fn set_host(&mut self, host: &HeaderValue) {
        // Pingora carries `Host` over to `:authority` when it forwards over HTTP/2.
        self.insert(&HOST, host);
        if self.0.uri.authority().is_some()
            && let Ok(authority) = Authority::try_from(host.as_bytes())
        {
            let Parts { scheme, path_and_query, .. } = self.0.uri.clone().into_parts();
            let mut parts = Parts::default();
            parts.scheme = scheme;
            parts.authority = Some(authority);
            parts.path_and_query = path_and_query;
            if let Ok(uri) = Uri::from_parts(parts) {
                self.0.set_uri(uri);
            }
        }
    }

    fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    fn insert(&mut self, name: &HeaderName, value: &HeaderValue) {
        // Fails only for names and values that do not parse; these have.
        let _ = self.0.insert_header(name.clone(), value.clone());
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        let _ = self.0.append_header(name.clone(), value.clone());
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove_header(name);
    }
}

/// A response of Pingora's.
pub(crate) struct PingoraResponse<'a>(pub(crate) &'a mut ResponseHeader);

impl ResponseHead for PingoraResponse<'_> {
    fn status(&self) -> StatusCode {
        self.0.status
    }

    fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    fn insert(&mut self, name: &HeaderName, value: &HeaderValue) {
        let _ = self.0.insert_header(name.clone(), value.clone());
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        let _ = self.0.append_header(name.clone(), value.clone());
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove_header(name);
    }
}
