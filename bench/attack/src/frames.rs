//! Frames of HTTP/2 as bytes (RFC 9113 section 4.1).

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    [&[high, middle, low, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// The preface, and SETTINGS with this payload.
pub(crate) fn hello(settings: &[u8]) -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(0x4, 0, 0, settings)].concat()
}

/// A header block of `GET http://a.example` with this path: HPACK's static table and literals (RFC 7541).
pub(crate) fn head(path: &str) -> Vec<u8> {
    let authority = b"a.example";
    let length = |text: &[u8]| u8::try_from(text.len()).unwrap_or(0);
    let mut head = vec![0x82, 0x86, 0x41, length(authority)];
    head.extend_from_slice(authority);
    head.extend_from_slice(&[0x44, length(path.as_bytes())]);
    head.extend_from_slice(path.as_bytes());
    head
}

/// A whole GET.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(0x1, 0x5, stream, &head(path))
}

/// RST_STREAM with CANCEL.
pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(0x3, 0, stream, &[0, 0, 0, 8])
}
