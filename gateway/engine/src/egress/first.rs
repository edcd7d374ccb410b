//! What a connection begins with, as far as its first bytes tell.

use super::hello::{self, Opening, SeenHello};
use super::wire::Begun;
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// What a connection begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// TLS.
    Tls(SeenHello),
    /// A request of HTTP/1.
    Http1,
    /// HTTP/2 by prior knowledge (RFC 9113 section 3.4).
    Http2,
    /// Something else.
    Other,
    /// Nothing: whoever is at the other end speaks first, or nobody does.
    Silence,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Waits for the first bytes and says what they are. Who is silent for `quiet` waits for the other end; who has begun has
/// until `deadline` to make itself clear, and then is an error: what may still become TLS is not let pass as what is none.
pub(crate) async fn first(begun: &mut Begun, quiet: Duration, deadline: Instant, line: usize) -> io::Result<First> {
    if begun.seen().is_empty() {
        match timeout(quiet, begun.fill()).await {
            Err(_) => return Ok(First::Silence),
            Ok(read) => {
                if read? == 0 {
                    return Ok(First::Silence);
                }
            }
        }
    }
    loop {
        if let Some(first) = tell(begun.seen(), line) {
            return Ok(first);
        }
        let read = timeout_at(deadline, begun.fill()).await.map_err(|_| {
            io::Error::new(io::ErrorKind::TimedOut, "what the connection begins with did not become clear in time")
        })?;
        if read? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Whether a client that is known to speak HTTP speaks HTTP/2; `None` if more bytes are needed.
pub(crate) fn is_http2(bytes: &[u8]) -> Option<bool> {
    match (bytes.starts_with(PREFACE), PREFACE.starts_with(bytes)) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    }
}

/// What bytes are the beginning of; `None` if more are needed. `line` is the longest request line.
pub(crate) fn tell(bytes: &[u8], line: usize) -> Option<First> {
    match hello::read(bytes) {
        Opening::Hello(hello) => return Some(First::Tls(hello)),
        Opening::More => return None,
        Opening::NotTls => {}
    }
    if bytes.starts_with(PREFACE) {
        return Some(First::Http2);
    }
    if PREFACE.starts_with(bytes) {
        return None;
    }
    // Empty lines before a request are skipped by servers (RFC 9112 section 2.2).
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let Some(request) = start.and_then(|start| bytes.get(start..)) else {
        return (bytes.len() > line).then_some(First::Other);
    };
    let method = request.iter().position(|byte| !is_token(*byte)).unwrap_or(request.len());
    match request.get(method) {
        None if method <= LONGEST_METHOD => return None,
        Some(b' ' | b'\t') if (1..=LONGEST_METHOD).contains(&method) => {}
        None | Some(_) => return Some(First::Other),
    }
    let Some(end) = request.iter().position(|byte| *byte == b'\n') else {
        // It is HTTP that is refused as such, or nothing at all.
        return (request.len() > line).then_some(First::Http1);
    };
    let mut words = request.get(..end)?.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_http =
        words.next_back().is_some_and(|last| last.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"HTTP/")));
    Some(if is_http { First::Http1 } else { First::Other })
}

/// Longer than any method that is registered.
const LONGEST_METHOD: usize = 32;

/// Characters of a method (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_say_what_follows_or_that_more_is_needed() {
        for (bytes, expected) in [
            (&b"GET / HTTP/1.1\r\n"[..], Some(First::Http1)),
            (b"\r\nGET / HTTP/1.0\n", Some(First::Http1)),
            (b"get /\tHTTP/9\r\n", Some(First::Http1)),
            (b"GET / HTT", None),
            (b"GE", None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(First::Http2)),
            (b"PRI * HTTP/2.0\r\n", None),
            (b"EHLO me.example\r\n", Some(First::Other)),
            (b"SSH-2.0-x\r\n", Some(First::Other)),
            (b"*1\r\n$4\r\nPING\r\n", Some(First::Other)),
            (b"\x00\x01", Some(First::Other)),
            (b"\x16\x03", None),
            (b"\x16\x09", Some(First::Other)),
        ] {
            assert_eq!(tell(bytes, 100), expected, "{}", bytes.escape_ascii());
        }
        assert_eq!(tell(&[b"GET /".as_slice(), &[b'a'; 200]].concat(), 100), Some(First::Http1));
        assert_eq!(tell(&[b'\n'; 200], 100), Some(First::Other));
    }

    #[test]
    fn fuzz_what_is_told_stays_so() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let whole = tell(bytes, 100);
            for cut in 0..bytes.len().min(150) {
                let part = tell(bytes.get(..cut).unwrap_or_default(), 100);
                // Only a line that becomes too long may turn into HTTP that is refused.
                assert!(part.is_none() || part == whole || whole == Some(First::Http1), "{part:?} {whole:?}");
            }
        });
    }
}
