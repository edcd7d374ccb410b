//! How conditions are written.

use lychgate_api::Time;
use lychgate_api::meta::{Condition, ConditionStatus};

pub(crate) const ACCEPTED: &str = "Accepted";
pub(crate) const PROGRAMMED: &str = "Programmed";
pub(crate) const RESOLVED_REFS: &str = "ResolvedRefs";
pub(crate) const CONFLICTED: &str = "Conflicted";
pub(crate) const PARTIALLY_INVALID: &str = "PartiallyInvalid";
pub(crate) const OVERLAPPING_TLS: &str = "OverlappingTLSConfig";
pub(crate) const INSECURE_FRONTEND: &str = "InsecureFrontendValidationMode";

/// The API server refuses longer messages.
const MAX_MESSAGE: usize = 32_768;
/// So many things are listed in one message; the rest are counted.
const MAX_LISTED: usize = 8;

/// Why something does not hold: a reason for machines, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Writes the conditions of one object, all for the generation that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer {
    generation: i64,
}

impl Writer {
    pub(crate) fn new(generation: i64) -> Self {
        Self { generation }
    }

    pub(crate) fn write(
        self,
        kind: &str,
        holds: bool,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Condition {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE {
            let end = (0..=MAX_MESSAGE - 3).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
            message.push('…');
        }
        Condition {
            r#type: kind.to_owned(),
            status: ConditionStatus::from(holds),
            observed_generation: (self.generation > 0).then_some(self.generation),
            last_transition_time: Time::EPOCH,
            reason: reason.into(),
            message,
        }
    }

    /// True with this reason and message, unless there is a problem.
    pub(crate) fn verdict(self, kind: &str, problem: Option<&Problem>, reason: &str, message: &str) -> Condition {
        match problem {
            None => self.write(kind, true, reason, message),
            Some(Problem { reason, message }) => self.write(kind, false, *reason, message.as_str()),
        }
    }
}

/// Joins names, the first few of them.
pub(crate) fn list<S: AsRef<str>>(parts: &[S]) -> String {
    join(parts, ", ")
}

/// Joins sentences, the first few of them. Within a sentence a semicolon comes before what to do.
pub(crate) fn sentences<S: AsRef<str>>(parts: &[S]) -> String {
    join(parts, " | ")
}

fn join<S: AsRef<str>>(parts: &[S], between: &str) -> String {
    let mut text = String::new();
    for part in parts.iter().take(MAX_LISTED) {
        if !text.is_empty() {
            text.push_str(between);
        }
        text.push_str(part.as_ref());
    }
    if let Some(more) = parts.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        text.push_str(&format!("{between}and {more} more"));
    }
    text
}
