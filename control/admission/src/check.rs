//! What API servers check in code, because schemas cannot say it.

mod endpoints;
mod metadata;

pub(crate) use endpoints::check_endpoints;
pub(crate) use metadata::check_metadata;
