//! Segments as files.

use crate::chain::Digest;
use crate::line::{LONGEST, Line, Written};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".jsonl";

pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{number:08}{SUFFIX}"))
}

/// The segments of a directory, by number. Files with other names are none of ours.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let number = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
        let Some(number) = number.and_then(|digits| digits.parse::<u64>().ok()) else { continue };
        // One number, one name.
        if path(dir, number).file_name().and_then(|name| name.to_str()) == Some(name) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// One line of a file.
pub(crate) enum Piece {
    /// Whole, without its end.
    Line(Vec<u8>),
    /// So many bytes that do not end.
    Torn(u64),
    /// Longer than any line of ours.
    TooLong,
    End,
}

/// Reads the lines of a segment, with bounded memory.
pub(crate) struct Lines(BufReader<File>);

impl Lines {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(|file| Self(BufReader::new(file)))
    }

    pub(crate) fn next(&mut self) -> io::Result<Piece> {
        let mut line = Vec::new();
        let most = u64::try_from(LONGEST).unwrap_or(u64::MAX) + 1;
        self.0.by_ref().take(most).read_until(b'\n', &mut line)?;
        Ok(match line.pop() {
            None => Piece::End,
            Some(b'\n') => Piece::Line(line),
            Some(_) if line.len() < LONGEST => Piece::Torn(u64::try_from(line.len()).unwrap_or_default() + 1),
            Some(_) => Piece::TooLong,
        })
    }
}

/// The segment that is written.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
    pub(crate) number: u64,
    /// Bytes of whole lines.
    pub(crate) length: u64,
    /// What follows a write that failed is not known until it is cut off.
    is_dirty: bool,
}

impl Segment {
    /// Makes a file that is not there yet, and its name last.
    pub(crate) fn create(dir: &Path, number: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o640).open(path(dir, number))?;
        File::open(dir)?.sync_all()?;
        Ok(Self { file, number, length: 0, is_dirty: false })
    }

    /// Writes a line, or leaves the segment as it was. Says the hash of the line.
    pub(crate) fn write(&mut self, line: &Line<Written<'_>>) -> io::Result<Digest> {
        let mut bytes = serde_json::to_vec(line).map_err(io::Error::other)?;
        if bytes.len() > LONGEST {
            let why = format!("a record of {} bytes: at most {LONGEST} are written", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let digest = Digest::of(&bytes);
        bytes.push(b'\n');
        if self.is_dirty {
            self.cut()?;
        }
        if let Err(error) = self.file.write_all(&bytes) {
            self.is_dirty = true;
            // Part of a line of which nobody was told that it is there. If this fails, it is tried before the next.
            return self.cut().and(Err(error));
        }
        self.length += u64::try_from(bytes.len()).unwrap_or_default();
        Ok(digest)
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.is_dirty = false;
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
