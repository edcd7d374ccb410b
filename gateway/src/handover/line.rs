//! A connection of the two processes: frames, and descriptors beside them.

use super::message::{FrameError, Message};
use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// Descriptors in one message. The kernel takes 253 (SCM_MAX_FD, unix(7)).
const BATCH: usize = 64;

/// Descriptors go with a byte; this one.
const MARK: u8 = b'S';

/// Why the other side was not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// It is gone.
    #[error("the other process is gone")]
    Gone,
    /// It took too long.
    #[error("the other process did not answer in time")]
    Late,
    /// It sent something else.
    #[error("{0}")]
    Nonsense(String),
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Gone,
            _ => Self::Nonsense(error.to_string()),
        }
    }
}

impl From<FrameError> for LineError {
    fn from(error: FrameError) -> Self {
        Self::Nonsense(error.to_string())
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Line(UnixStream);

impl Line {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Who is at the other end.
    pub(super) fn uid(&self) -> io::Result<u32> {
        Ok(self.0.peer_cred()?.uid())
    }

    /// Its process id, if the system tells.
    pub(super) fn pid(&self) -> Option<i32> {
        self.0.peer_cred().ok()?.pid()
    }

    pub(super) async fn say(&mut self, message: &Message, within: Duration) -> Result<(), LineError> {
        let frame = message.frame()?;
        limited(within, async { Ok(self.0.write_all(&frame).await?) }).await
    }

    pub(super) async fn hear(&mut self, within: Duration) -> Result<Message, LineError> {
        limited(within, async {
            let mut head = [0; 4];
            self.0.read_exact(&mut head).await?;
            let mut json = vec![0; Message::length(head)?];
            self.0.read_exact(&mut json).await?;
            Ok(Message::parse(&json)?)
        })
        .await
    }

    /// Sends descriptors; the other side gets its own for the same sockets (SCM_RIGHTS, unix(7)).
    pub(super) async fn pass(&mut self, sockets: &[BorrowedFd<'_>], within: Duration) -> Result<(), LineError> {
        limited(within, async {
            for batch in sockets.chunks(BATCH) {
                let send = || {
                    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(BATCH))];
                    let mut control = SendAncillaryBuffer::new(&mut space);
                    if !control.push(SendAncillaryMessage::ScmRights(batch)) {
                        return Err(io::Error::other("too many sockets for one message"));
                    }
                    Ok(sendmsg(&self.0, &[IoSlice::new(&[MARK])], &mut control, SendFlags::NOSIGNAL)?)
                };
                self.0.async_io(Interest::WRITABLE, send).await?;
            }
            Ok(())
        })
        .await
    }

    /// Gets exactly so many descriptors.
    pub(super) async fn get(&mut self, count: usize, within: Duration) -> Result<Vec<OwnedFd>, LineError> {
        limited(within, async {
            let mut sockets = Vec::with_capacity(count);
            while sockets.len() < count {
                let got = self.0.async_io(Interest::READABLE, || self.get_some()).await?;
                if got.is_empty() {
                    return Err(LineError::Nonsense("a message without the sockets that it should have".into()));
                }
                sockets.extend(got);
            }
            match sockets.len() == count {
                true => Ok(sockets),
                false => Err(LineError::Nonsense(format!("{} sockets instead of {count}", sockets.len()))),
            }
        })
        .await
    }

    fn get_some(&self) -> io::Result<Vec<OwnedFd>> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(BATCH))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut mark = [0];
        let got = recvmsg(&self.0, &mut [IoSliceMut::new(&mut mark)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let sockets = control
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
                _ => None,
            })
            .flatten()
            .collect();
        if got.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if mark != [MARK] {
            return Err(io::Error::other("sockets were expected, and something else came"));
        }
        if got.flags.contains(ReturnFlags::CTRUNC) {
            return Err(io::Error::other("not all sockets could be received; is the limit of open files too low?"));
        }
        Ok(sockets)
    }
}

async fn limited<T>(within: Duration, work: impl Future<Output = Result<T, LineError>>) -> Result<T, LineError> {
    tokio::time::timeout(within, work).await.unwrap_or(Err(LineError::Late))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    const SOON: Duration = Duration::from_secs(10);

    fn pair() -> (Line, Line) {
        let (one, other) = UnixStream::pair().unwrap();
        (Line(one), Line(other))
    }

    #[tokio::test]
    async fn sockets_arrive_in_order_and_are_the_same() {
        let (mut one, mut other) = pair();
        let held: Vec<_> = (0..150).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let sockets: Vec<_> = held.iter().map(AsFd::as_fd).collect();
        let (passed, got) = tokio::join!(one.pass(&sockets, SOON), other.get(150, SOON));
        passed.unwrap();
        for (held, got) in held.iter().zip(got.unwrap()) {
            let got = std::net::TcpListener::from(got);
            assert_eq!(got.local_addr().unwrap(), held.local_addr().unwrap());
        }
        // Nothing of it is left in the way of what is said next.
        one.say(&Message::Yours, SOON).await.unwrap();
        assert_eq!(other.hear(SOON).await.unwrap(), Message::Yours);
    }

    #[tokio::test]
    async fn a_wrong_number_of_sockets_is_nonsense() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut one, mut other) = pair();
        one.pass(&[held.as_fd(), held.as_fd()], SOON).await.unwrap();
        assert!(
            matches!(other.get(1, SOON).await, Err(LineError::Nonsense(why)) if why.contains("2 sockets instead of 1"))
        );
        let (mut one, mut other) = pair();
        one.0.write_all(&[MARK]).await.unwrap();
        assert!(matches!(other.get(1, SOON).await, Err(LineError::Nonsense(why)) if why.contains("without")));
        let (mut one, mut other) = pair();
        one.pass(&[held.as_fd()], SOON).await.unwrap();
        drop(one);
        assert!(matches!(other.get(2, SOON).await, Err(LineError::Gone)));
        let (mut one, mut other) = pair();
        one.say(&Message::Yours, SOON).await.unwrap();
        assert!(matches!(other.get(1, SOON).await, Err(LineError::Nonsense(why)) if why.contains("something else")));
    }

    #[tokio::test]
    async fn frames_that_are_none_end_it() {
        for (bytes, what) in
            [(&[255, 255, 255, 255][..], "longer"), (b"\0\0\0\x02{]", "no message"), (b"GET / HTTP/1.1\r\n", "longer")]
        {
            let (mut one, mut other) = pair();
            one.0.write_all(bytes).await.unwrap();
            assert!(matches!(other.hear(SOON).await, Err(LineError::Nonsense(why)) if why.contains(what)), "{bytes:?}");
        }
        let (mut one, mut other) = pair();
        one.0.write_all(&[0, 0, 0, 9, b'{']).await.unwrap();
        assert!(matches!(other.hear(Duration::from_millis(10)).await, Err(LineError::Late)));
        drop(one);
        assert!(matches!(other.hear(SOON).await, Err(LineError::Gone)));
    }
}
