//! What a filter is shown, and what it can say.

use crate::RequestHead;
use http::{HeaderName, HeaderValue, StatusCode};
use lychgate_ir::filter::RedirectScheme;
use lychgate_ir::{MatchedPath, Refusal};

/// A request as the filters of a rule see it.
pub struct RequestView<'a> {
    /// The head, which filters edit.
    pub head: &'a mut dyn RequestHead,
    /// What the client speaks on this connection.
    pub scheme: Scheme,
    /// The port of the listener, as the Gateway gives it.
    pub listener_port: u16,
    /// How the rule matched the path. A rewrite of the path keeps it in step, so what stands here after
    /// [`Chain::request`](crate::Chain::request) is what the chain of a backend starts from.
    pub matched: MatchedPath,
}

/// The scheme that a client used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// As a URI writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URI of this scheme need not write (RFC 9110 section 4.2).
    pub fn well_known_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl From<RedirectScheme> for Scheme {
    fn from(scheme: RedirectScheme) -> Self {
        match scheme {
            RedirectScheme::Http => Self::Http,
            RedirectScheme::Https => Self::Https,
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Continue,
    /// It is answered here. The answer still passes through [`Chain::response`](crate::Chain::response).
    Reply(Reply),
    /// The config cannot serve it.
    Refuse(Refusal),
    /// An authorization service has to be asked first, that of the filter with this place among those of its kind. If it
    /// lets the request pass, the chain goes on where it has stopped ([`ChainState::granted`](crate::ChainState::granted)).
    Ask(usize),
}

/// An answer without a body; whoever sends it adds `Content-Length: 0` where the status calls for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers; a name may stand more than once.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// A status and nothing else.
    pub(crate) fn bare(status: StatusCode) -> Self {
        Self { status, headers: Vec::new() }
    }
}
