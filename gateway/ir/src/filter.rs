//! What filters mean. One file a filter; what they do is in `lychgate-filters`.

mod cors;
mod external_auth;
mod header_modifier;
mod mirror;
mod redirect;
mod rewrite;

pub use cors::{Cors, CorsMethods, CorsNames, CorsOrigin};
pub use external_auth::{AuthHeaders, AuthProtocol, ExternalAuth, HttpAuth, NOT_GIVEN};
pub use header_modifier::HeaderModifier;
pub use mirror::{Fraction, Mirror};
pub use redirect::{Redirect, RedirectScheme};
pub use rewrite::{PathRewrite, UrlRewrite};

use crate::Refusal;
use serde::{Deserialize, Serialize};

/// A filter of a rule or of one of its backends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// Edits the request's headers.
    RequestHeaders(HeaderModifier),
    /// Edits the response's headers.
    ResponseHeaders(HeaderModifier),
    /// Answers with a redirect.
    Redirect(Redirect),
    /// Changes host or path before forwarding.
    Rewrite(UrlRewrite),
    /// Sends a copy elsewhere.
    Mirror(Mirror),
    /// Cross-origin resource sharing.
    Cors(Cors),
    /// Asks a service whether the request may pass.
    ExternalAuth(ExternalAuth),
    /// A filter that cannot be done: the rule (or the share of its backend) is refused.
    Broken(Refusal),
}

/// A filter of a listener, for each of its requests before it is routed (GEP-5224).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListenerFilter {
    /// Asks a service whether the request may pass; what the service adds to it counts for the choice of a rule.
    ExternalAuth(ExternalAuth),
}
