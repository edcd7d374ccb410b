//! Finds the line of a request in an access log, from the end of the file: who asks wants to know what has just happened.

use lychgate_gateway::AccessLine;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Read at once.
const CHUNK: usize = 64 * 1024;

/// A longer line is passed over: none of ours is.
const LONGEST: usize = 4 * 1024 * 1024;

/// The last line about a request in a log, or in the one before it (`.1`, as rotation leaves it).
///
/// # Errors
/// If the log cannot be read. That there is none before it is no error.
pub(super) fn find(log: &Path, id: &str) -> io::Result<Option<AccessLine>> {
    if let Some(found) = find_in(File::open(log)?, id)? {
        return Ok(Some(found));
    }
    let mut before = log.as_os_str().to_owned();
    before.push(".1");
    match File::open(PathBuf::from(before)) {
        Ok(file) => find_in(file, id),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn find_in(log: impl Read + Seek, id: &str) -> io::Result<Option<AccessLine>> {
    let mut found = None;
    backwards(log, |line| {
        // Most lines are of other requests, and need not be taken apart.
        let text = std::str::from_utf8(line).ok().filter(|text| text.contains(id));
        found = text.and_then(AccessLine::parse).filter(|line| line.get("request_id") == Some(id));
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

/// Shows lines, the last one first. Holds a chunk and the longest line at most.
fn backwards(mut log: impl Read + Seek, mut show: impl FnMut(&[u8]) -> ControlFlow<()>) -> io::Result<()> {
    let mut left = log.seek(SeekFrom::End(0))?;
    // The beginning of what was read so far: the end of a line whose beginning comes next.
    let mut tail: Vec<u8> = Vec::new();
    let mut too_long = false;
    while left > 0 {
        let size = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
        left -= size as u64;
        log.seek(SeekFrom::Start(left))?;
        let mut read = vec![0; size];
        log.read_exact(&mut read)?;
        read.append(&mut tail);
        let mut lines = read.rsplit(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            if lines.peek().is_none() {
                tail = line.to_vec();
                break;
            }
            if !std::mem::take(&mut too_long) && show(line).is_break() {
                return Ok(());
            }
        }
        if tail.len() > LONGEST {
            (tail, too_long) = (Vec::new(), true);
        }
    }
    if !too_long && !tail.is_empty() {
        // Whatever is said of the first line, there is none before it.
        let _ = show(&tail);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn lines(text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        backwards(Cursor::new(text), |line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
        lines
    }

    #[test]
    fn lines_come_from_the_last_to_the_first() {
        assert_eq!(lines("a\nb\n\nc\n"), ["", "c", "", "b", "a"]);
        assert_eq!(lines("a"), ["a"]);
        assert!(lines("").is_empty());
        let long: Vec<String> = (0..5).map(|n| n.to_string().repeat(CHUNK - 1)).collect();
        assert_eq!(lines(&long.join("\n")), long.into_iter().rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let text = format!("first\n{}\nlast", "x".repeat(LONGEST + 2 * CHUNK));
        assert_eq!(lines(&text), ["last", "first"]);
    }

    #[test]
    fn the_last_line_of_an_id_is_found_and_no_other() {
        let log = "request_id=abc status=200\nrequest_id=abcd status=201 path=/abc\nrequest_id=abc status=202\nno line of abc\n";
        let found = |id| find_in(Cursor::new(log), id).unwrap();
        assert_eq!(found("abc").unwrap().get("status"), Some("202"));
        assert_eq!(found("abcd").unwrap().get("status"), Some("201"));
        assert_eq!(found("ab"), None);
    }
}
