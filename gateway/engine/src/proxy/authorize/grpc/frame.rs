//! Messages as gRPC frames them (gRPC over HTTP/2, "Length-Prefixed-Message"), one at a time and not compressed.

use bytes::{BufMut, Bytes, BytesMut};

pub(super) fn write(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    // Bounded by the limits of what a question is made of.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    framed.freeze()
}

pub(super) fn read(framed: &[u8]) -> Result<Vec<u8>, String> {
    let Some((&[compressed, a, b, c, d], message)) = framed.split_first_chunk::<5>() else {
        return Err("its answer has no message".to_owned());
    };
    if compressed != 0 {
        return Err("its answer is compressed, which nobody has asked for".to_owned());
    }
    if u32::from_be_bytes([a, b, c, d]) as usize != message.len() {
        return Err("its answer is not one message".to_owned());
    }
    Ok(message.to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{read, write};

    #[test]
    fn what_is_written_can_be_read_and_nothing_else() {
        for message in [&b""[..], b"x", &[7; 1000]] {
            assert_eq!(read(&write(message)).unwrap(), message);
        }
        let bad: [&[u8]; 5] = [b"", b"\0\0\0\0", b"\0\0\0\0\x01", b"\x01\0\0\0\x01x", b"\0\0\0\0\x01xy"];
        bad.iter().for_each(|bad| assert!(read(bad).is_err(), "{bad:?}"));
    }
}
