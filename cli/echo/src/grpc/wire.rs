//! Messages on the wire: a flag, a length, the bytes (gRPC over HTTP/2, "Length-Prefixed-Message").

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use thiserror::Error;

/// The bytes before each message: one flag, four of length.
pub(super) const PREFIX: usize = 5;

/// A message as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Framed {
    pub(super) compressed: bool,
    pub(super) payload: Bytes,
}

/// The body of a unary call is not one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a unary call carries one message, not {0}")]
pub(super) struct NotOne(&'static str);

impl Framed {
    /// Takes a body that is exactly one message.
    pub(super) fn only(mut body: Bytes) -> Result<Self, NotOne> {
        let message = Self::first(&mut body)?;
        if body.is_empty() { Ok(message) } else { Err(NotOne("more than one")) }
    }

    /// Takes a body of any number of messages for one: what they say, one after the other. None of them is compressed.
    pub(super) fn joined(mut body: Bytes) -> Result<Self, NotOne> {
        let mut payload = BytesMut::new();
        while !body.is_empty() {
            let message = Self::first(&mut body)?;
            if message.compressed {
                return Err(NotOne("a compressed one among several"));
            }
            payload.extend_from_slice(&message.payload);
        }
        Ok(Self { compressed: false, payload: payload.freeze() })
    }

    fn first(body: &mut Bytes) -> Result<Self, NotOne> {
        if body.len() < PREFIX {
            return Err(NotOne("less than one"));
        }
        let compressed = match body.get_u8() {
            0 => false,
            1 => true,
            _ => return Err(NotOne("one with an unknown flag")),
        };
        match usize::try_from(body.get_u32()) {
            Ok(size) if size <= body.len() => Ok(Self { compressed, payload: body.split_to(size) }),
            Ok(_) | Err(_) => Err(NotOne("less than one")),
        }
    }

    pub(super) fn framed(&self) -> Bytes {
        let Self { compressed, payload } = self;
        let mut out = BytesMut::with_capacity(PREFIX + payload.len());
        out.put_u8(u8::from(*compressed));
        // Ours are bounded far below 4 GiB.
        out.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        out.put_slice(payload);
        out.freeze()
    }
}

/// `grpc-message` is percent-encoded (gRPC over HTTP/2, "Status-Message").
pub(super) fn percent_encoded(message: &str) -> String {
    message
        .bytes()
        .map(|byte| match byte {
            b'%' | 0..=0x1f | 0x7f.. => format!("%{byte:02X}"),
            shown => char::from(shown).to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn one_message_and_nothing_else() {
        let message = Framed { compressed: true, payload: Bytes::from_static(b"abc") };
        let whole = message.framed();
        assert_eq!(whole.as_ref(), b"\x01\x00\x00\x00\x03abc");
        assert_eq!(Framed::only(whole.clone()).unwrap(), message);
        assert!(Framed::only(whole.slice(..7)).is_err());
        assert!(Framed::only(whole.slice(..3)).is_err());
        assert!(Framed::only([whole.as_ref(), whole.as_ref()].concat().into()).is_err());
        assert!(Framed::only(Bytes::from_static(b"\x02\0\0\0\0")).is_err());
    }

    #[test]
    fn several_messages_are_joined() {
        let [a, b] =
            [b"ab", b"cd"].map(|text| Framed { compressed: false, payload: Bytes::from_static(text) }.framed());
        let joined = |body: &[&[u8]]| Framed::joined(body.concat().into()).map(|message| message.payload);
        assert_eq!(joined(&[&a, &b]), Ok(Bytes::from_static(b"abcd")));
        assert_eq!(joined(&[]), Ok(Bytes::new()));
        assert!(joined(&[&a, &b[..6]]).is_err());
        assert!(joined(&[&a, b"\x01\0\0\0\0"]).is_err());
    }

    #[test]
    fn messages_are_printable() {
        assert_eq!(percent_encoded("100% \n ü"), "100%25 %0A %C3%BC");
    }
}
