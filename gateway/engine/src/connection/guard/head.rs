//! The head of an HTTP/1 request, read strictly: whoever forwards a head that backends may read in another way smuggles
//! requests (RFC 9112 section 11.2). Nothing is repaired here; what is not exactly right is refused.

use super::flaw::Flaw;
use std::ops::Range;

/// How much a head may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Bytes of the whole head, or of all trailers.
    pub(crate) bytes: usize,
    /// Fields.
    pub(crate) fields: usize,
    /// Bytes of the target.
    pub(crate) target: usize,
}

/// A head that can be read in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes, its last line included.
    pub(super) length: usize,
    pub(super) body: Body,
    /// Whether the client asks for WebSocket: what follows may be no HTTP.
    pub(super) upgrade: bool,
}

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes.
    Length(u64),
    Chunked,
}

/// A head of which a part has been read. Each line is looked at once, however slowly the head comes.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    /// Where the next line begins.
    at: usize,
    began: bool,
    fields: usize,
    version: Version,
    is_get: bool,
    authority: Option<Range<usize>>,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
    upgrades: usize,
    websocket: bool,
    connection_upgrade: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Version {
    #[default]
    Http10,
    Http11,
}

impl HeadReader {
    /// Whether nothing of the head has come yet, `bytes` being what there is.
    pub(super) fn is_untouched(&self, bytes: &[u8]) -> bool {
        !self.began && bytes.len() == self.at
    }

    /// Reads on; `bytes` begin where the head does. `None` if there is more to come.
    pub(super) fn read(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<Head>, Flaw> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(line) = line(rest)? else {
                return self.refuse_long(rest, bytes.len(), limits).map(|()| None);
            };
            let begin = self.at;
            self.at += line.len() + 2;
            if self.at > limits.bytes {
                return Err(self.too_long(line, limits));
            }
            match (line.is_empty(), self.began) {
                // RFC 9112 section 2.2: old clients end a body with one more line.
                (true, false) => {}
                (true, true) => return self.finish(bytes).map(Some),
                (false, false) => {
                    self.began = true;
                    self.request_line(line, begin, limits)?;
                }
                (false, true) => {
                    self.fields += 1;
                    if self.fields > limits.fields {
                        return Err(Flaw::HeadTooLarge("more header fields than the limit"));
                    }
                    self.field(line, begin)?;
                }
            }
        }
    }

    /// A line that is not complete may still be too long already.
    fn refuse_long(&self, rest: &[u8], length: usize, limits: &HeadLimits) -> Result<(), Flaw> {
        if length <= limits.bytes && (self.began || rest.len() <= limits.target + METHOD_AND_VERSION) {
            return Ok(());
        }
        Err(self.too_long(rest, limits))
    }

    fn too_long(&self, line: &[u8], limits: &HeadLimits) -> Flaw {
        if !self.began && line.len() > limits.target {
            return Flaw::TargetTooLong;
        }
        Flaw::HeadTooLarge("a head longer than the limit")
    }

    /// RFC 9112 section 3.
    fn request_line(&mut self, line: &[u8], begin: usize, limits: &HeadLimits) -> Result<(), Flaw> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Flaw::Head("a request line that is not a method, a target and a version"));
        };
        if method.is_empty() || method.len() > METHOD_AND_VERSION - 11 || !method.iter().all(|byte| is_token(*byte)) {
            return Err(Flaw::Head("a method that is no token"));
        }
        self.version = match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
                return Err(Flaw::Version);
            }
            _ => return Err(Flaw::Head("a request line that does not end with a version of HTTP")),
        };
        if target.len() > limits.target {
            return Err(Flaw::TargetTooLong);
        }
        if target.is_empty() || !target.iter().all(|byte| *byte > b' ' && *byte != 0x7f) {
            return Err(Flaw::Head("a target with a control character, or none"));
        }
        self.is_get = method == b"GET";
        let start = begin + method.len() + 1;
        self.authority = authority(target)?.map(|range| start + range.start..start + range.end);
        Ok(())
    }

    /// RFC 9112 section 5.
    fn field(&mut self, line: &[u8], begin: usize) -> Result<(), Flaw> {
        let Field { name, value } = Field::of(line)?;
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        // Few names begin or end like these, and most fields are looked at no further.
        match name.len() {
            4 if is("host") => {
                if self.host.is_some() {
                    return Err(Flaw::Head("more than one Host header"));
                }
                let start = begin + line.len() - trim_start(line.get(name.len() + 1..).unwrap_or_default()).len();
                self.host = Some(start..start + value.len());
            }
            7 if is("upgrade") => {
                self.upgrades += 1;
                self.websocket = value.eq_ignore_ascii_case(b"websocket");
            }
            10 if is("connection") => {
                let mut options = value.split(|byte| *byte == b',').map(trim);
                self.connection_upgrade |= options.any(|option| option.eq_ignore_ascii_case(b"upgrade"));
            }
            14 if is("content-length") => {
                if self.length.is_some() {
                    return Err(Flaw::Framing("more than one Content-Length"));
                }
                self.length = Some(length(value)?);
            }
            17 if is("transfer-encoding") => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Flaw::Framing("a Transfer-Encoding other than chunked"));
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&self, bytes: &[u8]) -> Result<Head, Flaw> {
        if self.chunked && self.length.is_some() {
            return Err(Flaw::Framing("both Transfer-Encoding and Content-Length"));
        }
        if self.chunked && self.version == Version::Http10 {
            return Err(Flaw::Framing("a Transfer-Encoding in HTTP/1.0"));
        }
        let text = |range: &Range<usize>| bytes.get(range.clone()).unwrap_or_default();
        match (&self.host, &self.authority) {
            (None, _) if self.version == Version::Http11 => return Err(Flaw::Head("no Host header")),
            // RFC 9112 section 3.2.2 lets the target win; a backend may do otherwise.
            (Some(host), Some(authority)) if text(host) != text(authority) => {
                return Err(Flaw::Head("a Host header that is not that of the target"));
            }
            (Some(host), _) if text(host).contains(&b'@') => {
                return Err(Flaw::Head("user information in the authority"));
            }
            (Some(_) | None, _) => {}
        }
        let body = if self.chunked { Body::Chunked } else { Body::Length(self.length.unwrap_or(0)) };
        let upgrade = self.is_get && self.upgrades == 1 && self.websocket && self.connection_upgrade;
        if upgrade && body != Body::Length(0) {
            return Err(Flaw::Framing("an upgrade with a body"));
        }
        Ok(Head { length: self.at, body, upgrade })
    }
}

/// What stands beside the target in a request line: methods are short.
const METHOD_AND_VERSION: usize = 64;

/// One field.
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    /// Without white space at its ends.
    pub(super) value: &'a [u8],
}

impl<'a> Field<'a> {
    pub(super) fn of(line: &'a [u8]) -> Result<Self, Flaw> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Flaw::Head("a folded header field"));
        }
        let colon = line.iter().position(|byte| !is_token(*byte)).unwrap_or(line.len());
        match line.get(colon) {
            Some(b':') if colon > 0 => {}
            Some(b' ' | b'\t') => return Err(Flaw::Head("white space before the colon of a header field")),
            Some(_) | None => return Err(Flaw::Head("a header field without a name that is a token")),
        }
        let (name, value) = line.split_at(colon);
        let value = trim(value.get(1..).unwrap_or_default());
        if value.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
            return Err(Flaw::Head("a control character in a header field"));
        }
        Ok(Self { name, value })
    }
}

/// The first line, without its end; `None` if its end is not there.
pub(super) fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Flaw> {
    let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else { return Ok(None) };
    match (bytes.get(end), bytes.get(end + 1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(bytes.get(..end)),
        (Some(b'\r'), None) => Ok(None),
        (Some(b'\r'), Some(_)) => Err(Flaw::Head("a carriage return that ends no line")),
        (Some(_) | None, _) => Err(Flaw::Head("a line that ends without a carriage return")),
    }
}

/// The authority of a target in absolute form; other forms have none.
fn authority(target: &[u8]) -> Result<Option<Range<usize>>, Flaw> {
    if matches!(target, [b'/', ..] | b"*") {
        return Ok(None);
    }
    let Some(colon) = target.windows(3).position(|three| three == b"://") else {
        // What CONNECT asks for, or nonsense; neither is served.
        return Ok(None);
    };
    let begin = colon + 3;
    let rest = target.get(begin..).unwrap_or_default();
    let length = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).unwrap_or(rest.len());
    let authority = rest.get(..length).unwrap_or_default();
    if authority.is_empty() || rest.get(length) == Some(&b'\\') {
        return Err(Flaw::Head("a target without an authority that can be read in one way"));
    }
    if authority.contains(&b'@') {
        return Err(Flaw::Head("user information in the authority"));
    }
    Ok(Some(begin..begin + length))
}

/// RFC 9110 section 8.6, without the list of equal lengths that a recipient may put right.
fn length(value: &[u8]) -> Result<u64, Flaw> {
    let bad = Flaw::Framing("a Content-Length that is no number");
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(bad);
    }
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(bad)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = trim_start(bytes);
    let end = bytes.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let char = byte as u8;
            table[byte] = char.is_ascii_alphanumeric()
                || matches!(
                    char,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                );
            byte += 1;
        }
        table
    };
    TOKEN.get(usize::from(byte)).copied().unwrap_or(false)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    pub(in super::super) const LIMITS: HeadLimits = HeadLimits { bytes: 400, fields: 4, target: 100 };

    fn read(head: &str) -> Result<Option<Head>, Flaw> {
        HeadReader::default().read(head.as_bytes(), &LIMITS)
    }

    fn whole(head: &str) -> Head {
        read(head).unwrap().unwrap()
    }

    #[test]
    fn heads_say_what_follows() {
        let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(whole(head), Head { length: head.len(), body: Body::Length(0), upgrade: false });
        let head = "\r\nPOST /x HTTP/1.1\r\nhost:a\r\ncontent-LENGTH: \t42 \r\n\r\nrest";
        assert_eq!(whole(head), Head { length: head.len() - 4, body: Body::Length(42), upgrade: false });
        assert_eq!(whole("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n").body, Body::Chunked);
        assert_eq!(whole("GET / HTTP/1.0\r\n\r\n").body, Body::Length(0));
        assert!(whole("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: WebSocket\r\n\r\n").upgrade);
        assert!(!whole("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").upgrade);
        assert!(!whole("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n").upgrade);
        whole("GET http://a:80/x HTTP/1.1\r\nHost: a:80\r\n\r\n");
        whole("OPTIONS * HTTP/1.1\r\nHost: \r\n\r\n");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let heads = [
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\r\nHost: a\r\n\r\n",
            "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nx: 1\r\n 2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nx: 1\r\n\t2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nx: 1\0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nx: 1\u{b}\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nx\0y: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
            "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a\\x HTTP/1.1\r\nHost: a\r\n\r\n",
        ];
        for head in heads {
            assert!(matches!(read(head), Err(Flaw::Head(_))), "{head:?}: {:?}", read(head));
        }
        let framing = [
            "Content-Length: 1\r\nContent-Length: 1",
            "Content-Length: 1, 1",
            "Content-Length: +1",
            "Content-Length: -1",
            "Content-Length: 0x1",
            "Content-Length: 1 1",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: chunked\r\nContent-Length: 1",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding:",
            "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1",
        ];
        for fields in framing {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
            assert!(matches!(read(&head), Err(Flaw::Framing(_))), "{fields:?}: {:?}", read(&head));
        }
        let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(read(old), Err(Flaw::Framing(_))));
        for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2"] {
            assert_eq!(read(&format!("GET / {version}\r\nHost: a\r\n\r\n")), Err(Flaw::Version));
        }
    }

    #[test]
    fn what_is_too_much_is_refused_before_it_is_complete() {
        assert_eq!(read(&format!("GET /{}", "x".repeat(200))), Err(Flaw::TargetTooLong));
        assert_eq!(read(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(100))), Err(Flaw::TargetTooLong));
        assert!(read(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(99))).is_ok());
        let large = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(400));
        assert!(matches!(read(&large), Err(Flaw::HeadTooLarge(_))));
        let many = format!("GET / HTTP/1.1\r\n{}", "x: 1\r\n".repeat(5));
        assert!(matches!(read(&many), Err(Flaw::HeadTooLarge(_))));
        let empty = "\r\n".repeat(201);
        assert!(matches!(read(&empty), Err(Flaw::HeadTooLarge(_))));
    }

    #[test]
    fn a_head_reads_the_same_in_pieces() {
        let head = "\r\nPOST /x?y HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\nx: \u{e4}\r\n\r\nabc";
        let mut reader = HeadReader::default();
        let mut seen = None;
        for end in 0..head.len() {
            if let Some(found) = reader.read(&head.as_bytes()[..end], &LIMITS).unwrap() {
                seen = Some((end, found));
                break;
            }
        }
        let (end, found) = seen.unwrap();
        assert_eq!((end, found), (head.len() - 3, whole(head)));
    }
}
