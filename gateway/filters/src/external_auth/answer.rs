//! What the answer of a service means.

use super::{Edit, EditKind, Grant, is_framing, is_protected};
use http::header::{CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lychgate_ir::filter::{AuthHeaders, HttpAuth};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may pass, with these changes.
    Granted(Grant),
    /// It may not; this is for its client.
    Denied(Denial),
    /// The service could not tell. Nothing passes that was not let pass.
    Failed(String),
}

/// What the client of a denied request gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The status.
    pub status: StatusCode,
    /// The headers; a name may stand more than once.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Denial {
    /// No, and nothing else.
    pub fn bare() -> Self {
        Self { status: StatusCode::FORBIDDEN, headers: Vec::new(), body: Vec::new() }
    }

    /// With a status, headers and a body that the service has chosen; without the body, if that was too long to be kept.
    ///
    /// A client must not take a denial for a success, nor for leave to use what it has kept from before: such a status
    /// says no more than that it is one.
    pub fn new(
        status: StatusCode,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Option<Vec<u8>>,
    ) -> Self {
        if status.is_informational() || status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Self::bare();
        }
        let without_body = body.is_none();
        let kept = headers
            .into_iter()
            .filter(|(name, _)| !(is_framing(name) || without_body && is_about_the_body(name)))
            .collect();
        Self { status, headers: kept, body: body.unwrap_or_default() }
    }

    /// Whether the service had nothing to say but no.
    pub fn is_bare(&self) -> bool {
        let Self { status: _, headers, body } = self;
        headers.is_empty() && body.is_empty()
    }
}

/// What a service says over HTTP: 200 is yes (GEP-1494). An error of its own is neither yes nor no.
pub fn http_answer(auth: &HttpAuth, status: StatusCode, headers: &HeaderMap, body: Option<Vec<u8>>) -> Answer {
    match status {
        StatusCode::OK => Answer::Granted(granted(&auth.gives, headers)),
        status if status.is_server_error() => Answer::Failed(format!("the service answered {}", status.as_u16())),
        status => {
            let headers = headers.iter().map(|(name, value)| (name.clone(), value.clone()));
            Answer::Denied(Denial::new(status, headers, body))
        }
    }
}

/// The headers of the answer that the backend sees. What is listed comes from nobody else: a client that sends it itself
/// would be believed where the service says nothing.
fn granted(gives: &AuthHeaders, headers: &HeaderMap) -> Grant {
    let edit = |(name, value): (&HeaderName, &HeaderValue)| Edit {
        name: name.clone(),
        value: value.clone(),
        kind: EditKind::Overwrite,
    };
    match gives {
        AuthHeaders::All => {
            let all = headers.iter().filter(|(name, _)| !is_protected(name) && !is_about_the_body(name));
            Grant { edits: all.map(edit).collect(), ..Grant::default() }
        }
        AuthHeaders::Only(names) => {
            let listed = names.iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
            Grant { remove: names.clone(), edits: listed.map(edit).collect(), ..Grant::default() }
        }
    }
}

/// What describes a body that goes no further (RFC 9110 section 8): the request has a body of its own.
fn is_about_the_body(name: &HeaderName) -> bool {
    [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE].contains(name)
}
