//! Session persistence (GEP-1619) on requests and responses.

use crate::runtime::{Destination, ForwardState};
use crate::upstream::{EndpointState, Session};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use lychgate_filters::ResponseHead;
use lychgate_ir::{CookieLifetime, PersistenceKind, SessionPersistence};
use pingora_http::RequestHeader;
use std::sync::Arc;
use std::time::Duration;

/// The session of a request, if it brought one, and how its response shall carry it.
pub(super) struct SessionState {
    spec: SessionPersistence,
    brought: Option<Session>,
}

impl SessionState {
    pub(super) fn of(spec: &SessionPersistence, request: &RequestHeader) -> Option<Self> {
        let brought = match &spec.kind {
            PersistenceKind::Cookie { .. } => cookie(&request.headers, &spec.name),
            PersistenceKind::Header => request.headers.get(&*spec.name).and_then(|value| value.to_str().ok()),
        };
        Some(Self { spec: spec.clone(), brought: brought.and_then(Session::parse) })
    }

    /// The session that the request brought, and how old it may be.
    pub(super) fn brought(&self) -> Option<(Session, Option<Duration>)> {
        self.brought.map(|session| (session, self.spec.absolute_timeout))
    }

    /// The destination that has the endpoint of the session: a weighted split keeps its clients, too.
    pub(super) fn destination<'a>(&self, forward: &'a ForwardState) -> Option<&'a Arc<Destination>> {
        let session = self.brought?;
        forward.destinations().find(|destination| {
            destination
                .target
                .as_ref()
                .is_ok_and(|backend| session.endpoint(&backend.endpoints(), self.spec.absolute_timeout).is_some())
        })
    }

    /// Tells the client where it was, unless it knows.
    pub(super) fn remember(&self, head: &mut dyn ResponseHead, endpoint: &EndpointState) {
        let SessionPersistence { name, kind, absolute_timeout } = &self.spec;
        let known = self.brought.is_some_and(|session| session.is_of(endpoint, *absolute_timeout));
        let value = Session::start(endpoint);
        let (header, value) = match kind {
            PersistenceKind::Cookie { .. } if known => return,
            PersistenceKind::Cookie { path, lifetime } => {
                let age = match (lifetime, absolute_timeout) {
                    (CookieLifetime::Permanent, Some(limit)) => format!("; Max-Age={}", limit.as_secs().max(1)),
                    (CookieLifetime::Permanent, None) | (CookieLifetime::Session, _) => String::new(),
                };
                (SET_COOKIE, format!("{name}={value}; Path={path}{age}; HttpOnly; SameSite=Lax"))
            }
            PersistenceKind::Header => {
                let Ok(header) = HeaderName::try_from(&**name) else { return };
                let kept = self.brought.filter(|_| known).unwrap_or(value);
                (header, kept.to_string())
            }
        };
        if let Ok(value) = HeaderValue::try_from(value) {
            head.append(&header, &value);
        }
    }
}

/// The value of a cookie (RFC 6265 section 5.4); the first of that name counts.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then(|| value.trim_matches('"')))
}

#[cfg(test)]
mod fuzz;
