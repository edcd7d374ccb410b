//! What became of the directory.

use super::Kept;
use crate::status::as_objects;
use lychgate_admission::{Diagnostic, Severity};
use lychgate_api::{Kind, ObjectRef, Objects};
use lychgate_engine::Bind;
use lychgate_ir::{CertificateId, RuleId, Snapshot};
use lychgate_translate::{Finding, Statuses};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// What is served after one reading of the directory, and what is not.
#[derive(Clone, Debug)]
pub struct Report {
    /// The objects that count.
    pub objects: Objects,
    /// Their statuses.
    pub statuses: Statuses,
    /// What is served.
    pub snapshot: Arc<Snapshot>,
    /// What was said about files and objects.
    pub diagnostics: Vec<Diagnostic>,
    /// Objects that count in an older version, and why.
    pub kept: BTreeMap<ObjectRef, Kept>,
    /// Certificates among them, and why their newest version cannot be used.
    pub stale: BTreeMap<CertificateId, String>,
    /// Rules that the data plane could not compile. They fail closed.
    pub rejected: Vec<(RuleId, String)>,
    /// Sockets that could not be opened, and why.
    pub unbound: BTreeMap<Bind, String>,
    /// Sockets that are open.
    pub bound: BTreeSet<Bind>,
    /// Why the directory cannot be read now, if so. Everything else is as it was when it could be.
    pub unreadable: Option<String>,
    /// How often the directory was read.
    pub reload: u64,
    /// From the first look at the directory until it was served.
    pub took: Duration,
}

impl Report {
    /// Whether everything is served as it is written.
    pub fn is_clean(&self) -> bool {
        self.unreadable.is_none()
            && self.kept.is_empty()
            && self.rejected.is_empty()
            && self.unbound.is_empty()
            && self.statuses.problems().next().is_none()
            && !self.diagnostics.iter().any(|each| each.severity == Severity::Error)
    }

    /// As `/status` shows it.
    pub fn to_value(&self) -> Value {
        let Self {
            objects,
            statuses,
            snapshot: _,
            diagnostics,
            kept,
            stale: _,
            rejected,
            unbound,
            bound,
            unreadable,
            reload,
            took,
        } = self;
        let why_kept = |(object, why): (&ObjectRef, &Kept)| {
            let why = match why {
                Kept::Refused => "its newest version is not valid",
                Kept::Unread => "its file cannot be read",
                Kept::Settling => "it has only just disappeared",
                Kept::Unusable => "its newest version cannot be used",
                Kept::Writing => "its file is being written",
            };
            json!({ "object": object.to_string(), "why": why })
        };
        json!({
            "reload": reload,
            "tookMilliseconds": took.as_secs_f64() * 1000.0,
            "unreadable": unreadable,
            "listening": bound.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "notListening": unbound.iter().map(|(bind, why)| json!({ "socket": bind.to_string(), "why": why })).collect::<Vec<_>>(),
            "diagnostics": diagnostics.iter().map(|each| format!("{}: {each}", each.severity)).collect::<Vec<_>>(),
            "lastGoodKept": kept.iter().map(why_kept).collect::<Vec<_>>(),
            "rejectedRules": rejected.iter().map(|(rule, why)| json!({ "rule": rule, "why": why })).collect::<Vec<_>>(),
            "objects": as_objects(objects, statuses)["items"],
        })
    }

    /// Logs what is wrong now and was not wrong in the same way before. Of no objects but those that `changed`, something
    /// else is said than before.
    pub(super) fn log(&self, before: Option<&Self>, changed: &BTreeSet<ObjectRef>) {
        self.log_diagnostics(before.map(|before| &*before.diagnostics).unwrap_or_default());
        let key = |finding: &Finding<'_>| {
            let (condition, place) = (finding.condition, finding.place.to_string());
            (finding.object.clone(), place, condition.r#type.clone(), condition.message.clone())
        };
        let known: HashSet<_> = before.iter().flat_map(|it| it.problems(changed)).map(|old| key(&old)).collect();
        for finding in self.problems(changed).filter(|finding| !known.contains(&key(finding))) {
            let Finding { object, place, condition } = &finding;
            let (what, status, reason) = (&condition.r#type, condition.status, &condition.reason);
            tracing::warn!(%object, %place, "{what} is {status:?} ({reason}): {}", condition.message);
        }
        let was_kept = |object, why| before.is_some_and(|before| before.kept.get(object) == Some(why));
        for (object, why) in self.kept.iter().filter(|(object, why)| !was_kept(object, why)) {
            match why {
                Kept::Refused | Kept::Unread | Kept::Unusable => {
                    tracing::warn!(%object, ?why, "the last good version stays")
                }
                // These pass.
                Kept::Settling | Kept::Writing => tracing::debug!(%object, ?why, "the last version stays for now"),
            }
        }
        for (rule, why) in self.rejected.iter().filter(|it| before.is_none_or(|before| !before.rejected.contains(it))) {
            tracing::error!(%rule, %why, "the rule cannot be compiled");
        }
        let was_unbound = |bind, why| before.is_some_and(|before| before.unbound.get(bind) == Some(why));
        for (bind, why) in self.unbound.iter().filter(|(bind, why)| !was_unbound(bind, why)) {
            tracing::error!(%bind, %why, "cannot listen; end what uses the port, or change the listener");
        }
        // Comparing thousands of objects would cost more than all the rest.
        let is_same = |before: &Self| Kind::ALL.iter().all(|kind| before.objects.shares(&self.objects, *kind));
        if !before.is_some_and(is_same) {
            let (reload, took, routes) =
                (self.reload, self.took, self.snapshot.routes.len() + self.snapshot.stream_routes.len());
            tracing::info!(reload, ?took, routes, listeners = self.snapshot.listeners.len(), "config applied");
        }
    }

    /// What is wrong with these objects.
    fn problems<'r>(&'r self, objects: &'r BTreeSet<ObjectRef>) -> impl Iterator<Item = Finding<'r>> {
        objects.iter().flat_map(|object| self.statuses.findings_of(object)).filter(Finding::is_problem)
    }

    fn log_diagnostics(&self, before: &[Diagnostic]) {
        if self.diagnostics == before {
            return;
        }
        let known: HashSet<String> = before.iter().map(ToString::to_string).collect();
        for diagnostic in &self.diagnostics {
            let text = diagnostic.to_string();
            if known.contains(&text) {
                continue;
            }
            match diagnostic.severity {
                Severity::Error => tracing::error!("{text}"),
                Severity::Warning => tracing::warn!("{text}"),
                Severity::Note => tracing::info!("{text}"),
            }
        }
    }
}
