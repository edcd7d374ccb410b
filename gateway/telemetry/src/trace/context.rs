//! Which trace a request belongs to, and whether it is recorded.

use super::Propagation;
use super::{b3, w3c};
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use std::fmt;

/// Whether a request is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is not.
    Drop,
    /// It is.
    Sample,
    /// It is, and so shall be everything behind it (B3 alone can say that).
    Debug,
}

impl Decision {
    pub(super) fn is_sampled(self) -> bool {
        match self {
            Self::Drop => false,
            Self::Sample | Self::Debug => true,
        }
    }
}

/// What a caller said of its trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Caller {
    /// The trace, and the span that the request is a child of. B3 may decide without them.
    pub(super) ids: Option<(TraceId, SpanId)>,
    /// `None` leaves it to us.
    pub(super) decision: Option<Decision>,
    /// `tracestate`, which is for others to read.
    pub(super) state: Option<HeaderValue>,
}

impl Caller {
    /// What the first of these formats says that says anything. What is broken counts as not there.
    pub(super) fn of(headers: &HeaderMap, formats: &[Propagation]) -> Option<Self> {
        formats.iter().find_map(|format| match format {
            Propagation::W3c => w3c::extract(headers),
            Propagation::B3 | Propagation::B3Multi => b3::extract(headers),
        })
    }
}

/// What is told to whoever is called next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub(super) trace_id: TraceId,
    /// The span that calls.
    pub(super) span_id: SpanId,
    /// The span above it, if it is recorded and has one.
    pub(super) parent: Option<SpanId>,
    pub(super) decision: Decision,
    pub(super) state: Option<HeaderValue>,
}

impl TraceContext {
    /// The trace, as 32 hexadecimal digits.
    pub fn trace_id(&self) -> impl fmt::Display + use<> {
        self.trace_id
    }

    /// Whether the request is recorded.
    pub fn is_sampled(&self) -> bool {
        self.decision.is_sampled()
    }

    /// As log records carry it.
    pub(crate) fn on_the_wire(&self) -> (TraceId, SpanId, TraceFlags) {
        (self.trace_id, self.span_id, TraceFlags::NOT_SAMPLED.with_sampled(self.is_sampled()))
    }

    /// That of a span under this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: random_span_id(), parent: Some(self.span_id), ..self.clone() }
    }

    /// The headers that say it; those without a value must not be there.
    pub(super) fn headers(&self, formats: &[Propagation], mut each: impl FnMut(HeaderName, Option<HeaderValue>)) {
        for format in formats {
            match format {
                Propagation::W3c => w3c::inject(self, &mut each),
                Propagation::B3 => b3::inject_single(self, &mut each),
                Propagation::B3Multi => b3::inject_multi(self, &mut each),
            }
        }
    }
}

/// 128 random bits that are not all zero.
pub(super) fn random_trace_id() -> TraceId {
    TraceId::from_bytes(rand::random::<u128>().max(1).to_be_bytes())
}

/// 64 random bits that are not all zero.
pub(super) fn random_span_id() -> SpanId {
    SpanId::from_bytes(rand::random::<u64>().max(1).to_be_bytes())
}

/// Reads `2 * N` lower-case hexadecimal digits that are not all zero. Nothing else is an id.
pub(super) fn id<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let bytes: [u8; N] = hex(digits)?;
    bytes.iter().any(|byte| *byte != 0).then_some(bytes)
}

/// Reads `2 * N` lower-case hexadecimal digits.
pub(super) fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

/// The value of a header that is there once and is not longer than this.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName, limit: usize) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.as_bytes();
    (values.next().is_none() && value.len() <= limit).then_some(value)
}

/// A value that we have written ourselves.
pub(super) fn written(text: String) -> Option<HeaderValue> {
    // Digits and dashes always are one.
    HeaderValue::try_from(text).ok()
}
