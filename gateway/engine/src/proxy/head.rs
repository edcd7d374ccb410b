//! Pingora's heads, as filters see them.

use http::header::HOST;
use http::uri::{Authority, Parts, PathAndQuery, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
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
