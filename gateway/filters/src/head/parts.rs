//! Heads as the `http` crate holds them: what mirrors send, and what tests use.

use super::{RequestHead, ResponseHead, TooLong};
use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, request, response};

impl RequestHead for request::Parts {
    fn method(&self) -> &Method {
        &self.method
    }

    fn path(&self) -> &str {
        self.uri.path()
    }

    fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    fn set_path(&mut self, path: &str) -> Result<(), TooLong> {
        let target = match self.uri.query() {
            Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
            None => PathAndQuery::try_from(path),
        };
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(target.map_err(|_| TooLong)?);
        self.uri = Uri::from_parts(parts).map_err(|_| TooLong)?;
        Ok(())
    }

    fn set_query(&mut self, query: Option<&str>) -> Result<(), TooLong> {
        let target = match query {
            Some(query) => PathAndQuery::try_from(format!("{}?{query}", self.uri.path())),
            None => PathAndQuery::try_from(self.uri.path()),
        };
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(target.map_err(|_| TooLong)?);
        self.uri = Uri::from_parts(parts).map_err(|_| TooLong)?;
        Ok(())
    }

    fn host(&self) -> Option<&str> {
        match self.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => self.headers.get(HOST)?.to_str().ok(),
        }
    }

    fn set_host(&mut self, host: &HeaderValue) {
        self.headers.insert(HOST, host.clone());
        if self.uri.authority().is_none() {
            return;
        }
        let mut parts = self.uri.clone().into_parts();
        if let Ok(authority) = Authority::try_from(host.as_bytes()) {
            parts.authority = Some(authority);
            if let Ok(uri) = Uri::from_parts(parts) {
                self.uri = uri;
            }
        }
    }

    fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    fn insert(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.headers.insert(name, value.clone());
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.headers.append(name, value.clone());
    }

    fn remove(&mut self, name: &HeaderName) {
        self.headers.remove(name);
    }
}

impl ResponseHead for response::Parts {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    fn insert(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.headers.insert(name, value.clone());
    }

    fn append(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.headers.append(name, value.clone());
    }

    fn remove(&mut self, name: &HeaderName) {
        self.headers.remove(name);
    }
}
