//! Bodies that a client sends.

use std::io;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use tokio::sync::mpsc;

/// The body of a request.
#[derive(Debug, Default)]
pub enum Payload {
    /// None.
    #[default]
    Empty,
    /// All at once, its length declared.
    Whole(Bytes),
    /// In one piece, its length not declared, with trailers after it.
    Trailed(Bytes, HeaderMap),
    /// As it is fed.
    Fed(mpsc::Receiver<io::Result<Frame<Bytes>>>),
}

impl Payload {
    /// A body that comes as the test feeds it; it ends when the [`Feed`] is dropped.
    pub fn fed() -> (Feed, Self) {
        let (sender, receiver) = mpsc::channel(1);
        (Feed(sender), Self::Fed(receiver))
    }

    pub(super) fn into_body(self) -> UnsyncBoxBody<Bytes, io::Error> {
        match self {
            Self::Empty => Empty::new().map_err(|never| match never {}).boxed_unsync(),
            Self::Whole(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
            Self::Trailed(bytes, trailers) => {
                let frames = [Ok(Frame::data(bytes)), Ok(Frame::trailers(trailers))];
                StreamBody::new(stream::iter(frames)).boxed_unsync()
            }
            Self::Fed(receiver) => {
                let frames = stream::unfold(receiver, |mut receiver| async move {
                    receiver.recv().await.map(|frame| (frame, receiver))
                });
                StreamBody::new(frames.boxed()).boxed_unsync()
            }
        }
    }
}

impl From<()> for Payload {
    fn from((): ()) -> Self {
        Self::Empty
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl From<&'static str> for Payload {
    fn from(text: &'static str) -> Self {
        Self::Whole(text.into())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Whole(text.into())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Whole(bytes.into())
    }
}

/// The test's end of a body.
#[derive(Debug)]
pub struct Feed(mpsc::Sender<io::Result<Frame<Bytes>>>);

impl Feed {
    /// Sends a piece; `false` if nobody takes it any more.
    pub async fn data(&self, data: impl Into<Bytes>) -> bool {
        self.0.send(Ok(Frame::data(data.into()))).await.is_ok()
    }

    /// Ends the body with trailers.
    pub async fn trailers(self, trailers: HeaderMap) -> bool {
        self.0.send(Ok(Frame::trailers(trailers))).await.is_ok()
    }

    /// Breaks the body off: HTTP/1.1 closes the connection, HTTP/2 resets the stream.
    pub async fn abort(self) -> bool {
        self.0.send(Err(io::Error::other("the test breaks off"))).await.is_ok()
    }
}
