//! What is said about a route, to each of its parents.

use super::attach::Attached;
use super::finding::Findings;
use crate::status::condition::{self, Problem, Writer, list, sentences};
use crate::status::reason;
use lychgate_api::gateway::{RouteParentStatus, RouteStatus};
use lychgate_api::meta::Condition;

/// The CRD takes no more parents.
const MAX_PARENTS: usize = 32;

/// The status of a route with so many rules.
pub(super) fn of(generation: i64, findings: &Findings, rules: usize, attached: &[Attached<'_>]) -> RouteStatus {
    let writer = Writer::new(generation);
    let rules_invalid = findings.invalid_problem();
    let resolved = resolved_refs(writer, findings.notes(), findings.unresolved_problem().as_ref());
    let resolved_outside = resolved_refs(writer, &findings.notes_outside(), findings.unresolved_outside().as_ref());
    let parents = attached.iter().take(MAX_PARENTS).map(|attached| {
        let refused = attached.result.as_ref().err().cloned();
        let refused = refused.or_else(|| rules_invalid.clone().filter(|_| findings.all_invalid(rules)));
        let mut conditions = vec![
            writer.verdict(condition::ACCEPTED, refused.as_ref(), reason::ACCEPTED, &accepted(attached)),
            if attached.leaves() { resolved_outside.clone() } else { resolved.clone() },
        ];
        if let (None, Some(Problem { reason, message })) = (&refused, &rules_invalid) {
            // The API asks for this beginning. What these rules match is refused, not given to other rules.
            let message =
                format!("Dropped Rule: {}; requests that match are refused: {message}", findings.invalid_rules());
            conditions.push(writer.write(condition::PARTIALLY_INVALID, true, *reason, message));
        }
        RouteParentStatus {
            parent_ref: attached.reference.clone(),
            controller_name: attached.controller.to_owned(),
            conditions,
        }
    });
    RouteStatus { parents: parents.collect() }
}

fn accepted(attached: &Attached<'_>) -> String {
    let listeners: Vec<&str> = attached.listeners().map(|id| &*id.section).collect();
    let mut message = format!("attached to {}", list(&listeners));
    let idle: Vec<&str> = attached.idle().map(|id| &*id.section).collect();
    if !idle.is_empty() {
        message.push_str(&format!("; not served there until the listener is: {}", list(&idle)));
    }
    if !attached.losses.is_empty() {
        message.push_str(&format!("; {}", sentences(&attached.losses)));
    }
    message
}

fn resolved_refs(writer: Writer, notes: &[String], problem: Option<&Problem>) -> Condition {
    let mut message = "all references are resolved".to_owned();
    if !notes.is_empty() {
        message = format!("{message} | {}", sentences(notes));
    }
    writer.verdict(condition::RESOLVED_REFS, problem, reason::RESOLVED_REFS, &message)
}
