//! A directory's files.

mod stamp;

pub(crate) use stamp::Stamp;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::Severity;
use crate::read::Piece;

/// Files that are larger are not read: an API server takes no object above 3 MiB, and files hold few of that size.
pub const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// How deep folders may nest.
const MAX_DEPTH: usize = 32;

/// A directory from which nothing at all can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such directory.
    #[error("{} does not exist; create it, or name another directory", .0.display())]
    Missing(PathBuf),
    /// It is a file or something else.
    #[error("{} is not a directory; name the directory that the file is in", .0.display())]
    NotADirectory(PathBuf),
    /// It cannot be listed.
    #[error("{} cannot be read ({error}); check that this user may list it", .path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// It has no file that we would read.
    #[error("{} has no .yaml, .yml or .json file; put Gateway API resources there, or name another directory", .0.display())]
    Empty(PathBuf),
}

/// The texts of a directory's files, and what is to be told about files that have none. Files that are known with the
/// stamp that they have are not opened.
pub(crate) fn pieces(dir: &Path, is_known: &dyn Fn(&str, &Stamp) -> bool) -> Result<Vec<Piece>, ReadError> {
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(ReadError::NotADirectory(dir.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadError::Missing(dir.to_owned())),
        Err(error) => return Err(ReadError::Unreadable { path: dir.to_owned(), error }),
    }
    let mut walk = Walk { pieces: Vec::new(), seen: HashMap::new(), reached: 0, now: SystemTime::now(), is_known };
    walk.dir(dir, 0).map_err(|error| ReadError::Unreadable { path: dir.to_owned(), error })?;
    if walk.reached == 0 {
        return Err(ReadError::Empty(dir.to_owned()));
    }
    Ok(walk.pieces)
}

struct Walk<'a> {
    pieces: Vec<Piece>,
    /// Files and folders that were reached, with the path that led there first.
    seen: HashMap<(u64, u64), Arc<str>>,
    /// Files that we would read, whether or not we could.
    reached: usize,
    now: SystemTime,
    is_known: &'a dyn Fn(&str, &Stamp) -> bool,
}

impl Walk<'_> {
    fn dir(&mut self, dir: &Path, depth: usize) -> io::Result<()> {
        if self.was_seen(&Stamp::of(&fs::metadata(dir)?), dir) {
            return Ok(());
        }
        let mut paths: Vec<PathBuf> =
            fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
        paths.retain(|path| !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")));
        paths.sort();
        for path in paths {
            self.entry(&path, depth);
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, depth: usize) {
        let name: Arc<str> = Arc::from(path.to_string_lossy());
        let metadata = fs::metadata(path);
        let is_dir = metadata.as_ref().is_ok_and(fs::Metadata::is_dir);
        if (is_dir || is_ours(path)) && path.file_name().is_some_and(|name| name.to_str().is_none()) {
            // Files are known by their paths as text, and two such names may be the same text. Escaped, they are not.
            self.reached += usize::from(!is_dir);
            let name = Arc::from(format!("{path:?}"));
            let message = "has a name that is not UTF-8, and is not read".to_owned();
            return self.tell(Severity::Error, &name, message, Some("rename it"));
        }
        match metadata {
            Ok(metadata) if metadata.is_dir() => {
                if depth >= MAX_DEPTH {
                    let message = format!("folders are nested more than {MAX_DEPTH} deep; this one is passed over");
                    self.tell(Severity::Error, &name, message, None);
                } else if let Err(error) = self.dir(path, depth + 1) {
                    let message = format!("the folder cannot be read ({error})");
                    self.tell(Severity::Error, &name, message, Some("check that this user may list it"));
                }
            }
            Ok(_) if !is_ours(path) => {}
            Ok(metadata) if metadata.is_file() => {
                self.reached += 1;
                let stamp = Stamp::of(&metadata);
                if !self.was_seen(&stamp, path) {
                    self.file(path, &name, stamp);
                }
            }
            // Reading a pipe or a device might never end.
            Ok(_) => {
                self.tell(Severity::Warning, &name, "is not a regular file, passed over".to_owned(), None);
            }
            Err(_) if !is_ours(path) => {}
            Err(error) => {
                self.reached += 1;
                let hint = Some("if it is a link, check where it leads");
                self.tell(Severity::Error, &name, format!("cannot be read ({error})"), hint);
            }
        }
    }

    fn file(&mut self, path: &Path, name: &Arc<str>, stamp: Stamp) {
        if (self.is_known)(name, &stamp) {
            return self.pieces.push(Piece::Same { file: Arc::clone(name) });
        }
        // The stamp is older than the text, so that what is written between shows next time.
        let stamp = Some(stamp).filter(|stamp| stamp.is_settled(self.now));
        match read_file(path) {
            Ok(Some(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => self.pieces.push(Piece::Text { file: Arc::clone(name), text, stamp }),
                Err(error) => {
                    let message = format!("is not UTF-8 text, at byte {}", error.utf8_error().valid_up_to() + 1);
                    self.tell(Severity::Error, name, message, Some("save it as UTF-8"));
                }
            },
            Ok(None) => {
                let message = format!("has more than {MAX_FILE_BYTES} bytes");
                self.tell(Severity::Error, name, message, Some("split it into several files"));
            }
            Err(error) => {
                let hint = Some("check that this user may read it");
                self.tell(Severity::Error, name, format!("cannot be read ({error})"), hint);
            }
        }
    }

    fn tell(&mut self, severity: Severity, file: &Arc<str>, message: String, hint: Option<&str>) {
        let hint = hint.map(str::to_owned);
        self.pieces.push(Piece::Tell { file: Arc::clone(file), severity, message, hint });
    }

    /// Whether it was reached before; if so, says by which path.
    fn was_seen(&mut self, stamp: &Stamp, path: &Path) -> bool {
        let name: Arc<str> = Arc::from(path.to_string_lossy());
        if let Some(first) = self.seen.get(&stamp.identity()) {
            let message = format!("is the same as {first}, passed over");
            self.tell(Severity::Note, &name, message, None);
            return true;
        }
        self.seen.insert(stamp.identity(), name);
        false
    }
}

/// The file's bytes; none where there are too many.
fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_FILE_BYTES).then_some(bytes))
}

fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|ours| extension == *ours))
}
