//! What a service has decided.

use lychgate_filters::external_auth::{Denial, ResponseEdits};
use lychgate_ir::BackendId;

/// A yes, or a no.
pub(in crate::proxy) enum Ruling {
    /// The request may pass; these are for its response.
    Granted(ResponseEdits),
    /// It may not, this service says.
    Denied(BackendId, Denial),
}
