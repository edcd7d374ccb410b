//! Which requests are copied (HTTPRoute `requestMirror`). The copies themselves are sent by the engine.

use lychgate_ir::Target;
use lychgate_ir::filter::{Fraction, Mirror};

/// Whether a mirror can ever copy anything: a broken target copies nothing, and is no fault of the request.
pub(crate) fn is_live(mirror: &Mirror) -> bool {
    let Mirror { target, share } = mirror;
    match target {
        Target::Backend(_) => share.numerator > 0,
        Target::Broken(_) => false,
    }
}

/// Whether a request is in the share, for a number drawn evenly from all of `u64`.
pub fn sampled(share: Fraction, random: u64) -> bool {
    let Fraction { numerator, denominator } = share;
    // The high half of the product is even over 0..denominator, without the division of a remainder.
    let drawn = (u128::from(random) * u128::from(denominator.max(1))) >> 64;
    drawn < u128::from(numerator)
}
