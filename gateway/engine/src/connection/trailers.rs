//! Trailers of a response to HTTP/1.1 (RFC 9112 section 7.1.2). Pingora drops them: it ends a chunked body with its last
//! chunk and an empty line. Where there are trailers to send, they are put between the two as they are written.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// How a chunked body without trailers ends.
const END: &[u8] = b"0\r\n\r\n";

/// Trailers of the running response, once they are known.
#[derive(Debug, Default)]
pub(crate) struct Trailers {
    /// Looked at with every piece that is written.
    there: AtomicBool,
    fields: Mutex<Option<Bytes>>,
}

impl Trailers {
    /// The response ends with these.
    pub(crate) fn set(&self, trailers: &HeaderMap) {
        let mut fields = BytesMut::new();
        for (name, value) in trailers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                fields.extend_from_slice(part);
            }
        }
        *self.fields.lock().unwrap_or_else(PoisonError::into_inner) = Some(fields.freeze());
        self.there.store(true, Ordering::Relaxed);
    }

    /// Those of the response before, if it had no place for them, are none of the next.
    pub(crate) fn clear(&self) {
        if self.there.swap(false, Ordering::Relaxed) {
            self.fields.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    fn take(&self) -> Option<Bytes> {
        self.there.store(false, Ordering::Relaxed);
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What is still to be written in place of the end of a body.
#[derive(Debug, Default)]
pub(super) struct Writing(Option<Bytes>);

impl Writing {
    /// Writes bytes; if they are the end of a body that has trailers, with them.
    pub(super) fn poll_write<T: AsyncWrite + Unpin + ?Sized>(
        &mut self,
        trailers: &Trailers,
        mut io: Pin<&mut T>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.0.is_none() && trailers.there.load(Ordering::Relaxed) && buf == END {
            let fields = trailers.take().unwrap_or_default();
            self.0 = Some([b"0\r\n", &fields[..], b"\r\n"].concat().into());
        }
        let Some(rest) = &mut self.0 else { return io.poll_write(cx, buf) };
        while !rest.is_empty() {
            let written = ready!(io.as_mut().poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            rest.advance(written);
        }
        self.0 = None;
        Poll::Ready(Ok(buf.len()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;

    async fn written(trailers: &Trailers, pieces: &[&[u8]], room: usize) -> String {
        let (mut ours, mut theirs) = tokio::io::duplex(room);
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            theirs.read_to_string(&mut text).await.unwrap();
            text
        });
        let mut writing = Writing::default();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let ours = &mut ours;
                let count = poll_fn(|cx| writing.poll_write(trailers, Pin::new(&mut *ours), cx, rest)).await.unwrap();
                rest = &rest[count..];
            }
        }
        drop(ours);
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn trailers_stand_between_the_last_chunk_and_the_end() {
        for room in [1, 3, 1024] {
            let trailers = Trailers::default();
            trailers.set(&HeaderMap::from_iter([("x-a".try_into().unwrap(), HeaderValue::from_static("1"))]));
            let pieces: [&[u8]; 4] = [b"head\r\n\r\n", b"3\r\nabc\r\n", END, b"next"];
            assert_eq!(written(&trailers, &pieces, room).await, "head\r\n\r\n3\r\nabc\r\n0\r\nx-a: 1\r\n\r\nnext");
        }
    }

    #[tokio::test]
    async fn without_trailers_nothing_is_changed_and_old_ones_are_forgotten() {
        let trailers = Trailers::default();
        assert_eq!(written(&trailers, &[END], 1024).await, "0\r\n\r\n");
        trailers.set(&HeaderMap::from_iter([("x-a".try_into().unwrap(), HeaderValue::from_static("1"))]));
        trailers.clear();
        assert_eq!(written(&trailers, &[END], 1024).await, "0\r\n\r\n");
    }
}
