//! An HTTP/1 connection, read message by message. What is behind this sees whole heads only, and nothing of a message
//! that cannot be read in one way.

use super::chunks::Chunks;
use super::flaw::Flaw;
use super::head::{Body, Head, HeadLimits, HeadReader};
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// What is read of a connection at once while a message is incomplete, and what may come before we know whether it
/// becomes a WebSocket.
const PIECE: usize = 4096;

/// What came of a read.
#[derive(Debug)]
pub(super) enum Read {
    /// Bytes, or none at the end.
    Given,
    /// The next bytes are not let in.
    Flawed(Flaw, Place),
}

/// Where a flaw is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Between messages: nobody has heard of the request.
    Head,
    /// In the body of a request that has begun.
    Body,
}

#[derive(Debug, Default)]
pub(super) struct Http1 {
    state: State,
    /// What was read and is not passed on yet …
    held: BytesMut,
    /// … of which so many bytes may be.
    cleared: usize,
    /// Heads that were let through.
    heads: u64,
}

#[derive(Debug)]
enum State {
    Head(HeadReader),
    Body(u64),
    Chunked(Chunks),
    /// An upgrade was asked for. Whether HTTP goes on shows when it is answered.
    Undecided,
    /// Not HTTP any more.
    Tunnel,
    Flawed(Flaw, Place),
}

impl Default for State {
    fn default() -> Self {
        Self::Head(HeadReader::default())
    }
}

impl Http1 {
    /// Takes what was read before.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The connection was upgraded: it is not looked at any more.
    pub(super) fn upgraded(&mut self) {
        if !matches!(self.state, State::Tunnel) {
            self.state = State::Tunnel;
            self.cleared = self.held.len();
        }
    }

    /// An upgrade was asked for, and something else was answered.
    pub(super) fn not_upgraded(&mut self) {
        if matches!(self.state, State::Undecided) {
            self.state = State::default();
        }
    }

    /// How many requests were let through.
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the head of a request has begun and is not complete.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(&self.state, State::Head(head) if !head.is_untouched(&self.held))
    }

    /// The beginning of a message that is not let in.
    pub(super) fn refused(&self) -> &[u8] {
        &self.held
    }

    pub(super) fn poll_read<T: AsyncRead + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        limits: &HeadLimits,
    ) -> Poll<io::Result<Read>> {
        loop {
            if self.cleared > 0 {
                self.give(buf);
                return Poll::Ready(Ok(Read::Given));
            }
            if !self.held.is_empty() {
                self.cleared = self.state.clear(&self.held, limits, &mut self.heads);
                if self.cleared > 0 {
                    continue;
                }
            }
            if let State::Flawed(flaw, place) = self.state {
                return Poll::Ready(Ok(Read::Flawed(flaw, place)));
            }
            if self.held.is_empty() {
                let before = buf.filled().len();
                ready!(self.read_straight(io, cx, buf))?;
                let read = buf.filled().get(before..).unwrap_or_default();
                if read.is_empty() {
                    return Poll::Ready(Ok(Read::Given));
                }
                let cleared = self.state.clear(read, limits, &mut self.heads);
                // What is not let through yet, or never, stays here.
                self.held.extend_from_slice(read.get(cleared..).unwrap_or_default());
                buf.set_filled(before + cleared);
                if cleared > 0 {
                    return Poll::Ready(Ok(Read::Given));
                }
            } else if ready!(self.read_more(io, cx))? == 0 {
                // The end, in the middle of a head: whoever is behind sees the end alone.
                return Poll::Ready(Ok(Read::Given));
            }
        }
    }

    /// Reads where nothing is held: at most to the end of a body, whose bytes are copied nowhere else.
    fn read_straight<T: AsyncRead + Unpin>(
        &self,
        io: &mut T,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (State::Body(left) | State::Chunked(Chunks::Data(left))) = self.state else {
            return Pin::new(io).poll_read(cx, buf);
        };
        let room = usize::try_from(left).unwrap_or(usize::MAX);
        if room >= buf.remaining() {
            // A part of the buffer would be filled with zeros first.
            return Pin::new(io).poll_read(cx, buf);
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(io).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        Poll::Ready(Ok(()))
    }

    fn read_more<T: AsyncRead + Unpin>(&mut self, io: &mut T, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [0; PIECE];
        let mut piece = ReadBuf::new(&mut piece);
        if matches!(self.state, State::Undecided) && self.held.len() >= PIECE {
            // Read again once that is decided.
            return Poll::Pending;
        }
        ready!(Pin::new(io).poll_read(cx, &mut piece))?;
        self.held.extend_from_slice(piece.filled());
        Poll::Ready(Ok(piece.filled().len()))
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let length = self.cleared.min(buf.remaining());
        buf.put_slice(self.held.get(..length).unwrap_or_default());
        self.held.advance(length);
        self.cleared -= length;
        if self.held.is_empty() {
            // Thousands of connections wait for their next request.
            self.held = BytesMut::new();
        }
    }
}

impl State {
    /// How many of these bytes may be passed on. At a flaw, what comes before it may.
    fn clear(&mut self, bytes: &[u8], limits: &HeadLimits, heads: &mut u64) -> usize {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return at;
            }
            match self {
                Self::Head(reader) => match reader.read(rest, limits) {
                    Ok(None) => return at,
                    Ok(Some(Head { length, body, upgrade })) => {
                        *heads += 1;
                        at += length;
                        *self = match body {
                            Body::Length(0) if upgrade => Self::Undecided,
                            Body::Length(0) => Self::default(),
                            Body::Length(length) => Self::Body(length),
                            Body::Chunked => Self::Chunked(Chunks::Size),
                        };
                    }
                    Err(flaw) => {
                        *self = Self::Flawed(flaw, Place::Head);
                        return at;
                    }
                },
                Self::Body(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    at += taken;
                    *left -= taken as u64;
                    if *left == 0 {
                        *self = Self::default();
                    }
                }
                Self::Chunked(chunks) => match chunks.read(rest, limits) {
                    Ok(taken) => {
                        at += taken;
                        if *chunks == Chunks::End {
                            *self = Self::default();
                        } else if taken == 0 {
                            return at;
                        }
                    }
                    Err(flaw) => {
                        *self = Self::Flawed(flaw, Place::Body);
                        return at;
                    }
                },
                Self::Tunnel => return bytes.len(),
                Self::Undecided | Self::Flawed(..) => return at,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::future::poll_fn;

    const LIMITS: HeadLimits = HeadLimits { bytes: 200, fields: 5, target: 100 };

    /// All that is let through of bytes that come in pieces, and what ended it.
    async fn through(pieces: &[&[u8]], buffer: usize) -> (Vec<u8>, Option<(Flaw, Place)>, u64) {
        let mut io = pieces_of(pieces);
        let mut http1 = Http1::default();
        let mut all = Vec::new();
        loop {
            let mut space = vec![0; buffer];
            let mut buf = ReadBuf::new(&mut space);
            let read = poll_fn(|cx| http1.poll_read(&mut io, cx, &mut buf, &LIMITS)).await.unwrap();
            match read {
                Read::Given if buf.filled().is_empty() => return (all, None, http1.heads()),
                Read::Given => all.extend_from_slice(buf.filled()),
                Read::Flawed(flaw, place) => return (all, Some((flaw, place)), http1.heads()),
            }
        }
    }

    /// One read for each piece.
    fn pieces_of(pieces: &[&[u8]]) -> impl AsyncRead + Unpin + use<> {
        struct Pieces(std::collections::VecDeque<Vec<u8>>);
        impl AsyncRead for Pieces {
            fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                if let Some(mut piece) = self.0.pop_front() {
                    let rest = piece.split_off(piece.len().min(buf.remaining()));
                    buf.put_slice(&piece);
                    if !rest.is_empty() {
                        self.0.push_front(rest);
                    }
                }
                Poll::Ready(Ok(()))
            }
        }
        Pieces(pieces.iter().filter(|piece| !piece.is_empty()).map(|piece| piece.to_vec()).collect())
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKED: &str = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

    #[tokio::test]
    async fn messages_go_through_as_they_are() {
        let all = [GET, POST, CHUNKED, GET].concat();
        for size in 1..all.len() {
            let pieces: Vec<&[u8]> = all.as_bytes().chunks(size).collect();
            for buffer in [1, 7, 4096] {
                let (through, flaw, heads) = through(&pieces, buffer).await;
                assert_eq!((String::from_utf8_lossy(&through), flaw, heads), (all.as_str().into(), None, 4));
            }
        }
    }

    #[tokio::test]
    async fn nothing_of_a_flawed_head_goes_through_and_all_before_it_does() {
        let bad = "GET / HTTP/1.1\r\nHost : a\r\n\r\n";
        let all = [POST, bad].concat();
        for size in 1..all.len() {
            let pieces: Vec<&[u8]> = all.as_bytes().chunks(size).collect();
            let (through, flaw, heads) = through(&pieces, 4096).await;
            assert_eq!(String::from_utf8_lossy(&through), POST);
            assert!(matches!(flaw, Some((Flaw::Head(_), Place::Head))), "{flaw:?}");
            assert_eq!(heads, 1);
        }
    }

    #[tokio::test]
    async fn a_flawed_body_is_cut_where_it_is_flawed() {
        let good = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc";
        let all = [good, "x\r\n0\r\n\r\n"].concat();
        let (through, flaw, _) = through(&[all.as_bytes()], 4096).await;
        assert_eq!(String::from_utf8_lossy(&through), good);
        assert!(matches!(flaw, Some((Flaw::Framing(_), Place::Body))), "{flaw:?}");
    }

    #[tokio::test]
    async fn half_a_head_is_the_end_of_the_connection_alone() {
        let (through, flaw, heads) = through(&[b"GET / HTTP/1.1\r\nHo"], 4096).await;
        assert_eq!((through.len(), flaw, heads), (0, None, 0));
    }

    #[tokio::test]
    async fn what_comes_after_an_upgrade_waits_until_it_is_one_and_is_not_looked_at_then() {
        let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        let all = [upgrade.as_bytes(), b"\x81\x01\n"].concat();
        let mut io = pieces_of(&[&all]);
        let mut http1 = Http1::default();
        let mut space = [0; 4096];
        let mut buf = ReadBuf::new(&mut space);
        poll_fn(|cx| http1.poll_read(&mut io, cx, &mut buf, &LIMITS)).await.unwrap();
        assert_eq!(buf.filled(), upgrade.as_bytes());
        buf.clear();
        http1.upgraded();
        poll_fn(|cx| http1.poll_read(&mut io, cx, &mut buf, &LIMITS)).await.unwrap();
        assert_eq!(buf.filled(), b"\x81\x01\n");
    }

    proptest! {
        /// However bytes come, what goes through is a beginning of them, and the same.
        #[test]
        fn pieces_make_no_difference(
            parts in proptest::collection::vec(prop_oneof![
                Just(GET.to_owned()), Just(POST.to_owned()), Just(CHUNKED.to_owned()),
                "[GHPT/ 1.0:\r\n\ta-f;]{0,30}", "\\PC{0,5}",
            ], 0..5),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let all = parts.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len() + 1)).collect();
            cuts.extend([0, all.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &all[pair[0]..pair[1]]).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let whole = runtime.block_on(through(&[&all], 4096));
            let cut = runtime.block_on(through(&pieces, 64));
            prop_assert!(all.starts_with(&whole.0));
            prop_assert_eq!(whole, cut);
        }
    }
}
