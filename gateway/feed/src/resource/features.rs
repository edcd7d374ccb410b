//! What the other side must understand.

use std::sync::Arc;

/// Something in a resource that may not be passed over by who does not know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it is called, for ever.
    pub feature: Arc<str>,
    /// The position of the only rule that has it; `None` if all of the resource fails closed without it, as when it says
    /// what is matched.
    pub rule: Option<u32>,
}

/// What this program understands beyond the first version of the protocol. A change to the snapshot that narrows what is
/// served, in a field that an older data plane would pass over, gets a name here and is asked for in `encode`.
const UNDERSTOOD: &[&str] = &[LISTENER_FILTERS, EGRESS_LIMITS, EGRESS_ROUTES, EGRESS_SOURCES];

/// Filters of listeners: one who does not know them would let in whom they keep out.
pub(super) const LISTENER_FILTERS: &str = "listener-filters";

/// Limits of egress rules: one who does not know them would let leave what they bound.
pub(super) const EGRESS_LIMITS: &str = "egress-limits";

/// Routes of egress Gateways: one who does not know that what they carry leaves would ask no policy.
pub(super) const EGRESS_ROUTES: &str = "egress-routes";

/// Several source addresses of egress rules, and networks of them: one who knows no more than one address would leave from none
/// that others have, or would not read the policy at all.
pub(super) const EGRESS_SOURCES: &str = "egress-sources";

impl Need {
    /// All of a resource needs this.
    pub(super) fn whole(feature: &'static str) -> Self {
        Self { feature: feature.into(), rule: None }
    }

    pub(crate) fn is_met(&self) -> bool {
        UNDERSTOOD.contains(&&*self.feature)
    }

    pub(crate) fn why(&self) -> String {
        format!("it needs `{}`, which this data plane does not know: it is older than its control plane", self.feature)
    }
}
