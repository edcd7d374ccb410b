//! Files to objects.

mod found;
mod memory;
mod reading;

pub use reading::{Gone, Reading};

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use lychgate_api::{Kind, Object, ObjectKey};

use crate::yaml::Mark;
use crate::{Diagnostic, Position, ReadError, Severity, dir};
use dir::Stamp;
use found::{Found, Outcome, Tell};
use memory::{Difference, Document, Memory};

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Admitted {
    /// Objects that are valid, in the order in which they were found.
    pub objects: Vec<AdmittedObject>,
    /// Objects that say who they are but are not valid: a reader may keep their last good version.
    pub refused: Vec<Refused>,
    /// Text that could not be read as objects at all: a reader may keep what came from those files before.
    pub unread: Vec<Unread>,
    /// What to tell people, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Admitted {
    /// Whether anything was not admitted.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// A valid object, defaults applied.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmittedObject {
    /// The object.
    pub object: Object,
    /// Where it begins.
    pub position: Position,
}

/// An object that is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Where it begins.
    pub position: Position,
}

/// A document or file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where reading ended; the whole file where it has no line.
    pub position: Position,
}

/// Reads the text of one file: YAML documents, or JSON where the file's name ends in `.json`.
///
/// Never fails: what cannot be read or is not valid is in the diagnostics, and the rest is admitted.
#[must_use]
pub fn read_text(file: &str, text: &str) -> Admitted {
    let piece = Piece::Text { file: Arc::from(file), text: text.to_owned(), stamp: None };
    let mut memory = Memory::default();
    memory.update(std::slice::from_ref(&piece));
    merge(&[piece], &memory)
}

/// Reads a directory once. See [`Reader`] for reading it again and again.
///
/// # Errors
/// As [`Reader::read_dir`].
pub fn read_dir(dir: &Path) -> Result<Admitted, ReadError> {
    Reader::default().read_dir(dir)
}

/// Reads a directory again and again, and keeps what became of each document: a read costs as much as has changed.
///
/// Objects whose documents did not change are the same `Arc`s as before. Texts are not kept, as they may have secrets.
#[derive(Debug, Default)]
pub struct Reader {
    memory: Memory,
}

impl Reader {
    /// A reader that gives objects that say no generation their first, as an API server does when they are created. Who
    /// counts on from there need not copy what did not change.
    #[must_use]
    pub fn numbered() -> Self {
        Self { memory: Memory::numbered() }
    }

    /// Reads every `.yaml`, `.yml` and `.json` file of a directory and of the folders below it, sorted by path.
    ///
    /// Symbolic links are followed, as mounted ConfigMaps need it. Files and folders whose names begin with a dot are
    /// passed over, unless a link leads to them. What is reached twice is read once. A file that cannot be read harms
    /// only itself.
    ///
    /// # Errors
    /// Where the directory itself cannot be read, or holds nothing to read.
    pub fn read_dir(&mut self, dir: &Path) -> Result<Admitted, ReadError> {
        let (pieces, _) = self.look(dir)?;
        Ok(merge(&pieces, &self.memory))
    }

    /// Reads as [`Reader::read_dir`] does, and gives what is not as it was at the reading before. Costs as much as that,
    /// besides a look at each file.
    ///
    /// # Errors
    /// As [`Reader::read_dir`]. Nothing is taken note of then.
    pub fn read_changes(&mut self, dir: &Path) -> Result<Reading, ReadError> {
        let (pieces, difference) = self.look(dir)?;
        if difference.ambiguous {
            return Ok(merge(&pieces, &self.memory).into());
        }
        Ok(Reading::of(difference, tell(&pieces, &self.memory)))
    }

    fn look(&mut self, dir: &Path) -> Result<(Vec<Piece>, Difference), ReadError> {
        let pieces = dir::pieces(dir, &|file, stamp| self.memory.is_known(file, stamp))?;
        let difference = self.memory.update(&pieces);
        Ok((pieces, difference))
    }
}

/// A file's text, or what is to be told about a file.
pub(crate) enum Piece {
    /// With a stamp, if a file that has the same one later on has the same text.
    Text {
        file: Arc<str>,
        text: String,
        stamp: Option<Stamp>,
    },
    /// A file that has the stamp that is known of it.
    Same {
        file: Arc<str>,
    },
    Tell {
        file: Arc<str>,
        severity: Severity,
        message: String,
        hint: Option<String>,
    },
}

impl Piece {
    /// The file's path.
    fn file(&self) -> &Arc<str> {
        match self {
            Self::Text { file, .. } | Self::Same { file } | Self::Tell { file, .. } => file,
        }
    }
}

/// Puts together what all files have. Of objects of one name, the first stays.
fn merge(pieces: &[Piece], memory: &Memory) -> Admitted {
    let mut merge = Merge::default();
    let documents = |piece: &Piece| memory.file(piece.file()).map_or(0, |file| file.documents.len());
    let count = pieces.iter().map(documents).sum();
    merge.seen.reserve(count);
    merge.admitted.objects.reserve(count);
    for piece in pieces {
        merge.tell(piece);
        let documents = memory.file(piece.file()).into_iter().flat_map(|file| &file.documents);
        documents.for_each(|document| merge.document(piece.file(), document));
    }
    merge.admitted
}

/// What all files have that is more than an object; objects, of which something is told besides, are among it.
fn tell(pieces: &[Piece], memory: &Memory) -> Admitted {
    let mut merge = Merge::default();
    for piece in pieces {
        merge.tell(piece);
        let told = memory.file(piece.file()).into_iter().flat_map(|file| file.told());
        told.for_each(|document| merge.document(piece.file(), document));
    }
    merge.admitted
}

#[derive(Default)]
struct Merge<'a> {
    admitted: Admitted,
    /// Kind, namespace and name, and where they were first. Borrowed: most of what is read was read before, and copying
    /// the names of thousands would take longer than all the rest.
    seen: HashMap<(Kind, &'a str, &'a str), (Place<'a>, Mark)>,
}

/// Where a document stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Arc<str>,
    lines_before: u32,
}

impl Place<'_> {
    fn position(self, mark: Mark) -> Position {
        let line = mark.line.saturating_add(self.lines_before);
        Position { file: Arc::clone(self.file), line, column: mark.column }
    }
}

impl<'a> Merge<'a> {
    /// What is to be told about a file as a whole.
    fn tell(&mut self, piece: &Piece) {
        let Piece::Tell { file, severity, message, hint } = piece else { return };
        let (severity, position) = (*severity, Position { file: Arc::clone(file), line: 0, column: 0 });
        if severity == Severity::Error {
            self.admitted.unread.push(Unread { position: position.clone() });
        }
        let (message, hint) = (message.clone(), hint.clone());
        self.admitted.diagnostics.push(Diagnostic { severity, position, object: None, path: None, message, hint });
    }

    fn document(&mut self, file: &'a Arc<str>, document: &'a Document) {
        let place = Place { file, lines_before: document.lines_before };
        document.found.iter().for_each(|each| self.found(place, each));
    }

    fn found(&mut self, place: Place<'a>, found: &'a Found) {
        let Found { mark, name: _, outcome, tells } = found;
        let position = place.position(*mark);
        if let Some(reference) = found.reference() {
            if let Some((first, mark)) = self.seen.get(&reference) {
                let first = first.position(*mark);
                let message = format!("the object is already there, at {first}");
                let hint = Some("the first stays; remove or rename one of them".to_owned());
                let severity = Severity::Error;
                let object = found.object_name();
                let told = Diagnostic { severity, position, object, path: None, message, hint };
                return self.admitted.diagnostics.push(told);
            }
            self.seen.insert(reference, (place, *mark));
        }
        for Tell { severity, mark, path, message, hint } in tells {
            self.admitted.diagnostics.push(Diagnostic {
                severity: *severity,
                position: place.position(*mark),
                object: found.object_name(),
                path: path.clone(),
                message: message.clone(),
                hint: hint.clone(),
            });
        }
        match outcome {
            Outcome::Admitted(object) => {
                self.admitted.objects.push(AdmittedObject { object: object.clone(), position });
            }
            Outcome::Refused(kind, key) => {
                self.admitted.refused.push(Refused { kind: *kind, key: ObjectKey::clone(key), position });
            }
            Outcome::Unread => self.admitted.unread.push(Unread { position }),
            Outcome::PassedOver => {}
        }
    }
}
