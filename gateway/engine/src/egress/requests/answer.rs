//! What clients of HTTP are told that do not get through.

use super::Desk;
use crate::egress::body::{Body, ours};
use crate::egress::gate::Gate;
use crate::egress::record::Record;
use crate::egress::refused::Refused;
use crate::egress::who::{self, Client};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response};
use lychgate_egress::Source;
use lychgate_telemetry::Reason;

/// The answer to a request that is refused, which the record hears of, too.
pub(super) fn refuse(record: &mut Record, refused: &Refused) -> Response<Body> {
    record.refused(refused);
    record.answered(refused.status.as_u16());
    page(refused, record.id())
}

/// The page alone.
pub(super) fn page(refused: &Refused, id: &str) -> Response<Body> {
    let Refused { reason, status, said, detail: _, decision: _, retry_after: _ } = refused;
    let mut response = Response::new(ours(format!("{status} ({reason}): {said}, request {id}\n")));
    *response.status_mut() = *status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = refused.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if *reason == Reason::EgressLogin {
        headers.insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"egress\", charset=\"UTF-8\""));
    }
    response
}

impl Desk {
    /// Who asks, with the login that a request brings. A certificate says more than that.
    pub(super) fn client(&self, gate: &Gate, headers: &HeaderMap) -> Result<Client, Refused> {
        let client = self.guest.client.clone();
        let login = headers.get(PROXY_AUTHORIZATION).filter(|_| !gate.spec.logins.is_empty());
        match login {
            Some(login) if client.identity.is_none() => {
                let user = who::basic(login).and_then(|login| who::knows(gate, &login));
                match user {
                    Some(user) => Ok(Client { login: Some(user), ..client }),
                    None => Err(Refused::new(Reason::EgressLogin, "the user name or the password is not known")),
                }
            }
            Some(_) | None => Ok(client),
        }
    }
}

/// Where somebody whom nobody knows is refused, a login may help.
pub(super) fn or_login(refused: Refused, gate: &Gate, source: &Source) -> Refused {
    let may_help =
        refused.reason == Reason::EgressDenied && !gate.spec.logins.is_empty() && matches!(source, Source::Unknown);
    if !may_help {
        return refused;
    }
    let login = Refused::new(Reason::EgressLogin, "a user name and a password are needed").because(refused.detail);
    Refused { decision: refused.decision, ..login }
}
