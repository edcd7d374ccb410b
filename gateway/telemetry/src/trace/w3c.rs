//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>): `traceparent` and `tracestate`.

use super::context::{Caller, Decision, TraceContext, hex, id, single, written};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanId, TraceId};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Later versions may append to the 55 characters of version 00; nothing is that long today.
const PARENT_LIMIT: usize = 512;

/// What everybody has to carry at least (section 3.3.1.5); more is not carried.
const STATE_LIMIT: usize = 512;

/// List members of `tracestate` (section 3.3.1.1).
const STATE_MEMBERS: usize = 32;

/// The bit of the flags that says that the caller is recorded.
const SAMPLED: u8 = 1;

/// What the caller says. A broken `tracestate` is lost, and nothing else with it (section 3.4).
pub(super) fn extract(headers: &HeaderMap) -> Option<Caller> {
    let (trace_id, span_id, flags) = parse(single(headers, &TRACEPARENT, PARENT_LIMIT)?)?;
    let decision = if flags & SAMPLED == 0 { Decision::Drop } else { Decision::Sample };
    Some(Caller { ids: Some((trace_id, span_id)), decision: Some(decision), state: state(headers) })
}

/// `version-traceid-parentid-flags`. Versions after 00 begin as 00 does.
fn parse(text: &[u8]) -> Option<(TraceId, SpanId, u8)> {
    let (known, more) = text.split_at_checked(55)?;
    let mut fields = known.split(|byte| *byte == b'-');
    let [version] = hex::<1>(fields.next()?)?;
    let trace_id = id::<16>(fields.next()?)?;
    let span_id = id::<8>(fields.next()?)?;
    let [flags] = hex::<1>(fields.next()?)?;
    let is_whole = match version {
        0 => more.is_empty(),
        0xff => false,
        _ => more.is_empty() || more.starts_with(b"-"),
    };
    is_whole.then_some((TraceId::from_bytes(trace_id), SpanId::from_bytes(span_id), flags))
}

/// `tracestate` in one line, if all of it is as it should be.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(TRACESTATE).iter();
    let first = lines.next()?;
    let state = match lines.next() {
        None => first.clone(),
        Some(second) => {
            let mut joined = first.as_bytes().to_vec();
            for line in std::iter::once(second).chain(lines) {
                if joined.len() + line.len() > STATE_LIMIT {
                    return None;
                }
                joined.push(b',');
                joined.extend_from_slice(line.as_bytes());
            }
            HeaderValue::from_bytes(&joined).ok()?
        }
    };
    let bytes = state.as_bytes();
    let mut members = bytes.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty());
    let are_good = bytes.len() <= STATE_LIMIT && members.by_ref().take(STATE_MEMBERS).all(is_member);
    (are_good && members.next().is_none()).then_some(state)
}

/// `key=value` (section 3.3.1.3).
fn is_member(member: &[u8]) -> bool {
    let Some(equals) = member.iter().position(|byte| *byte == b'=') else { return false };
    let (key, value) = member.split_at(equals);
    let is_key = |byte: &u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    let is_value = |byte: &u8| matches!(byte, 0x20..=0x7e) && *byte != b'=';
    let value = value.get(1..).unwrap_or_default();
    (1..=256).contains(&key.len())
        && key.first().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit())
        && key.iter().all(is_key)
        && (1..=256).contains(&value.len())
        && value.iter().all(is_value)
}

pub(super) fn inject(context: &TraceContext, each: &mut impl FnMut(HeaderName, Option<HeaderValue>)) {
    let flags = u8::from(context.is_sampled());
    each(TRACEPARENT, written(format!("00-{}-{}-{flags:02x}", context.trace_id, context.span_id)));
    // That of another trace must not go with ours.
    each(TRACESTATE, context.state.clone());
}
