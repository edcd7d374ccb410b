//! The request as it is sent.

use super::super::fields::join_cookies;
use super::super::pool::{Held, Sender};
use super::outgoing::Outgoing;
use crate::egress::passage::{Way, handling};
use crate::egress::refused::Refused;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri};
use lychgate_ir::egress::EgressCredential;
use lychgate_telemetry::Reason;

impl Outgoing<'_> {
    /// Its head over this connection, with what the rule adds.
    pub(super) fn request(&self, parts: &http::request::Parts, held: &Held, way: &Way) -> Result<Request<()>, Refused> {
        let bad =
            |error: &dyn std::fmt::Display| Refused::new(Reason::BadRequest, "no request").because(error.to_string());
        let mut request = Request::new(());
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = parts.headers.clone();
        let path: PathAndQuery = self.path_and_query.parse().map_err(|error| bad(&error))?;
        let authority = match &self.named {
            Some(named) => named.to_string(),
            None => {
                let default = if held.tls.is_some() { 443 } else { 80 };
                let whole = self.passed.target.to_string();
                whole.strip_suffix(&format!(":{default}")).unwrap_or(&whole).to_owned()
            }
        };
        let authority = HeaderValue::try_from(authority).map_err(|error| bad(&error))?;
        match held.sender {
            Sender::Http1(_) => {
                *request.uri_mut() = Uri::from(path);
                request.headers_mut().insert(HOST, authority);
                join_cookies(request.headers_mut());
            }
            Sender::Http2(_) => {
                request.headers_mut().remove(HOST);
                let scheme = if held.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
                let authority = Authority::try_from(authority.as_bytes()).map_err(|error| bad(&error))?;
                let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
                *request.uri_mut() = uri.map_err(|error| bad(&error))?;
            }
        }
        if let Some(credential) = &handling(&way.decision).credential {
            let EgressCredential { header, .. } = credential;
            let value = self.gate.credential(credential).map_err(|refused| refused.after(&way.decision))?;
            request.headers_mut().insert(header.clone(), value);
        }
        Ok(request)
    }
}
