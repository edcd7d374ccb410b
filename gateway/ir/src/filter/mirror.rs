use crate::Target;
use serde::{Deserialize, Serialize};

/// Sends a copy to another backend and ignores its answer (HTTPRoute `requestMirror`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// Where the copy goes. A broken target mirrors nothing: the request itself is not at fault.
    pub target: Target,
    /// The share of requests that is copied.
    pub share: Fraction,
}

/// A share: `numerator` of `denominator`, which is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fraction {
    /// At most the denominator.
    pub numerator: u32,
    /// At least 1.
    pub denominator: u32,
}

impl Fraction {
    /// Everything.
    pub const ALL: Self = Self { numerator: 1, denominator: 1 };
}
