//! A WebSocket client.

use futures::{SinkExt as _, StreamExt as _, TryStreamExt as _};
use http::{Request, Response, Uri};
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::PATIENCE;
use crate::client::{ClientError, Connected, Dial, Payload};

/// What a WebSocket is spoken on.
trait Io: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin> Io for T {}

/// A WebSocket, open.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<Box<dyn Io>>,
    /// The answer to the handshake.
    pub handshake: Response<()>,
}

impl WebSocket {
    /// Connects and shakes hands. `url` is `ws://host/path`, or `wss://…` with a dial over TLS that offers `http/1.1`.
    ///
    /// # Errors
    /// No connection, or an answer other than 101: then [`ClientError::WebSocket`] holds
    /// [`Error::Http`] with the answer.
    pub async fn open(dial: &Dial, url: &str) -> Result<Self, ClientError> {
        let request = url.into_client_request().map_err(Box::new)?;
        Self::open_with(dial, request).await
    }

    /// The same with more header fields, such as `Sec-WebSocket-Protocol`.
    ///
    /// # Errors
    /// As [`WebSocket::open`].
    pub async fn open_with_headers(dial: &Dial, url: &str, headers: &[(&str, &str)]) -> Result<Self, ClientError> {
        let mut request = url.into_client_request().map_err(Box::new)?;
        for (name, value) in headers {
            let name = http::HeaderName::try_from(*name).map_err(|error| ClientError::Request(error.to_string()))?;
            let value = http::HeaderValue::try_from(*value).map_err(|error| ClientError::Request(error.to_string()))?;
            request.headers_mut().append(name, value);
        }
        Self::open_with(dial, request).await
    }

    async fn open_with(dial: &Dial, request: Request<()>) -> Result<Self, ClientError> {
        let host = Uri::host(request.uri()).unwrap_or_default().to_owned();
        let (stream, _) = dial.stream(&host).await?;
        let stream: Box<dyn Io> = Box::new(stream);
        let shaking = tokio_tungstenite::client_async(request, stream);
        let (stream, handshake) = patiently(shaking).await?;
        Ok(Self { stream, handshake: handshake.map(|_| ()) })
    }

    /// Opens one on a stream of an HTTP/2 connection (RFC 8441). `url` is as a request over that connection has it.
    ///
    /// # Errors
    /// The stream broke, or the answer is none of 200: then [`ClientError::WebSocket`] holds [`Error::Http`] with it.
    pub async fn open_on(connection: &mut Connected, url: &str, headers: &[(&str, &str)]) -> Result<Self, ClientError> {
        let mut request = Request::connect(url).header("sec-websocket-version", "13");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Payload::Empty).map_err(|error| ClientError::Request(error.to_string()))?;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let shaking = tokio::time::timeout(PATIENCE, connection.begin(request)).await;
        let mut response = shaking.unwrap_or(Err(ClientError::Impatient("the handshake")))?;
        let mut handshake = Response::new(());
        *handshake.status_mut() = response.status();
        *handshake.headers_mut() = response.headers().clone();
        if response.status() != http::StatusCode::OK {
            return Err(Box::new(Error::Http(Box::new(handshake.map(|()| None)))).into());
        }
        let stream: Box<dyn Io> = Box::new(TokioIo::new(hyper::upgrade::on(&mut response).await?));
        Ok(Self { stream: WebSocketStream::from_raw_socket(stream, Role::Client, None).await, handshake })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The other side takes no more.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), ClientError> {
        patiently(self.stream.send(message.into())).await
    }

    /// The next message, `None` after the last.
    ///
    /// # Errors
    /// The connection broke, or nothing came.
    pub async fn next(&mut self) -> Result<Option<Message>, ClientError> {
        patiently(async { self.stream.next().await.transpose() }).await
    }

    /// Sends a text message and gives back the next text message.
    ///
    /// # Errors
    /// The connection broke, or something else came.
    pub async fn ask(&mut self, text: &str) -> Result<String, ClientError> {
        self.send(Message::text(text)).await?;
        match self.next().await? {
            Some(Message::Text(text)) => Ok(text.to_string()),
            other => Err(ClientError::Request(format!("wanted a text message, got {other:?}"))),
        }
    }

    /// Sends these messages, and reads as many at the same time.
    ///
    /// # Errors
    /// The connection broke, or nothing came.
    pub async fn exchange(&mut self, messages: Vec<Message>) -> Result<Vec<Message>, ClientError> {
        let count = messages.len();
        let (mut sink, source) = (&mut self.stream).split();
        let sending = async {
            for message in messages {
                sink.send(message).await?;
            }
            Ok(())
        };
        let receiving = source.take(count).try_collect();
        patiently(async { futures::try_join!(sending, receiving).map(|((), received)| received) }).await
    }

    /// Closes in order and waits for the other side to do the same.
    ///
    /// # Errors
    /// The connection broke first.
    pub async fn close(mut self) -> Result<(), ClientError> {
        patiently(self.stream.close(None)).await?;
        while self.next().await?.is_some() {}
        Ok(())
    }
}

async fn patiently<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, ClientError> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => Ok(done.map_err(Box::new)?),
        Err(_) => Err(ClientError::Impatient("the WebSocket")),
    }
}
