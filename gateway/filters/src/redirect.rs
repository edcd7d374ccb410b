//! Answers with a `Location` (HTTPRoute `requestRedirect`; RFC 9110 section 15.4).
//!
//! What the filter does not give stays as in the request: scheme, host, path, and always the query. The port does not:
//! it is the filter's, else the well-known one of the filter's scheme, else the listener's; the one that the client
//! wrote is never used, and the one that the scheme implies is never written.
//!
//! The location is absolute and made of nothing but checked parts: a host that is no host is the client's error, and
//! what a path or a query must not hold is percent-encoded. Slashes at the start of the path become one, since whoever
//! strips scheme and host from the location would read `//name` as another host.

use crate::authority::Authority;
use crate::path::{Part, PathEdit, encode};
use crate::refused::unsupported;
use crate::{Reply, RequestView, Scheme, Verdict};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use lychgate_ir::{Refusal, filter};
use std::borrow::Cow;
use std::fmt::Write;

/// What a URI may be long, as the `http` crate has it; request targets beyond 8000 bytes are rare (RFC 9110 section 4.1).
const LONGEST: usize = 65_534;

/// A compiled redirect.
#[derive(Debug)]
pub(crate) struct Redirect {
    scheme: Option<Scheme>,
    hostname: Option<Box<str>>,
    path: Option<PathEdit>,
    port: Option<u16>,
    status: StatusCode,
}

impl Redirect {
    pub(crate) fn compile(redirect: &filter::Redirect) -> Result<Self, Refusal> {
        let filter::Redirect { scheme, hostname, path, port, status } = redirect;
        let status = match status {
            301 => StatusCode::MOVED_PERMANENTLY,
            302 => StatusCode::FOUND,
            303 => StatusCode::SEE_OTHER,
            307 => StatusCode::TEMPORARY_REDIRECT,
            308 => StatusCode::PERMANENT_REDIRECT,
            other => {
                return Err(unsupported(format!("redirect with status {other}: use 301, 302, 303, 307 or 308")));
            }
        };
        let hostname =
            match hostname {
                Some(name) => Some(Authority::host_alone(name).map(Box::from).ok_or_else(|| {
                    unsupported(format!("redirect to host `{name}`: give a host name without a port"))
                })?),
                None => None,
            };
        Ok(Self {
            scheme: scheme.map(Scheme::from),
            hostname,
            path: path.as_ref().map(PathEdit::compile),
            port: *port,
            status,
        })
    }

    pub(crate) fn request(&self, view: &RequestView<'_>) -> Verdict {
        let host = match &self.hostname {
            Some(name) => name,
            None => match view.head.host().and_then(Authority::parse) {
                Some(Authority { host, port: _ }) => host,
                None => return Verdict::Reply(Reply::bare(StatusCode::BAD_REQUEST)),
            },
        };
        let path = match &self.path {
            Some(edit) => match edit.apply(view.head.path(), view.matched) {
                Ok(path) => path,
                Err(refusal) => return Verdict::Refuse(refusal),
            },
            None => Cow::Borrowed(view.head.path()),
        };
        let location = self.location(view, host, &path);
        match HeaderValue::try_from(location) {
            Ok(location) if location.len() <= LONGEST => {
                Verdict::Reply(Reply { status: self.status, headers: vec![(LOCATION, location)] })
            }
            Ok(_) | Err(_) => Verdict::Reply(Reply::bare(StatusCode::URI_TOO_LONG)),
        }
    }

    fn location(&self, view: &RequestView<'_>, host: &str, path: &str) -> String {
        let scheme = self.scheme.unwrap_or(view.scheme);
        let port = match (self.port, self.scheme) {
            (Some(port), _) => port,
            (None, Some(scheme)) => scheme.well_known_port(),
            (None, None) => view.listener_port,
        };
        let mut location = String::with_capacity(host.len() + path.len() + 32);
        location.push_str(scheme.as_str());
        location.push_str("://");
        location.push_str(host);
        if port != scheme.well_known_port() {
            // Writing to a string cannot fail.
            let _ = write!(location, ":{port}");
        }
        location.push('/');
        // `OPTIONS *` has no path to speak of.
        let path = if path == "*" { "" } else { path.trim_start_matches('/') };
        location.push_str(&encode(path, Part::Path));
        if let Some(query) = view.head.query() {
            location.push('?');
            location.push_str(&encode(query, Part::Query));
        }
        location
    }
}
