//! What a request asks of the answer, parsed once: by query parameter, or by `x-echo-…` header.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use thiserror::Error;

use crate::limits::{MAX_BODY, MAX_CHUNKS, MAX_KNOB_HEADERS, MAX_PAUSE};

const PREFIX: &str = "x-echo-";

/// A wish that cannot be granted. The client is to blame; the text says what would do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{knob}={value}: wants {wants}")]
pub(crate) struct KnobError {
    pub(crate) knob: String,
    pub(crate) value: String,
    pub(crate) wants: &'static str,
}

/// How a request is left without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abort {
    /// HTTP/1.1 closes the connection, HTTP/2 resets the stream.
    Close,
    /// TCP RST.
    Reset,
    /// As `Close`, after half of the body.
    Body,
}

/// The first so many requests with a key misbehave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fail {
    pub(crate) times: u64,
    pub(crate) key: String,
}

/// How a request misbehaves, if it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) status: Option<StatusCode>,
    pub(crate) grpc_status: Option<u8>,
    pub(crate) delay: Duration,
    pub(crate) hold: Option<String>,
    pub(crate) abort: Option<Abort>,
}

/// What the body is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Content {
    /// The report of the request.
    #[default]
    Report,
    /// So many bytes of [`pattern`](crate::pattern).
    Pattern(u64),
    /// The request's body.
    Request,
}

/// Everything that one request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Knobs {
    pub(crate) trouble: Trouble,
    pub(crate) fail: Option<Fail>,
    pub(crate) content: Content,
    pub(crate) read: bool,
    pub(crate) chunks: u32,
    pub(crate) interval: Duration,
    pub(crate) hold_body: Option<String>,
    pub(crate) trailers: bool,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            trouble: Trouble::default(),
            fail: None,
            content: Content::default(),
            read: true,
            chunks: 1,
            interval: Duration::ZERO,
            hold_body: None,
            trailers: false,
            headers: Vec::new(),
        }
    }
}

impl Knobs {
    /// Reads the headers first, so that the query wins.
    pub(crate) fn parse(uri: &Uri, headers: &HeaderMap) -> Result<Self, KnobError> {
        let mut knobs = Self::default();
        let mut key = None;
        let mut times = None;
        for (name, value) in wishes(uri, headers) {
            match &*name {
                "key" => key = Some(value.into_owned()),
                "fail" => times = Some(number(&name, &value, 1, 1_000_000)?),
                _ => knobs.set(&name, &value)?,
            }
        }
        knobs.fail = times.map(|times| Fail { times, key: key.unwrap_or_else(|| uri.path().to_owned()) });
        Ok(knobs)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), KnobError> {
        match name {
            "status" => self.trouble.status = Some(status(name, value)?),
            "grpc-status" => self.trouble.grpc_status = Some(number(name, value, 0, 16)?),
            "delay" => self.trouble.delay = pause(name, value)?,
            "hold" => self.trouble.hold = Some(gate(name, value)?),
            "abort" => self.trouble.abort = abort(name, value)?,
            "size" => self.content = Content::Pattern(number(name, value, 0, MAX_BODY)?),
            "echo" if value == "body" => self.content = Content::Request,
            "echo" => return Err(wants(name, value, "body")),
            "read" => self.read = switch(name, value)?,
            "chunks" => self.chunks = number(name, value, 1, MAX_CHUNKS)?,
            "interval" => self.interval = pause(name, value)?,
            "hold-body" => self.hold_body = Some(gate(name, value)?),
            "trailers" => self.trailers = switch(name, value)?,
            "header" => self.add_header(name, value)?,
            // Anything else is the client's own.
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn add_header(&mut self, knob: &str, line: &str) -> Result<(), KnobError> {
        const WANTS: &str = "name:value, at most 64 of them, none that frames the body";
        let (name, value) = line.split_once(':').ok_or_else(|| wants(knob, line, WANTS))?;
        let name = HeaderName::from_str(name.trim()).map_err(|_| wants(knob, line, WANTS))?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| wants(knob, line, WANTS))?;
        // Those belong to the server: a wrong one would spoil the connection for the next request.
        let frames = name == header::CONTENT_LENGTH || name == header::TRANSFER_ENCODING;
        if frames || self.headers.len() >= MAX_KNOB_HEADERS {
            return Err(wants(knob, line, WANTS));
        }
        self.headers.push((name, value));
        Ok(())
    }
}

fn wishes<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
    let by_header = headers.iter().filter_map(|(name, value)| {
        let knob = name.as_str().strip_prefix(PREFIX)?;
        Some((Cow::Borrowed(knob), String::from_utf8_lossy(value.as_bytes())))
    });
    let by_query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    by_header.chain(by_query)
}

pub(crate) fn wants(knob: &str, value: &str, wants: &'static str) -> KnobError {
    KnobError { knob: knob.to_owned(), value: value.to_owned(), wants }
}

pub(crate) fn status(knob: &str, value: &str) -> Result<StatusCode, KnobError> {
    const WANTS: &str = "a status from 200 to 599";
    let code = StatusCode::from_str(value).map_err(|_| wants(knob, value, WANTS))?;
    if (200..=599).contains(&code.as_u16()) { Ok(code) } else { Err(wants(knob, value, WANTS)) }
}

pub(crate) fn number<N>(knob: &str, value: &str, least: N, most: N) -> Result<N, KnobError>
where
    N: FromStr + PartialOrd + Copy,
{
    match value.parse() {
        Ok(number) if least <= number && number <= most => Ok(number),
        Ok(_) | Err(_) => Err(wants(knob, value, "a whole number within its limit")),
    }
}

/// `250ms`, `2s`, `1.5s`, `100us`.
pub(crate) fn pause(knob: &str, value: &str) -> Result<Duration, KnobError> {
    const WANTS: &str = "a time such as 200ms or 1.5s, at most 60s";
    let split = value.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(|| wants(knob, value, WANTS))?;
    let (count, unit) = value.split_at(split);
    let count: f64 = count.parse().map_err(|_| wants(knob, value, WANTS))?;
    let seconds = match unit {
        "us" => count / 1e6,
        "ms" => count / 1e3,
        "s" => count,
        "m" => count * 60.0,
        _ => return Err(wants(knob, value, WANTS)),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(pause) if pause <= MAX_PAUSE => Ok(pause),
        Ok(_) | Err(_) => Err(wants(knob, value, WANTS)),
    }
}

fn switch(knob: &str, value: &str) -> Result<bool, KnobError> {
    match value {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(wants(knob, value, "1 or 0")),
    }
}

fn gate(knob: &str, value: &str) -> Result<String, KnobError> {
    if value.is_empty() { Err(wants(knob, value, "the name of a gate")) } else { Ok(value.to_owned()) }
}

fn abort(knob: &str, value: &str) -> Result<Option<Abort>, KnobError> {
    match value {
        "1" | "true" | "close" => Ok(Some(Abort::Close)),
        "reset" => Ok(Some(Abort::Reset)),
        "body" => Ok(Some(Abort::Body)),
        "0" | "false" => Ok(None),
        _ => Err(wants(knob, value, "close, reset or body")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(query: &str, headers: &[(&'static str, &'static str)]) -> Result<Knobs, KnobError> {
        let uri: Uri = format!("/some/path?{query}").parse().unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Knobs::parse(&uri, &headers)
    }

    #[test]
    fn the_query_wins_over_headers_and_strangers_are_ignored() {
        let knobs = parse("status=503&animal=whale", &[("x-echo-status", "404"), ("x-echo-size", "7")]).unwrap();
        assert_eq!(knobs.trouble.status, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(knobs.content, Content::Pattern(7));
    }

    #[test]
    fn fail_counts_by_the_path_unless_a_key_is_named() {
        let fail = |query| parse(query, &[]).unwrap().fail.unwrap();
        assert_eq!(fail("fail=2"), Fail { times: 2, key: "/some/path".to_owned() });
        assert_eq!(fail("key=a%20b&fail=2"), Fail { times: 2, key: "a b".to_owned() });
    }

    #[test]
    fn times_have_units_and_a_limit() {
        let delay = |query| parse(query, &[]).map(|knobs| knobs.trouble.delay);
        assert_eq!(delay("delay=200ms").unwrap(), Duration::from_millis(200));
        assert_eq!(delay("delay=1.5s").unwrap(), Duration::from_millis(1500));
        assert_eq!(delay("delay=1m").unwrap(), Duration::from_secs(60));
        for bad in ["delay=200", "delay=-1s", "delay=61s", "delay=NaNs", "delay=1h", "delay="] {
            assert!(delay(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_would_do() {
        for bad in [
            "status=99",
            "status=101",
            "status=600",
            "size=67108865",
            "size=-1",
            "chunks=0",
            "chunks=1001",
            "abort=maybe",
            "trailers=yes",
            "header=novalue",
            "header=bad%20name:x",
            "hold=",
            "echo=loud",
            "grpc-status=17",
            "fail=0",
        ] {
            assert!(parse(bad, &[]).is_err(), "{bad}");
        }
        let told = parse("status=teapot", &[]).unwrap_err().to_string();
        assert_eq!(told, "status=teapot: wants a status from 200 to 599");
    }
}
