//! B3 (<https://github.com/openzipkin/b3-propagation>): one header, `b3`, or several, `X-B3-*`.

use super::context::{Caller, Decision, TraceContext, id, single, written};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanId, TraceId};

const B3: HeaderName = HeaderName::from_static("b3");
const TRACE_ID: HeaderName = HeaderName::from_static("x-b3-traceid");
const SPAN_ID: HeaderName = HeaderName::from_static("x-b3-spanid");
const PARENT_SPAN_ID: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// Longer than the longest value: two ids of a trace and two of spans.
const LIMIT: usize = 128;

/// What the caller says, in one header or in several. One wins, as everybody has it.
pub(super) fn extract(headers: &HeaderMap) -> Option<Caller> {
    extract_single(headers).or_else(|| extract_multi(headers))
}

/// `traceid-spanid[-decision[-parentid]]`, or the decision alone.
fn extract_single(headers: &HeaderMap) -> Option<Caller> {
    let text = single(headers, &B3, LIMIT)?;
    if let Some(decision) = decision(text) {
        return Some(Caller { decision: Some(decision), ..Caller::default() });
    }
    let mut fields = text.split(|byte| *byte == b'-');
    let ids = (trace_id(fields.next()?)?, span_id(fields.next()?)?);
    let decision = match fields.next() {
        Some(text) => Some(decision(text)?),
        None => None,
    };
    // The parent of the caller's span is nothing to us, but has to be one.
    let is_whole = fields.next().is_none_or(|parent| span_id(parent).is_some()) && fields.next().is_none();
    is_whole.then_some(Caller { ids: Some(ids), decision, state: None })
}

fn extract_multi(headers: &HeaderMap) -> Option<Caller> {
    let ids = match (single(headers, &TRACE_ID, LIMIT), single(headers, &SPAN_ID, LIMIT)) {
        (Some(trace), Some(span)) => Some((trace_id(trace)?, span_id(span)?)),
        _ => None,
    };
    let decision = match (single(headers, &FLAGS, LIMIT), single(headers, &SAMPLED, LIMIT)) {
        (Some(b"1"), _) => Some(Decision::Debug),
        (_, Some(b"1" | b"true")) => Some(Decision::Sample),
        (_, Some(b"0" | b"false")) => Some(Decision::Drop),
        (_, _) => None,
    };
    (ids.is_some() || decision.is_some()).then_some(Caller { ids, decision, state: None })
}

fn decision(text: &[u8]) -> Option<Decision> {
    match text {
        b"0" => Some(Decision::Drop),
        b"1" => Some(Decision::Sample),
        b"d" => Some(Decision::Debug),
        _ => None,
    }
}

/// Of 128 bits, or of 64 as it was once.
fn trace_id(digits: &[u8]) -> Option<TraceId> {
    if let Some(bytes) = id::<8>(digits) {
        return Some(TraceId::from_bytes(u128::from(u64::from_be_bytes(bytes)).to_be_bytes()));
    }
    id::<16>(digits).map(TraceId::from_bytes)
}

fn span_id(digits: &[u8]) -> Option<SpanId> {
    id::<8>(digits).map(SpanId::from_bytes)
}

pub(super) fn inject_single(context: &TraceContext, each: &mut impl FnMut(HeaderName, Option<HeaderValue>)) {
    let decision = match context.decision {
        Decision::Drop => '0',
        Decision::Sample => '1',
        Decision::Debug => 'd',
    };
    each(B3, written(format!("{}-{}-{decision}", context.trace_id, context.span_id)));
}

pub(super) fn inject_multi(context: &TraceContext, each: &mut impl FnMut(HeaderName, Option<HeaderValue>)) {
    // A debug decision says that it is sampled, too.
    let (sampled, flags) = match context.decision {
        Decision::Drop => (Some("0"), None),
        Decision::Sample => (Some("1"), None),
        Decision::Debug => (None, Some("1")),
    };
    each(TRACE_ID, written(context.trace_id.to_string()));
    each(SPAN_ID, written(context.span_id.to_string()));
    // May be left out, and the caller's would be wrong.
    each(PARENT_SPAN_ID, None);
    each(SAMPLED, sampled.map(HeaderValue::from_static));
    each(FLAGS, flags.map(HeaderValue::from_static));
}
