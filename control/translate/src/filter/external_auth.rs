//! `externalAuth` (GEP-1494), of rules and of listeners.

use super::Bad;
use super::header_modifier::FRAMING;
use crate::backend::resolve::Resolver;
use crate::route::finding::Findings;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName};
use lychgate_api::gateway::{
    ForwardBodyConfig, GrpcAuthConfig, HttpAuthConfig, HttpExternalAuthFilter, HttpRouteExternalAuthProtocol,
};
use lychgate_ir::RouteKind;
use lychgate_ir::filter::{AuthHeaders, AuthProtocol, ExternalAuth, HttpAuth, NOT_GIVEN};
use std::sync::Arc;

/// The longest body that a service can be shown: all of it is kept while the service is asked, and until the request is over.
const LONGEST_BODY: u32 = 16 << 20;

/// A service that leads nowhere lets nothing pass; a value that makes no sense breaks the filter.
pub(super) fn read(
    resolver: &mut Resolver<'_, '_>,
    filter: &HttpExternalAuthFilter,
    path: &str,
    findings: &mut Findings,
) -> Result<ExternalAuth, Bad> {
    let HttpExternalAuthFilter { protocol, backend_ref, grpc, http, forward_body } = filter;
    let ForwardBodyConfig { max_size } = forward_body.unwrap_or_default();
    if max_size > LONGEST_BODY {
        return Err(Bad::value(format!(
            "externalAuth.forwardBody.maxSize is {max_size}; the longest that is kept is {LONGEST_BODY}"
        )));
    }
    let (protocol, speaks) = match protocol {
        HttpRouteExternalAuthProtocol::Http => {
            (AuthProtocol::Http(over_http(http.as_ref().unwrap_or(&HttpAuthConfig::default()))?), RouteKind::Http)
        }
        HttpRouteExternalAuthProtocol::Grpc => {
            let GrpcAuthConfig { allowed_headers } = grpc.clone().unwrap_or_default();
            let names = names("externalAuth.grpc.allowedHeaders", &allowed_headers)?;
            (AuthProtocol::Grpc { sees: all_or_only(names) }, RouteKind::Grpc)
        }
    };
    let target = resolver.target_speaking(speaks, backend_ref, &format!("{path}.backendRef"), findings);
    Ok(ExternalAuth { target, protocol, body: max_size })
}

fn over_http(config: &HttpAuthConfig) -> Result<HttpAuth, Bad> {
    const SEES: &str = "externalAuth.http.allowedHeaders";
    const GIVES: &str = "externalAuth.http.allowedResponseHeaders";
    let HttpAuthConfig { path, allowed_headers, allowed_response_headers } = config;
    let mut sees = names(SEES, allowed_headers)?;
    // It sees these in any case.
    sees.retain(|name| ![HOST, CONTENT_LENGTH, AUTHORIZATION].contains(name));
    if let Some(name) = sees.iter().find(|name| FRAMING.contains(&name.as_str())) {
        return Err(Bad::value(format!("{SEES}: {name} belongs to the client's connection, and is for nobody else")));
    }
    let gives = names(GIVES, allowed_response_headers)?;
    if let Some(name) = gives.iter().find(|name| NOT_GIVEN.contains(&name.as_str())) {
        return Err(Bad::value(format!("{GIVES}: {name} of a request is not for a service to change")));
    }
    Ok(HttpAuth { prefix: prefix(path.as_deref().unwrap_or_default())?, sees, gives: all_or_only(gives) })
}

/// No name is no restriction.
fn all_or_only(names: Vec<HeaderName>) -> AuthHeaders {
    if names.is_empty() { AuthHeaders::All } else { AuthHeaders::Only(names) }
}

fn names(field: &str, texts: &[String]) -> Result<Vec<HeaderName>, Bad> {
    let mut names = Vec::with_capacity(texts.len());
    for text in texts {
        let name = HeaderName::try_from(text.as_str())
            .map_err(|_| Bad::value(format!("{field}: `{}` is no header name", text.escape_debug())))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// What comes before a path leads where it says, whatever the path is.
fn prefix(written: &str) -> Result<Arc<str>, Bad> {
    let bad = |what| Err(Bad::value(format!("externalAuth.http.path `{}` {what}", written.escape_debug())));
    let trimmed = written.trim_matches('/');
    if trimmed.is_empty() {
        return Ok("".into());
    }
    if trimmed.bytes().any(|byte| !byte.is_ascii_graphic() || b"?#\\".contains(&byte)) {
        return bad("holds what no path can; percent-encode it");
    }
    let is_dots = |segment: &str| [".", ".."].contains(&segment.to_ascii_lowercase().replace("%2e", ".").as_str());
    if trimmed.split('/').any(is_dots) {
        return bad("has dot segments; write the path that is meant");
    }
    Ok(format!("/{trimmed}").into())
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn prefixes_lead_where_they_say() {
        let read = |written| prefix(written).ok();
        for (written, prefix) in [("", ""), ("/", ""), ("auth", "/auth"), ("/a/b/", "/a/b"), ("/a%2Fb", "/a%2Fb")] {
            assert_eq!(read(written).as_deref(), Some(prefix), "{written}");
        }
        for written in ["/..", "/a/../b", "/a/%2e%2E", "/.", "/a?b", "/a#b", "/a b", "/a\\b"] {
            assert!(read(written).is_none(), "{written}");
        }
    }
}
