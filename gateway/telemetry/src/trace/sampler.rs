//! Which traces are recorded that no caller has decided for: a share of them. A trace is decided by its id, so that all
//! who ask get one answer (OpenTelemetry's `parentbased_traceidratio`).

use super::context::Decision;
use opentelemetry::trace::TraceId;
use std::fmt;
use std::str::FromStr;

/// A share of all traces, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRate(f64);

/// Not from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRate;

impl fmt::Display for NoRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rate is a number from 0 (none) to 1 (all)")
    }
}

impl std::error::Error for NoRate {}

impl SampleRate {
    /// Every trace.
    pub const ALL: Self = Self(1.0);

    /// A share.
    ///
    /// # Errors
    /// What is not from 0 to 1.
    pub fn new(share: f64) -> Result<Self, NoRate> {
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(NoRate) }
    }

    /// The ids below it are sampled, by their lower 63 bits.
    fn bound(self) -> u64 {
        // 2^63 is exact as a float; the cast saturates.
        (self.0 * 9_223_372_036_854_775_808.0) as u64
    }

    /// Decides for a trace that nobody has decided for.
    pub(super) fn decide(self, trace: TraceId) -> Decision {
        let [.., a, b, c, d, e, f, g, h] = trace.to_bytes();
        let lower = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        if lower < self.bound() { Decision::Sample } else { Decision::Drop }
    }
}

impl FromStr for SampleRate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        Self::new(text.parse().map_err(|_| NoRate)?)
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
