//! The requests of the Gateway API conformance suite, said in our knobs.
//!
//! The suite steers its backends by path: `/status/503` answers with that status, `/retry/…?uuid=U&succeedAfter=N` fails
//! the first N requests of U (with `responseCode`, or by TCP RST; after `delayRetry`), `/health` answers 200. The header
//! `X-Echo-Set-Header: name:value,…` sets response headers.

use http::{HeaderMap, Uri};

use crate::knobs::{Abort, Fail, KnobError, Knobs, number, pause, status, wants};

const SET_HEADER: &str = "x-echo-set-header";

/// Adds to `knobs` what the suite means by this request.
pub(crate) fn apply(uri: &Uri, headers: &HeaderMap, knobs: &mut Knobs) -> Result<(), KnobError> {
    for lines in headers.get_all(SET_HEADER) {
        let lines = String::from_utf8_lossy(lines.as_bytes());
        // The suite always sends the header, mostly empty.
        for line in lines.split(',').filter(|line| !line.trim().is_empty()) {
            knobs.add_header(SET_HEADER, line)?;
        }
    }
    if let Some(code) = uri.path().strip_prefix("/status/") {
        knobs.trouble.status = Some(status("/status/", code)?);
    }
    if uri.path().starts_with("/retry/") {
        retry(uri, knobs)?;
    }
    Ok(())
}

fn retry(uri: &Uri, knobs: &mut Knobs) -> Result<(), KnobError> {
    let mut key = None;
    let mut times = None;
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match &*name {
            "uuid" => key = Some(value.into_owned()),
            "succeedAfter" => times = Some(number::<u64>(&name, &value, 0, 1_000_000)?),
            "responseCode" => knobs.trouble.status = Some(status(&name, &value)?),
            "delayRetry" => knobs.trouble.delay = pause(&name, &value)?,
            _ => {}
        }
    }
    let key = key.ok_or_else(|| wants("uuid", "", "a key for /retry/"))?;
    let times = times.ok_or_else(|| wants("succeedAfter", "", "a number of failures for /retry/"))?;
    if knobs.trouble.status.is_none() {
        knobs.trouble.abort = Some(Abort::Reset);
    }
    knobs.fail = Some(Fail { times, key });
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use http::StatusCode;

    use super::*;

    fn knobs(target: &str) -> Result<Knobs, KnobError> {
        let uri: Uri = target.parse().unwrap();
        let mut knobs = Knobs::default();
        apply(&uri, &HeaderMap::new(), &mut knobs)?;
        Ok(knobs)
    }

    #[test]
    fn retry_resets_unless_it_names_a_status() {
        let reset = knobs("/retry/x?uuid=u&succeedAfter=2&delayRetry=300ms").unwrap();
        assert_eq!(reset.trouble.abort, Some(Abort::Reset));
        assert_eq!(reset.trouble.delay, Duration::from_millis(300));
        assert_eq!(reset.fail, Some(Fail { times: 2, key: "u".to_owned() }));

        let answered = knobs("/retry/x?uuid=u&succeedAfter=2&responseCode=502").unwrap();
        assert_eq!(answered.trouble.abort, None);
        assert_eq!(answered.trouble.status, Some(StatusCode::BAD_GATEWAY));
        assert!(knobs("/retry/x?succeedAfter=2").is_err(), "a key is needed");
    }

    #[test]
    fn set_header_takes_a_list_and_an_empty_value() {
        let uri = Uri::from_static("/");
        let mut headers = HeaderMap::new();
        headers.insert(SET_HEADER, "a:1, b:2".parse().unwrap());
        headers.append(SET_HEADER, "".parse().unwrap());
        let mut knobs = Knobs::default();
        apply(&uri, &headers, &mut knobs).unwrap();
        let names: Vec<_> = knobs.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
