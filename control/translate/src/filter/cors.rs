//! `cors` (GEP-1767).

use super::Bad;
use http::header::HeaderName;
use lychgate_api::gateway::{HttpCorsFilter, HttpMethodWithWildcard};
use lychgate_ir::filter::{Cors, CorsMethods, CorsNames, CorsOrigin};

pub(super) fn read(filter: &HttpCorsFilter) -> Result<Cors, Bad> {
    let HttpCorsFilter { allow_origins, allow_credentials, allow_methods, allow_headers, expose_headers, max_age } =
        filter;
    Ok(Cors {
        allow_origins: allow_origins.iter().map(|text| origin(text)).collect::<Result<_, _>>()?,
        allow_credentials: allow_credentials.unwrap_or(false),
        allow_methods: if allow_methods.contains(&HttpMethodWithWildcard::Any) {
            CorsMethods::Any
        } else {
            CorsMethods::Only(allow_methods.iter().map(|method| method.as_str().into()).collect())
        },
        allow_headers: names("allowHeaders", allow_headers)?,
        expose_headers: names("exposeHeaders", expose_headers)?,
        max_age: *max_age,
    })
}

fn origin(text: &str) -> Result<CorsOrigin, Bad> {
    let bad = || Bad::value(format!("allowOrigins: `{text}` is no origin; write https://host, https://*.domain or *"));
    if text == "*" {
        return Ok(CorsOrigin::Any);
    }
    let text = text.to_ascii_lowercase();
    let (scheme, host) = text.split_once("://").ok_or_else(bad)?;
    if !["http", "https"].contains(&scheme) || host.is_empty() || host.contains('/') {
        return Err(bad());
    }
    match host.strip_prefix('*') {
        None if host.contains('*') => Err(bad()),
        None => Ok(CorsOrigin::Exact(text.as_str().into())),
        Some(suffix) if suffix.contains('*') => Err(bad()),
        // The star alone, or in place of the labels in front.
        Some(suffix) if suffix.is_empty() || suffix.starts_with(['.', ':']) => {
            Ok(CorsOrigin::Wildcard { scheme: format!("{scheme}://").into(), suffix: suffix.into() })
        }
        Some(_) => Err(bad()),
    }
}

fn names(field: &str, texts: &[String]) -> Result<CorsNames, Bad> {
    if texts.iter().any(|text| text == "*") {
        return Ok(CorsNames::Any);
    }
    let mut names: Vec<HeaderName> = Vec::with_capacity(texts.len());
    for text in texts {
        let name = HeaderName::try_from(text.as_str());
        let name = name.map_err(|_| Bad::value(format!("{field}: `{text}` is no header name")))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(CorsNames::Only(names))
}
