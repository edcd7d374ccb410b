//! `requestHeaderModifier` and `responseHeaderModifier`.

use super::Bad;
use http::header::{HeaderName, HeaderValue};
use lychgate_api::gateway::{HttpHeader, HttpHeaderFilter};
use lychgate_ir::filter::HeaderModifier;
use std::collections::BTreeMap;

/// What frames a message or belongs to one connection (RFC 9110 section 7.6.1): not for filters to change.
pub(crate) const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Within one list the first of a name counts. A name in two lists is a contradiction, which the API calls invalid.
pub(super) fn read(filter: &HttpHeaderFilter) -> Result<HeaderModifier, Bad> {
    let HttpHeaderFilter { set, add, remove } = filter;
    let mut used: BTreeMap<String, &'static str> = BTreeMap::new();
    let modifier = HeaderModifier {
        set: pairs("set", set, &mut used)?,
        add: pairs("add", add, &mut used)?,
        remove: {
            let mut names = Vec::with_capacity(remove.len());
            for text in remove {
                let name = name("remove", text)?;
                if name == http::header::HOST {
                    return Err(Bad::value("remove: Host cannot be removed; set it, or rewrite the hostname"));
                }
                if fresh(&name, "remove", &mut used)? {
                    names.push(name);
                }
            }
            names
        },
    };
    Ok(modifier)
}

fn pairs(
    list: &'static str,
    headers: &[HttpHeader],
    used: &mut BTreeMap<String, &'static str>,
) -> Result<Vec<(HeaderName, HeaderValue)>, Bad> {
    let mut pairs = Vec::with_capacity(headers.len());
    for header in headers {
        let name = name(list, &header.name)?;
        let value = HeaderValue::from_str(&header.value)
            .map_err(|_| Bad::value(format!("{list}: the value of {name} is no header value")))?;
        if name == http::header::HOST && http::uri::Authority::try_from(header.value.as_str()).is_err() {
            return Err(Bad::value(format!("{list}: Host cannot be `{}`; give a host name", header.value)));
        }
        if fresh(&name, list, used)? {
            pairs.push((name, value));
        }
    }
    Ok(pairs)
}

fn name(list: &str, text: &str) -> Result<HeaderName, Bad> {
    let name = HeaderName::try_from(text).map_err(|_| Bad::value(format!("{list}: `{text}` is no header name")))?;
    if FRAMING.contains(&name.as_str()) {
        return Err(Bad::value(format!("{list}: {name} frames messages and is not for filters to change")));
    }
    Ok(name)
}

/// Whether a name is new.
fn fresh(name: &HeaderName, list: &'static str, used: &mut BTreeMap<String, &'static str>) -> Result<bool, Bad> {
    match used.insert(name.as_str().to_owned(), list) {
        None => Ok(true),
        Some(before) if before == list => Ok(false),
        Some(before) => Err(Bad::value(format!("{name} is in {before} and in {list}; keep one action a header"))),
    }
}
