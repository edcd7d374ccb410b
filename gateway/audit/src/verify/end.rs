//! Where a log ends, for who goes on writing it.

use super::walk::Walk;
use super::{Damage, Finding};
use crate::chain::Digest;
use crate::line::After;
use crate::segment;
use std::io;
use std::path::Path;

/// Where a log goes on.
pub(crate) struct End {
    pub(crate) segment: u64,
    pub(crate) after: After,
    pub(crate) prev: Digest,
    pub(crate) seq: u64,
}

/// The end of a log, which must be whole from its last two segments on: all of it is read by who asks to verify it.
pub(crate) fn end(dir: &Path) -> Result<Option<End>, Damage> {
    let unreadable =
        |error: io::Error| Damage { path: dir.to_owned(), line: 0, finding: Finding::Unreadable(error.to_string()) };
    let numbers = segment::list(dir).map_err(unreadable)?;
    let Some(last) = numbers.last() else { return Ok(None) };
    // From the last one whose head is whole: the head is the first thing that a crash can tear.
    for start in (0..numbers.len()).rev() {
        let mut walk = Walk::new(&[], None, None);
        walk.trusts_beginning = start > 0;
        for number in numbers.iter().skip(start) {
            walk.segment(dir, *number)?;
        }
        if walk.report.lines > 0 || start == 0 {
            let after = walk.after.unwrap_or(After { closed: false, torn: 0 });
            return Ok(Some(End { segment: *last, after, prev: walk.prev, seq: walk.seq }));
        }
    }
    Ok(None)
}
