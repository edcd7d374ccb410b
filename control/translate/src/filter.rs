//! Filters of routes: one file a filter, and what holds for all of them together.

mod cors;
mod external_auth;
pub(crate) mod header_modifier;
pub(crate) mod listener;
mod mirror;
mod redirect;
mod rewrite;
mod unsupported;

use crate::backend::resolve::Resolver;
use crate::route::finding::Findings;
use crate::status::reason;
use lychgate_api::gateway::{
    HttpPathModifier, HttpPathModifierType, HttpRouteFilter, HttpRouteFilterType, PathMatchType,
};
use lychgate_ir::filter::PathRewrite;
use lychgate_ir::{Filter, Refusal, RefusalReason};

/// What filters are read with.
pub(crate) struct Surroundings<'r, 'w, 'a> {
    pub(crate) resolver: &'r mut Resolver<'w, 'a>,
    /// How the paths of the rule are matched.
    pub(crate) paths: Vec<PathMatchType>,
    /// Whether they are those of a backend, and so concern its share of the requests only.
    pub(crate) of_backend: bool,
}

/// Why a filter cannot be done.
pub(crate) struct Bad {
    /// Of the condition.
    reason: &'static str,
    /// Whether it is a reference that leads nowhere, rather than a value that makes no sense.
    unresolved: bool,
    message: String,
}

impl Bad {
    fn value(message: impl Into<String>) -> Self {
        Self { reason: reason::UNSUPPORTED_VALUE, unresolved: false, message: message.into() }
    }
}

/// The filters of a rule or of one of its backends. One that cannot be done is broken: it refuses, it is not passed over.
pub(crate) fn read(
    around: &mut Surroundings<'_, '_, '_>,
    filters: &[HttpRouteFilter],
    path: &str,
    findings: &mut Findings,
) -> Vec<Filter> {
    let mut read = Vec::with_capacity(filters.len());
    for (index, filter) in filters.iter().enumerate() {
        let path = format!("{path}.filters[{index}]");
        let earlier = filters.get(..index).unwrap_or_default();
        let result = match combination(earlier, filter) {
            Some(bad) => Err(bad),
            None => one(around, filter, &path, findings),
        };
        read.push(result.unwrap_or_else(|Bad { reason, unresolved, message }| {
            let message = format!("{path}: {message}");
            let refusal = Refusal::internal(RefusalReason::UnsupportedFilter, message.as_str());
            match (unresolved, around.of_backend) {
                (true, _) => findings.unresolved(reason, message),
                (false, true) => findings.partly_invalid(reason, message),
                (false, false) => findings.invalid(reason, message),
            }
            Filter::Broken(refusal)
        }));
    }
    read
}

/// Whether a list of filters answers every request itself, so that no backend is needed.
pub(crate) fn answers(filters: &[Filter]) -> bool {
    filters.iter().any(|filter| match filter {
        Filter::Redirect(_) | Filter::Broken(_) => true,
        Filter::RequestHeaders(_)
        | Filter::ResponseHeaders(_)
        | Filter::Rewrite(_)
        | Filter::Mirror(_)
        | Filter::Cors(_)
        | Filter::ExternalAuth(_) => false,
    })
}

/// Mirrors and questions to services may be repeated, all else may not; a redirect leaves nothing to rewrite.
fn combination(earlier: &[HttpRouteFilter], filter: &HttpRouteFilter) -> Option<Bad> {
    use HttpRouteFilterType::{
        Cors, ExtensionRef, ExternalAuth, Other, RequestHeaderModifier, RequestMirror, RequestRedirect,
        ResponseHeaderModifier, UrlRewrite,
    };
    let before = |kind: &HttpRouteFilterType| earlier.iter().any(|filter| filter.r#type == *kind);
    let bad = |message: String| Some(Bad { reason: reason::INCOMPATIBLE_FILTERS, unresolved: false, message });
    match &filter.r#type {
        RequestMirror | ExtensionRef | ExternalAuth | Other(_) => None,
        kind @ (RequestHeaderModifier | ResponseHeaderModifier | RequestRedirect | UrlRewrite | Cors)
            if before(kind) =>
        {
            bad(format!("{kind} cannot be repeated; write one"))
        }
        UrlRewrite if before(&RequestRedirect) => bad("URLRewrite cannot follow RequestRedirect; keep one".to_owned()),
        RequestRedirect if before(&UrlRewrite) => bad("RequestRedirect cannot follow URLRewrite; keep one".to_owned()),
        RequestHeaderModifier | ResponseHeaderModifier | RequestRedirect | UrlRewrite | Cors => None,
    }
}

fn one(
    around: &mut Surroundings<'_, '_, '_>,
    filter: &HttpRouteFilter,
    path: &str,
    findings: &mut Findings,
) -> Result<Filter, Bad> {
    let HttpRouteFilter {
        r#type,
        request_header_modifier,
        response_header_modifier,
        request_mirror,
        request_redirect,
        url_rewrite,
        cors,
        external_auth,
        extension_ref,
    } = filter;
    let absent = || Bad::value(format!("type is {}, but its settings are missing", filter.r#type));
    match r#type {
        HttpRouteFilterType::RequestHeaderModifier => {
            header_modifier::read(request_header_modifier.as_ref().ok_or_else(absent)?).map(Filter::RequestHeaders)
        }
        HttpRouteFilterType::ResponseHeaderModifier => {
            header_modifier::read(response_header_modifier.as_ref().ok_or_else(absent)?).map(Filter::ResponseHeaders)
        }
        HttpRouteFilterType::RequestMirror => {
            let mirror = request_mirror.as_ref().ok_or_else(absent)?;
            Ok(Filter::Mirror(mirror::read(around, mirror, path, findings)?))
        }
        HttpRouteFilterType::RequestRedirect => {
            redirect::read(around, request_redirect.as_ref().ok_or_else(absent)?).map(Filter::Redirect)
        }
        HttpRouteFilterType::UrlRewrite => {
            rewrite::read(around, url_rewrite.as_ref().ok_or_else(absent)?).map(Filter::Rewrite)
        }
        HttpRouteFilterType::Cors => cors::read(cors.as_ref().ok_or_else(absent)?).map(Filter::Cors),
        HttpRouteFilterType::ExternalAuth => {
            let auth = external_auth.as_ref().ok_or_else(absent)?;
            if around.of_backend {
                return Err(Bad::value("ExternalAuth is for rules and listeners; move it to the rule"));
            }
            external_auth::read(around.resolver, auth, &format!("{path}.externalAuth"), findings)
                .map(Filter::ExternalAuth)
        }
        HttpRouteFilterType::ExtensionRef => Err(unsupported::extension(extension_ref.as_ref())),
        HttpRouteFilterType::Other(kind) => Err(unsupported::unknown(kind)),
    }
}

/// `path` of redirects and rewrites.
fn path_rewrite(around: &Surroundings<'_, '_, '_>, modifier: &HttpPathModifier) -> Result<PathRewrite, Bad> {
    let HttpPathModifier { r#type, replace_full_path, replace_prefix_match } = modifier;
    match r#type {
        HttpPathModifierType::ReplaceFullPath => {
            let path = replace_full_path.as_deref().ok_or_else(|| Bad::value("path.replaceFullPath is missing"))?;
            usable_path(path).map(PathRewrite::Full)
        }
        HttpPathModifierType::ReplacePrefixMatch => {
            let path =
                replace_prefix_match.as_deref().ok_or_else(|| Bad::value("path.replacePrefixMatch is missing"))?;
            if around.paths.iter().any(|kind| *kind != PathMatchType::PathPrefix) {
                return Err(Bad::value(
                    "path.type ReplacePrefixMatch needs a PathPrefix in every match of the rule; use ReplaceFullPath",
                ));
            }
            usable_path(path).map(PathRewrite::Prefix)
        }
    }
}

/// What may stand in a request line or a Location: no spaces, no control characters, nothing that is not ASCII.
fn usable_path(path: &str) -> Result<std::sync::Arc<str>, Bad> {
    match path.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(path.into()),
        false => Err(Bad::value(format!("path `{}` holds what no path can; percent-encode it", path.escape_debug()))),
    }
}
