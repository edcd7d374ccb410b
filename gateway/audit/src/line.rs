//! The lines of a segment.

use crate::{Digest, Record, SigningKey, Timestamp, VerifyingKey};
use serde::{Deserialize, Serialize};

/// The longest line, its end not counted. Everything in a record is short; a line that is longer is not ours.
pub(crate) const LONGEST: usize = 64 * 1024;
/// The form of the log that this code writes.
pub(crate) const FORMAT: u32 = 1;

/// What all lines have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line<B> {
    /// Counts on over segments.
    pub(crate) seq: u64,
    /// The hash of the line before.
    pub(crate) prev: Digest,
    #[serde(flatten)]
    pub(crate) body: B,
}

/// What we write.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Written<'a> {
    Record(&'a Record),
    Open(&'a Open),
    Dropped(Dropped),
    Seal(Signed),
    Close(Signed),
}

/// What is read back. A record's own fields are covered by the hash of its line, and may be more tomorrow than today.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Found {
    Record {},
    Open(Open),
    Dropped(Dropped),
    Seal(Signed),
    Close(Signed),
}

/// The beginning of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Open {
    pub(crate) format: u32,
    pub(crate) segment: u64,
    pub(crate) time: Timestamp,
    /// The name of the key that signs.
    pub(crate) key: String,
    /// The key that checks.
    pub(crate) public_key: String,
    /// How the segment before ended, if there is one.
    pub(crate) after: Option<After>,
}

/// How a segment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct After {
    /// With its closing line. Otherwise whoever wrote it did not come to its end.
    pub(crate) closed: bool,
    /// Bytes of a line that was begun and is not whole.
    pub(crate) torn: u64,
}

/// Records that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dropped {
    pub(crate) time: Timestamp,
    pub(crate) count: u64,
}

/// Vouches for all lines before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signed {
    pub(crate) time: Timestamp,
    pub(crate) signature: String,
}

/// What is signed: the place in the log, and by the hash of the line before all that led to it.
#[derive(Clone, Copy)]
pub(crate) struct Statement {
    pub(crate) is_close: bool,
    pub(crate) segment: u64,
    pub(crate) seq: u64,
    pub(crate) prev: Digest,
    pub(crate) time: Timestamp,
}

impl Statement {
    fn message(self) -> Vec<u8> {
        let Self { is_close, segment, seq, prev, time } = self;
        let kind = if is_close { "close" } else { "seal" };
        format!("lychgate-audit/{FORMAT}\n{kind}\n{segment}\n{seq}\n{prev}\n{time}\n").into_bytes()
    }

    pub(crate) fn sign(self, key: &SigningKey) -> Signed {
        Signed { time: self.time, signature: key.sign(&self.message()) }
    }

    pub(crate) fn is_signed_by(self, key: &VerifyingKey, signature: &str) -> bool {
        key.verifies(&self.message(), signature)
    }
}
