//! `requestMirror`.

use super::{Bad, Surroundings};
use crate::route::finding::Findings;
use lychgate_api::gateway::HttpRequestMirrorFilter;
use lychgate_ir::filter::{Fraction, Mirror};

/// A target that leads nowhere is left out of the mirroring, with a condition: the request itself is not at fault.
pub(super) fn read(
    around: &mut Surroundings<'_, '_, '_>,
    filter: &HttpRequestMirrorFilter,
    path: &str,
    findings: &mut Findings,
) -> Result<Mirror, Bad> {
    let HttpRequestMirrorFilter { backend_ref, percent, fraction } = filter;
    let share = match (percent, fraction) {
        (Some(percent), _) => Fraction { numerator: u32::from(*percent), denominator: 100 },
        (None, Some(fraction)) => Fraction { numerator: fraction.numerator, denominator: fraction.denominator },
        (None, None) => Fraction::ALL,
    };
    if share.denominator == 0 || share.numerator > share.denominator {
        return Err(Bad::value(format!("a share of {}/{} cannot be mirrored", share.numerator, share.denominator)));
    }
    let target = around.resolver.target(backend_ref, &format!("{path}.requestMirror.backendRef"), findings);
    Ok(Mirror { target, share })
}
