//! Cross-origin resource sharing (HTTPRoute `cors`, GEP-1767; the CORS protocol of the Fetch standard).
//!
//! - The gate is the final authority: preflights never reach a backend, and what a backend says in CORS response
//!   headers is removed, whether the origin is allowed or not.
//! - A preflight is `OPTIONS` with `Origin` and `Access-Control-Request-Method`. Allowed origins get 204, others 403
//!   without CORS headers; which methods and headers the answer covers is for the client to judge, as Fetch has it.
//! - Other requests go on whatever their origin is: it is the client that keeps the response from its scripts.
//! - Any origin without credentials is `*`, the same for all, so that caches need not vary. In all other cases the
//!   origin is echoed and `Vary: Origin` is there even on answers that grant nothing (Fetch, "CORS protocol and HTTP
//!   caches").
//! - With credentials a wildcard is never sent, since Fetch reads `*` as a name then: what was asked for is echoed, and
//!   the exposed headers are those that the response has. Without credentials `*` is sent, which for Fetch covers all
//!   request headers but `Authorization`.

mod grant;
mod origin;

use crate::refused::unsupported;
use crate::{Reply, RequestHead, ResponseHead, Verdict};
use grant::{Exposed, Grant};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};
use lychgate_ir::{Refusal, filter};
use origin::Origins;

/// A compiled filter.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Origins,
    credentials: bool,
    methods: Grant,
    headers: Grant,
    exposed: Exposed,
    max_age: HeaderValue,
}

/// What the response has to know of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No origin that is allowed was named.
    #[default]
    Nothing,
    /// The preflight was answered: the response is ours and complete.
    Preflight,
    /// The value of `Access-Control-Allow-Origin`.
    Allowed(HeaderValue),
}

/// What a backend has no say in.
const OURS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

const TRUE: HeaderValue = HeaderValue::from_static("true");
const BY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const BY_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

impl Cors {
    pub(crate) fn compile(cors: &filter::Cors) -> Result<Self, Refusal> {
        let filter::Cors { allow_origins, allow_credentials, allow_methods, allow_headers, expose_headers, max_age } =
            cors;
        let credentials = *allow_credentials;
        Ok(Self {
            origins: Origins::compile(allow_origins, credentials)
                .map_err(|origin| unsupported(format!("CORS origin `{origin}`: give `scheme://host`, or `*`")))?,
            credentials,
            methods: Grant::methods(allow_methods, credentials)?,
            headers: Grant::headers(allow_headers, credentials)?,
            exposed: Exposed::compile(expose_headers, credentials)?,
            max_age: HeaderValue::from(*max_age),
        })
    }

    pub(crate) fn request(&self, head: &dyn RequestHead, outcome: &mut Outcome) -> Verdict {
        let origin = only(head, &ORIGIN);
        let allowed = self.origins.allow(origin);
        let asked = head.headers().get(ACCESS_CONTROL_REQUEST_METHOD);
        let (true, Some(method)) = (head.method() == Method::OPTIONS && head.headers().contains_key(ORIGIN), asked)
        else {
            *outcome = allowed.map_or(Outcome::Nothing, Outcome::Allowed);
            return Verdict::Continue;
        };
        *outcome = Outcome::Preflight;
        Verdict::Reply(match allowed {
            Some(origin) => self.grant(head, method, origin),
            None => Reply { status: StatusCode::FORBIDDEN, headers: vec![(VARY, BY_ORIGIN)] },
        })
    }

    fn grant(&self, head: &dyn RequestHead, method: &HeaderValue, origin: HeaderValue) -> Reply {
        let mut headers = Vec::with_capacity(7);
        headers.push((ACCESS_CONTROL_ALLOW_ORIGIN, origin));
        if self.credentials {
            headers.push((ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE));
        }
        let methods = self.methods.answer(Some(method));
        headers.extend(methods.map(|value| (ACCESS_CONTROL_ALLOW_METHODS, value)));
        let names = self.headers.answer(only(head, &ACCESS_CONTROL_REQUEST_HEADERS));
        headers.extend(names.map(|value| (ACCESS_CONTROL_ALLOW_HEADERS, value)));
        let exposed = self.exposed.constant().cloned();
        headers.extend(exposed.map(|value| (ACCESS_CONTROL_EXPOSE_HEADERS, value)));
        headers.push((ACCESS_CONTROL_MAX_AGE, self.max_age.clone()));
        if self.methods.is_echo() || self.headers.is_echo() {
            headers.push((VARY, BY_PREFLIGHT));
        } else if self.origins.vary() {
            headers.push((VARY, BY_ORIGIN));
        }
        Reply { status: StatusCode::NO_CONTENT, headers }
    }

    pub(crate) fn response(&self, head: &mut dyn ResponseHead, outcome: &Outcome) {
        let origin = match outcome {
            Outcome::Preflight => return,
            Outcome::Nothing => None,
            Outcome::Allowed(origin) => Some(origin),
        };
        for name in &OURS {
            head.remove(name);
        }
        if self.origins.vary() && !varies_by_origin(head) {
            head.append(&VARY, &BY_ORIGIN);
        }
        let Some(origin) = origin else { return };
        head.insert(&ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            head.insert(&ACCESS_CONTROL_ALLOW_CREDENTIALS, &TRUE);
        }
        if let Some(names) = self.exposed.of(head.headers()) {
            head.insert(&ACCESS_CONTROL_EXPOSE_HEADERS, &names);
        }
    }
}

/// The value of a name that must not stand twice: two origins are none.
fn only<'a>(head: &'a dyn RequestHead, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = head.headers().get_all(name).iter();
    let first = values.next();
    match values.next() {
        Some(_) => None,
        None => first,
    }
}

fn varies_by_origin(head: &dyn ResponseHead) -> bool {
    let names = head.headers().get_all(VARY).iter().filter_map(|value| value.to_str().ok());
    names.flat_map(|value| value.split(',')).any(|name| matches!(name.trim(), "*") || is_origin(name))
}

fn is_origin(name: &str) -> bool {
    name.trim().eq_ignore_ascii_case(ORIGIN.as_str())
}
