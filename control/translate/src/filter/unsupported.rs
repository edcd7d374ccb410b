//! Filters that this version does not have. The rule refuses: a filter that is passed over might have kept someone out.

use super::Bad;
use crate::status::reason;
use lychgate_api::gateway::LocalObjectReference;

/// A reference to a filter of some implementation; there is none that we know.
pub(super) fn extension(reference: Option<&LocalObjectReference>) -> Bad {
    let message = match reference {
        Some(LocalObjectReference { group, kind, name }) => {
            format!("{kind}.{group} {name} is no filter that Lychgate knows; requests are refused")
        }
        None => "extensionRef is missing; requests are refused".to_owned(),
    };
    Bad { reason: reason::INVALID_KIND, unresolved: true, message }
}

pub(super) fn unknown(kind: &str) -> Bad {
    Bad::value(format!("filters of type {kind} are not supported by this version; requests are refused"))
}
