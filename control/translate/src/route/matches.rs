//! `matches`: conditions on requests.

use http::header::HeaderName;
use lychgate_api::gateway::{
    HeaderMatchType, HttpHeaderMatch, HttpPathMatch, HttpQueryParamMatch, HttpRouteMatch, PathMatchType,
    QueryParamMatchType,
};
use lychgate_ir::{HeaderMatch, Match, PathMatch, QueryMatch, ValueMatch};
use std::sync::Arc;

/// What one compiled expression may take. The data plane sets the same limit.
const REGEX_SIZE: usize = 1 << 20;

/// Reads one alternative. One that makes no sense matches nothing.
pub(super) fn read(wanted: &HttpRouteMatch) -> Result<Match, String> {
    let HttpRouteMatch { path, headers, query_params, method } = wanted;
    Ok(Match {
        path: read_path(path)?,
        method: method.map(|method| method.as_str().into()),
        headers: read_headers(headers)?,
        query: read_query(query_params)?,
    })
}

fn read_path(path: &HttpPathMatch) -> Result<PathMatch, String> {
    let HttpPathMatch { r#type, value } = path;
    Ok(match r#type {
        PathMatchType::Exact => PathMatch::Exact(value.as_str().into()),
        PathMatchType::PathPrefix => PathMatch::Prefix(value.trim_end_matches('/').into()),
        PathMatchType::RegularExpression => PathMatch::Regex(regex("path.value", value)?),
    })
}

/// Of several conditions on one name the first counts.
pub(super) fn read_headers(headers: &[HttpHeaderMatch]) -> Result<Vec<HeaderMatch>, String> {
    let mut read: Vec<HeaderMatch> = Vec::with_capacity(headers.len());
    for (index, HttpHeaderMatch { r#type, name, value }) in headers.iter().enumerate() {
        let name = HeaderName::try_from(name.as_str())
            .map_err(|_| format!("headers[{index}].name: `{name}` is no header name"))?;
        if read.iter().any(|known| known.name == name) {
            continue;
        }
        let value = match r#type {
            HeaderMatchType::Exact => ValueMatch::Exact(value.as_str().into()),
            HeaderMatchType::RegularExpression => ValueMatch::Regex(regex(&format!("headers[{index}].value"), value)?),
        };
        read.push(HeaderMatch { name, value });
    }
    read.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    Ok(read)
}

fn read_query(params: &[HttpQueryParamMatch]) -> Result<Vec<QueryMatch>, String> {
    let mut read: Vec<QueryMatch> = Vec::with_capacity(params.len());
    for (index, HttpQueryParamMatch { r#type, name, value }) in params.iter().enumerate() {
        if read.iter().any(|known| *known.name == **name) {
            continue;
        }
        let value = match r#type {
            QueryParamMatchType::Exact => ValueMatch::Exact(value.as_str().into()),
            QueryParamMatchType::RegularExpression => {
                ValueMatch::Regex(regex(&format!("queryParams[{index}].value"), value)?)
            }
        };
        read.push(QueryMatch { name: name.as_str().into(), value });
    }
    read.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(read)
}

pub(super) fn regex(path: &str, text: &str) -> Result<Arc<str>, String> {
    let build = |text: &str| regex::bytes::RegexBuilder::new(text).size_limit(REGEX_SIZE).build();
    // On its own first: `a)|(b` becomes valid within the anchors.
    build(text).and_then(|_| build(&format!(r"\A(?:{text})\z"))).map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("{path}: `{text}` takes more than {limit} bytes when compiled; repeat less")
        }
        // The message of the library is a drawing of several lines; its last says what is wrong.
        error => {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            format!("{path}: `{text}` is no RE2 expression: {}", last.trim_start_matches("error: "))
        }
    })?;
    Ok(text.into())
}
