//! From the directory to what the engine serves: everything of a reload that takes time and opens nothing.

use super::Kept;
use super::store::{Advice, Store, Updated};
use super::watch::{Half, Writing};
use lychgate_admission::{Diagnostic, ObjectName, Position, ReadError, Reader, Reading, Severity};
use lychgate_api::{Object, ObjectRef, Objects};
use lychgate_engine::{Applied, Engine};
use lychgate_ir::{CertificateId, RuleId};
use lychgate_translate::{Options, Translation, key_pair_problem, translate};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A directory, and what was made of it.
pub(super) struct Directory {
    dir: PathBuf,
    engine: Arc<Engine>,
    reader: Reader,
    store: Store,
    translation: Option<Translation>,
    rejected: Vec<(RuleId, String)>,
    /// Whether all that was read has arrived: a panic on its way would lose what is told only once.
    in_step: bool,
}

/// What one reading gave.
pub(super) struct Loaded {
    pub(super) objects: Objects,
    pub(super) translation: Translation,
    pub(super) rejected: Vec<(RuleId, String)>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) kept: BTreeMap<ObjectRef, Kept>,
    /// Certificates of which an older version is kept, and why.
    pub(super) stale: BTreeMap<CertificateId, String>,
    /// When to read again, because something that is not settled will be.
    pub(super) again: Option<Duration>,
}

impl Directory {
    pub(super) fn new(dir: PathBuf, engine: Arc<Engine>) -> Self {
        Self {
            dir,
            engine,
            reader: Reader::numbered(),
            store: Store::default(),
            translation: None,
            rejected: Vec::new(),
            in_step: false,
        }
    }

    /// Reads the directory and applies what changed. Must run where tokio is.
    pub(super) fn load(&mut self, writing: Writing) -> Result<Loaded, ReadError> {
        let now = Instant::now();
        // Not in step while it reads either: a panic there may leave the reader with half of what it knew.
        let in_step = std::mem::replace(&mut self.in_step, false);
        let reading = match in_step {
            true => self.reader.read_changes(&self.dir),
            false => self.reader.read_dir(&self.dir).map(Reading::from),
        };
        // Nothing is taken note of where nothing can be read.
        let reading = reading.inspect_err(|_| self.in_step = in_step)?;
        let read = now.elapsed();
        let mut diagnostics = reading.diagnostics.clone();
        let updated = self.store.update(reading, now, &OnDisk(writing));
        diagnostics.retain(|diagnostic| !updated.was_half(&diagnostic.position.file));
        let changed = updated.changed;
        tracing::debug!(?read, store = ?now.elapsed().saturating_sub(read), changed, "directory read");
        let translation = match &self.translation {
            Some(translation) if in_step && !changed => translation.clone(),
            Some(_) | None => self.apply(),
        };
        self.in_step = true;
        self.translation = Some(translation.clone());
        let (objects, rejected) = (self.store.objects().clone(), self.rejected.clone());
        let Updated { kept, again, flaws, .. } = updated;
        // Only Secrets are looked at for flaws.
        let id =
            |object: &ObjectRef| CertificateId(lychgate_ir::ObjectName::new(&*object.key.namespace, &*object.key.name));
        let stale = flaws.iter().map(|(object, (_, why))| (id(object), why.clone())).collect();
        diagnostics.extend(flaws.into_iter().map(|(object, (position, why))| flaw(object, position, why)));
        Ok(Loaded { objects, translation, rejected, diagnostics, kept, stale, again })
    }

    fn apply(&mut self) -> Translation {
        let options = Options { standalone: true, ..Options::default() };
        let begun = Instant::now();
        let before = self.translation.as_ref();
        let translation = translate(self.store.objects(), &options, before);
        let translated = begun.elapsed();
        let Translation { snapshot, endpoints, .. } = &translation;
        if before.is_some_and(|before| Arc::ptr_eq(&before.snapshot, snapshot)) {
            self.engine.apply_endpoints(endpoints);
        } else {
            let Applied { rejected } = self.engine.apply(snapshot, endpoints);
            self.rejected = rejected;
        }
        tracing::debug!(?translated, compiled = ?begun.elapsed().saturating_sub(translated), "snapshot applied");
        translation
    }
}

fn flaw(ObjectRef { kind, key }: ObjectRef, position: Position, message: String) -> Diagnostic {
    let object = ObjectName { kind: kind.to_string(), namespace: key.namespace, name: key.name };
    let hint = Some("its last good version stays until then".to_owned());
    Diagnostic { severity: Severity::Error, position, object: Some(object), path: None, message, hint }
}

/// The files themselves.
struct OnDisk(Writing);

impl Advice for OnDisk {
    fn is_empty(&self, file: &str) -> bool {
        std::fs::metadata(file).is_ok_and(|metadata| metadata.len() == 0)
    }

    fn half(&self, file: &str) -> Half {
        self.0.half(file)
    }

    fn flaw(&self, object: &Object) -> Option<String> {
        // What never was a pair has nothing that could be kept; so other Secrets are let through.
        let Object::Secret(secret) = object else { return None };
        key_pair_problem(secret)
    }
}
