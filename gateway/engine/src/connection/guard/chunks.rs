//! The chunks of a body (RFC 9112 section 7.1), read strictly and passed on as they are.

use super::flaw::Flaw;
use super::head::{Field, HeadLimits, line};

/// Bytes of a chunk's first line: a size, and extensions that nobody uses but those who want to be misread.
const LINE: usize = 256;

/// Where in a body we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// Before a chunk's first line.
    Size,
    /// So many bytes of a chunk are to come.
    Data(u64),
    /// Before the end of a chunk's line.
    DataEnd,
    /// After the last chunk: so many bytes and fields of trailers came.
    Trailers { bytes: usize, fields: usize },
    /// The body is over.
    End,
}

impl Chunks {
    /// How many of these bytes are right, which may be none until there are more. At [`Chunks::End`] those behind belong
    /// to the next request.
    pub(super) fn read(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<usize, Flaw> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match self.step(rest, limits) {
                Ok(0) => return Ok(at),
                Ok(more) => at += more,
                // What was right before it is passed on first.
                Err(_) if at > 0 => return Ok(at),
                Err(flaw) => return Err(flaw),
            }
            if *self == Self::End {
                return Ok(at);
            }
        }
    }

    fn step(&mut self, rest: &[u8], limits: &HeadLimits) -> Result<usize, Flaw> {
        match *self {
            Self::Size => {
                let Some(line) = framing(line(rest))? else {
                    return if rest.len() > LINE {
                        Err(Flaw::Framing("a chunk with a long first line"))
                    } else {
                        Ok(0)
                    };
                };
                if line.len() > LINE {
                    return Err(Flaw::Framing("a chunk with a long first line"));
                }
                *self = match size(line)? {
                    0 => Self::Trailers { bytes: 0, fields: 0 },
                    size => Self::Data(size),
                };
                Ok(line.len() + 2)
            }
            Self::Data(left) => {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                let left = left - taken as u64;
                *self = if left == 0 { Self::DataEnd } else { Self::Data(left) };
                Ok(taken)
            }
            Self::DataEnd => match rest {
                [b'\r', b'\n', ..] => {
                    *self = Self::Size;
                    Ok(2)
                }
                [] | [b'\r'] => Ok(0),
                _ => Err(Flaw::Framing("a chunk that is longer than its size")),
            },
            Self::Trailers { bytes, fields } => {
                let line = framing(line(rest))?;
                let bytes = bytes + line.map_or(rest.len(), |line| line.len() + 2);
                if bytes > limits.bytes || fields > limits.fields {
                    return Err(Flaw::HeadTooLarge("trailers longer than the limit"));
                }
                let Some(line) = line else { return Ok(0) };
                if line.is_empty() {
                    *self = Self::End;
                } else {
                    let Field { name, value: _ } = framing(Field::of(line))?;
                    // RFC 9110 section 6.5.1.
                    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
                    if is(b"content-length") || is(b"transfer-encoding") || is(b"host") {
                        return Err(Flaw::Framing("a trailer that frames or routes the request"));
                    }
                    *self = Self::Trailers { bytes, fields: fields + 1 };
                }
                Ok(line.len() + 2)
            }
            Self::End => Ok(0),
        }
    }
}

/// In a body, what is wrong with a line is wrong with the framing.
fn framing<T>(read: Result<T, Flaw>) -> Result<T, Flaw> {
    read.map_err(|flaw| match flaw {
        Flaw::Head(detail) => Flaw::Framing(detail),
        other => other,
    })
}

fn size(line: &[u8]) -> Result<u64, Flaw> {
    let bad = Flaw::Framing("a chunk without a size");
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extension) = line.split_at(digits);
    if !matches!(extension.first(), None | Some(b';')) {
        return Err(bad);
    }
    if extension.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
        return Err(Flaw::Framing("a control character in a chunk extension"));
    }
    // More digits than 15 are more bytes than anybody has.
    let text = std::str::from_utf8(digits).ok().filter(|text| (1..=15).contains(&text.len()));
    text.and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or(bad)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes: 100, fields: 2, target: 100 };

    fn read(body: &str) -> Result<(usize, Chunks), Flaw> {
        let mut chunks = Chunks::Size;
        let mut at = 0;
        loop {
            let more = chunks.read(&body.as_bytes()[at..], &LIMITS)?;
            at += more;
            if more == 0 || chunks == Chunks::End {
                return Ok((at, chunks));
            }
        }
    }

    #[test]
    fn a_body_ends_where_it_says() {
        for body in [
            "0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "00A;x=y\r\n0123456789\r\n1\r\n\r\r\n0\r\n\r\n",
            "1\r\na\r\n0\r\nx: 1\r\ny: 2\r\n\r\n",
        ] {
            let behind = body.to_owned() + "GET /";
            assert_eq!(read(&behind).unwrap(), (body.len(), Chunks::End), "{body:?}");
            for end in 0..body.len() {
                assert_ne!(read(&body[..end]).unwrap().1, Chunks::End, "{body:?} at {end}");
            }
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for body in [
            "\r\n",
            "x\r\n",
            "0x1\r\na\r\n",
            "+1\r\na\r\n",
            "-1\r\n",
            " 1\r\na\r\n",
            "1 \r\na\r\n",
            "1\na\r\n",
            "1\r\nab\r\n",
            "1\r\na\n0\r\n\r\n",
            "1\r\na\r0\r\n\r\n",
            "1;\0\r\na\r\n",
            "1;a\rb\r\na\r\n",
            "1000000000000000\r\n",
            "fffffffffffffffff\r\n",
            "0\r\n\n",
            "0\r\nx : 1\r\n\r\n",
            "0\r\n x\r\n\r\n",
            "0\r\ncontent-length: 1\r\n\r\n",
            "0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "0\r\nhost: b\r\n\r\n",
        ] {
            assert!(matches!(read(body), Err(Flaw::Framing(_))), "{body:?}: {:?}", read(body));
        }
        let long = format!("1;{}", "x".repeat(300));
        assert!(matches!(read(&long), Err(Flaw::Framing(_))));
        assert!(matches!(read(&format!("0\r\nx: {}", "x".repeat(200))), Err(Flaw::HeadTooLarge(_))));
        assert!(matches!(read("0\r\na: 1\r\nb: 1\r\nc: 1\r\n\r\n"), Err(Flaw::HeadTooLarge(_))));
    }
}
