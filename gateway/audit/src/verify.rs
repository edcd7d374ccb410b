//! Whether a log is whole, and where not.

mod end;
mod walk;

pub(crate) use end::end;

use crate::Record;
use crate::chain::Digest;
use crate::key::VerifyingKey;
use crate::segment;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;
use walk::Walk;

/// What one knows of a log from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The keys that may have signed. Without any, each segment is held to the key that it names itself: whoever writes
    /// the whole log anew with a key of his own is not found.
    pub keys: Vec<VerifyingKey>,
    /// The first segment that has to be there, if those before it were taken away on purpose; else 1.
    pub first: Option<u64>,
    /// The hash of a line that has to be there: the newest one that is known from elsewhere.
    pub contains: Option<Digest>,
}

/// A log that is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The first and the last segment.
    pub segments: Option<(u64, u64)>,
    /// Lines of all kinds.
    pub lines: u64,
    /// Records among them.
    pub records: u64,
    /// Records that the log says are not there.
    pub dropped: u64,
    /// Segments that did not come to their end, and the bytes of a line that each of them had begun.
    pub unfinished: Vec<(u64, u64)>,
    /// Lines at the end that are not signed yet.
    pub unsigned: u64,
    /// The keys that signed.
    pub keys: BTreeSet<String>,
    /// The hash of the last line.
    pub end: Digest,
}

/// Where a log is not whole, and how.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}:{line}: {finding}", path.display())]
pub struct Damage {
    /// The segment, or the directory.
    pub path: PathBuf,
    /// The line in it, from 1; 0 is the whole of it.
    pub line: u64,
    /// What is wrong there.
    pub finding: Finding,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It cannot be read.
    Unreadable(String),
    /// There is no log.
    Nothing,
    /// A segment is not there.
    MissingSegment,
    /// The line is none of ours.
    NoLine(String),
    /// It does not follow the line before: one of the two was edited, or lines between them dropped, repeated, moved.
    Broken,
    /// A segment does not begin with its own head.
    NoHead,
    /// How the segment before ended is not how its successor found it.
    OtherEnd,
    /// The signature is not right.
    BadSignature,
    /// Signed by a key that is not trusted.
    UnknownKey(String),
    /// Something follows the end.
    AfterTheEnd,
    /// The line with the hash that has to be there is not there: the end was cut off.
    Lacks(Digest),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::Nothing => f.write_str("there is no audit log"),
            Self::MissingSegment => f.write_str("this segment is missing"),
            Self::NoLine(why) => write!(f, "no line of an audit log: {why}"),
            Self::Broken => f.write_str(
                "does not follow the line before it: one of them was edited, or lines between them were dropped, repeated or moved",
            ),
            Self::NoHead => f.write_str("the segment does not begin with its own head: it was moved or replaced"),
            Self::OtherEnd => f.write_str("the segment before was not like this when this one was begun: its end was changed"),
            Self::BadSignature => f.write_str("the signature is not that of the lines before it"),
            Self::UnknownKey(id) => write!(f, "signed by key {id}, which is none of those that were given"),
            Self::AfterTheEnd => f.write_str("follows the end of the segment"),
            Self::Lacks(digest) => write!(f, "has no line with the hash {digest}: the end was cut off"),
        }
    }
}

/// Reads the whole log, and finds the first place where it is not what was written.
pub fn verify(dir: &Path, options: &VerifyOptions) -> Result<Report, Damage> {
    walk(dir, options, None)
}

/// Reads the records of a log, while it verifies it: what was given to `each` is not to be believed unless this returns a
/// report. A record that this version cannot read is damage.
pub fn read(dir: &Path, options: &VerifyOptions, each: &mut dyn FnMut(Record)) -> Result<Report, Damage> {
    walk(dir, options, Some(each))
}

fn walk<'a>(dir: &Path, options: &'a VerifyOptions, each: Option<&'a mut dyn FnMut(Record)>) -> Result<Report, Damage> {
    let VerifyOptions { keys, first, contains } = options;
    let damage = |line, finding| Damage { path: dir.to_owned(), line, finding };
    let numbers = segment::list(dir).map_err(|error| damage(0, Finding::Unreadable(error.to_string())))?;
    let begin = first.unwrap_or(1);
    let mut walk = Walk::new(keys, contains.as_ref(), each);
    // Where it begins later, what came before is taken for granted.
    walk.trusts_beginning = begin > 1;
    let mut expected = begin;
    for number in numbers.iter().copied().skip_while(|number| *number < begin) {
        if number != expected {
            return Err(Damage { path: segment::path(dir, expected), line: 0, finding: Finding::MissingSegment });
        }
        walk.segment(dir, number)?;
        expected += 1;
    }
    if expected == begin {
        return Err(damage(0, Finding::Nothing));
    }
    walk.report(dir, begin, expected - 1)
}
