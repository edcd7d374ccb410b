//! What one reading found that the reading before did not.

use std::collections::HashSet;
use std::sync::Arc;

use lychgate_api::{Kind, ObjectKey, ObjectRef};

use super::found::{Found, Outcome};
use super::memory::{Difference, Document};
use super::{Admitted, AdmittedObject, Place, Refused, Unread};
use crate::Diagnostic;

/// What a reading changes of what was read before. Whoever takes in one after the other has what [`Admitted`] says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Valid objects that are new, or not the same as before, or in another place than before; in the order of the text.
    pub found: Vec<AdmittedObject>,
    /// Which of those that were found before are valid and there no more.
    pub gone: Gone,
    /// All objects that are not valid now.
    pub refused: Vec<Refused>,
    /// All text that cannot be read as objects now.
    pub unread: Vec<Unread>,
    /// All that is to be told now, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Objects that were found before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// These.
    These(Vec<ObjectRef>),
    /// All that are not found now: the reading knows no other.
    Others,
}

/// All that was read, whatever was read before.
impl From<Admitted> for Reading {
    fn from(admitted: Admitted) -> Self {
        let Admitted { objects, refused, unread, diagnostics } = admitted;
        Self { found: objects, gone: Gone::Others, refused, unread, diagnostics }
    }
}

impl Reading {
    /// What differs, and what is to be told in any case. No two objects may have one name.
    pub(super) fn of(difference: Difference, told: Admitted) -> Self {
        let Difference { gone, new, ambiguous: _ } = difference;
        let Admitted { objects: _, refused, unread, diagnostics } = told;
        let here: HashSet<(Kind, &str, &str)> = new.iter().flat_map(|(_, document)| valid(document)).collect();
        let gone = gone.iter().flat_map(valid).filter(|name| !here.contains(name));
        let reference = |(kind, namespace, name)| ObjectRef { kind, key: ObjectKey::new(namespace, name) };
        let gone = Gone::These(gone.map(reference).collect());
        let found = new.iter().flat_map(|(file, document)| objects(file, document)).collect();
        Self { found, gone, refused, unread, diagnostics }
    }
}

/// The names of the valid objects of a document.
fn valid(document: &Document) -> impl Iterator<Item = (Kind, &str, &str)> {
    let valid = document.found.iter().filter(|found| matches!(found.outcome, Outcome::Admitted(_)));
    valid.filter_map(Found::reference)
}

fn objects<'d>(file: &'d Arc<str>, document: &'d Document) -> impl Iterator<Item = AdmittedObject> + 'd {
    let place = Place { file, lines_before: document.lines_before };
    document.found.iter().filter_map(move |found| match &found.outcome {
        Outcome::Admitted(object) => {
            Some(AdmittedObject { object: object.clone(), position: place.position(found.mark) })
        }
        Outcome::Refused(..) | Outcome::Unread | Outcome::PassedOver => None,
    })
}
