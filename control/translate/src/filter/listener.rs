//! Filters of listeners (GEP-5224): for every request of theirs, in the order written, before it is routed.

use super::{Bad, external_auth, unsupported};
use crate::backend::resolve::Resolver;
use crate::route::finding::Findings;
use crate::status::condition::Problem;
use crate::status::reason;
use lychgate_api::gateway::{ListenerFilter, ListenerFilterType, ListenerFilters};

/// What was read, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) filters: Vec<lychgate_ir::ListenerFilter>,
    /// A filter cannot be done, so the listener is not served: a filter that is passed over might have kept someone out.
    pub(crate) refused: Option<Problem>,
    /// A reference leads nowhere; the listener is served, and lets nothing pass.
    pub(crate) unresolved: Option<Problem>,
    pub(crate) notes: Vec<String>,
}

/// `leaves` says whether things leave by the listener: some services cannot be asked there.
pub(crate) fn read(resolver: &mut Resolver<'_, '_>, leaves: bool, filters: &ListenerFilters) -> Read {
    let ListenerFilters { requests } = filters;
    let mut read = Read::default();
    let mut findings = Findings::default();
    for (index, filter) in requests.iter().enumerate() {
        let path = format!("filters.requests[{index}]");
        match one(resolver, filter, &path, &mut findings) {
            Ok(filter) => read.filters.push(filter),
            Err((reason, Bad { reason: _, unresolved, message })) => {
                let message = format!("{path}: {message}");
                if unresolved {
                    findings.unresolved(reason::INVALID_LISTENER_FILTER_REF, message.clone());
                }
                read.refused.get_or_insert(Problem::new(reason, message));
            }
        }
    }
    let unresolved = if leaves { findings.unresolved_outside() } else { findings.unresolved_problem() };
    read.unresolved = unresolved.map(|Problem { reason, message }| {
        let reason = match reason {
            reason::REF_NOT_PERMITTED => reason::REF_NOT_PERMITTED,
            _ => reason::INVALID_LISTENER_FILTER_REF,
        };
        Problem::new(reason, message)
    });
    read.notes = findings.notes().to_vec();
    read
}

/// With an error goes the reason for which the listener is not accepted.
fn one(
    resolver: &mut Resolver<'_, '_>,
    filter: &ListenerFilter,
    path: &str,
    findings: &mut Findings,
) -> Result<lychgate_ir::ListenerFilter, (&'static str, Bad)> {
    let ListenerFilter { r#type, external_auth, extension_ref } = filter;
    let invalid = |bad| (reason::INVALID_LISTENER_FILTER, bad);
    let unknown = |bad| (reason::UNSUPPORTED_VALUE, bad);
    match r#type {
        ListenerFilterType::ExternalAuth => {
            let absent = || invalid(Bad::value("type is ExternalAuth, but its settings are missing"));
            let auth = external_auth.as_ref().ok_or_else(absent)?;
            external_auth::read(resolver, auth, &format!("{path}.externalAuth"), findings)
                .map(lychgate_ir::ListenerFilter::ExternalAuth)
                .map_err(invalid)
        }
        ListenerFilterType::ExtensionRef => Err(unknown(unsupported::extension(extension_ref.as_ref()))),
        ListenerFilterType::Other(kind) => Err(unknown(unsupported::unknown(kind))),
    }
}
