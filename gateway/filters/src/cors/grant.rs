//! What the answers list: methods, request headers, response headers.

use crate::refused::unsupported;
use http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use lychgate_ir::Refusal;
use lychgate_ir::filter::{CorsMethods, CorsNames};

const WILDCARD: HeaderValue = HeaderValue::from_static("*");

/// What a preflight grants.
#[derive(Debug)]
pub(super) enum Grant {
    /// Nothing beyond what Fetch allows anyway: the header is left out.
    Nothing,
    /// The same for all.
    Constant(HeaderValue),
    /// What was asked for.
    Echo,
}

impl Grant {
    pub(super) fn methods(methods: &CorsMethods, credentials: bool) -> Result<Self, Refusal> {
        match methods {
            CorsMethods::Any => Ok(Self::any(credentials)),
            CorsMethods::Only(names) => Self::only(names.iter().map(|name| &**name)),
        }
    }

    pub(super) fn headers(headers: &CorsNames, credentials: bool) -> Result<Self, Refusal> {
        match headers {
            CorsNames::Any => Ok(Self::any(credentials)),
            CorsNames::Only(names) => Self::only(names.iter().map(HeaderName::as_str)),
        }
    }

    fn any(credentials: bool) -> Self {
        if credentials { Self::Echo } else { Self::Constant(WILDCARD) }
    }

    fn only<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, Refusal> {
        Ok(list(names)?.map_or(Self::Nothing, Self::Constant))
    }

    pub(super) fn is_echo(&self) -> bool {
        match self {
            Self::Echo => true,
            Self::Nothing | Self::Constant(_) => false,
        }
    }

    pub(super) fn answer(&self, asked: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Self::Nothing => None,
            Self::Constant(value) => Some(value.clone()),
            Self::Echo => asked.filter(|value| is_token_list(value)).cloned(),
        }
    }
}

/// What scripts may read of a response.
#[derive(Debug)]
pub(super) enum Exposed {
    /// What Fetch exposes anyway.
    Nothing,
    /// The same for all.
    Constant(HeaderValue),
    /// All that the response has: with credentials there is no wildcard for it.
    Present,
}

impl Exposed {
    pub(super) fn compile(names: &CorsNames, credentials: bool) -> Result<Self, Refusal> {
        Ok(match names {
            CorsNames::Any if credentials => Self::Present,
            CorsNames::Any => Self::Constant(WILDCARD),
            CorsNames::Only(names) => list(names.iter().map(HeaderName::as_str))?.map_or(Self::Nothing, Self::Constant),
        })
    }

    pub(super) fn constant(&self) -> Option<&HeaderValue> {
        match self {
            Self::Constant(value) => Some(value),
            Self::Nothing | Self::Present => None,
        }
    }

    pub(super) fn of(&self, response: &HeaderMap) -> Option<HeaderValue> {
        match self {
            Self::Nothing => None,
            Self::Constant(value) => Some(value.clone()),
            Self::Present => {
                // Scripts never see cookies (Fetch, "forbidden response-header name"), and have no use for our own.
                let names = response.keys().map(HeaderName::as_str);
                let names = names.filter(|&name| name != SET_COOKIE.as_str() && !name.starts_with("access-control-"));
                list(names).ok().flatten()
            }
        }
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> Result<Option<HeaderValue>, Refusal> {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(name);
    }
    if text.is_empty() {
        return Ok(None);
    }
    match HeaderValue::from_str(&text) {
        Ok(value) if is_token_list(&value) => Ok(Some(value)),
        Ok(_) | Err(_) => Err(unsupported(format!("CORS list {text:?}: give methods or header names"))),
    }
}

/// Tokens (RFC 9110 section 5.6.2), commas and spaces: what lists of methods and names are made of.
fn is_token_list(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, \t".contains(byte))
}
