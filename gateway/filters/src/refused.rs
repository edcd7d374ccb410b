//! Filters that cannot be done: they answer for their rule, so that nothing goes around them.

use lychgate_ir::{Refusal, RefusalReason};

/// A value of a filter that cannot be used.
pub(crate) fn unsupported(message: impl Into<String>) -> Refusal {
    Refusal::internal(RefusalReason::UnsupportedValue, message.into())
}

/// Filters that cannot stand together.
pub(crate) fn cannot_be_combined(message: impl Into<String>) -> Refusal {
    Refusal::internal(RefusalReason::UnsupportedFilter, message.into())
}
