//! Exact bytes: for what no proper client would send.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::PATIENCE;
use crate::client::{ClientError, Dial, Stream, TlsSeen};

/// A connection on which the test writes and reads bytes.
#[derive(Debug)]
pub struct RawConnection {
    stream: Stream,
    tls: Option<TlsSeen>,
    /// What was read beyond the last answer.
    ahead: Vec<u8>,
}

/// How the other side ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order.
    Closed,
    /// By a TCP RST, or without TLS's closing word.
    Reset,
}

/// An HTTP/1.1 answer as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    /// The status line, such as `HTTP/1.1 200 OK`.
    pub status_line: String,
    /// The status, or 0 if the line has none.
    pub status: u16,
    /// Header fields in order, names as sent.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Trailers in order.
    pub trailers: Vec<(String, String)>,
}

impl RawResponse {
    /// The first value of a header field, whatever the case of `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn find<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

impl RawConnection {
    /// Connects; `host` is the server name if it is TLS and no other was set.
    ///
    /// # Errors
    /// Whatever keeps the connection from being.
    pub async fn open(dial: &Dial, host: &str) -> Result<Self, ClientError> {
        let (stream, tls) = dial.stream(host).await?;
        Ok(Self { stream, tls, ahead: Vec::new() })
    }

    /// What TLS agreed on, if it is TLS.
    pub fn tls(&self) -> Option<&TlsSeen> {
        self.tls.as_ref()
    }

    /// The client's own address.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The other side takes no more.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Reads one answer to a request that was not HEAD. Interim answers (1xx but 101) are passed over.
    ///
    /// # Errors
    /// The connection ended before the answer did, or the answer is none.
    pub async fn response(&mut self) -> io::Result<RawResponse> {
        patiently(self.read_response(true)).await
    }

    /// Reads the answer to a HEAD request: no body follows whatever its head says.
    ///
    /// # Errors
    /// As [`RawConnection::response`].
    pub async fn response_to_head(&mut self) -> io::Result<RawResponse> {
        patiently(self.read_response(false)).await
    }

    /// Reads exactly so many bytes.
    ///
    /// # Errors
    /// The connection ended before.
    pub async fn read_exact(&mut self, size: usize) -> io::Result<Vec<u8>> {
        patiently(self.exactly(size)).await
    }

    /// Reads until the other side ends the connection, and says how it did.
    ///
    /// # Errors
    /// Nothing happened for as long as [`PATIENCE`], or the socket failed otherwise.
    pub async fn to_end(&mut self) -> io::Result<(Vec<u8>, Ending)> {
        patiently(async {
            loop {
                match self.more().await {
                    Ok(()) => {}
                    Err(error)
                        if error.kind() == io::ErrorKind::UnexpectedEof
                            && error.get_ref().is_some_and(|inner| inner.is::<Ended>()) =>
                    {
                        return Ok((std::mem::take(&mut self.ahead), Ending::Closed));
                    }
                    Err(error)
                        if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) =>
                    {
                        return Ok((std::mem::take(&mut self.ahead), Ending::Reset));
                    }
                    Err(error) => return Err(error),
                }
            }
        })
        .await
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, Ended)),
            size => {
                self.ahead.extend(buffer.iter().take(size));
                Ok(())
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..end + 2).take(end).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.more().await?;
        }
    }

    async fn fields(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    async fn read_response(&mut self, with_body: bool) -> io::Result<RawResponse> {
        loop {
            let status_line = self.line().await?;
            let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            let headers = self.fields().await?;
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let mut response = RawResponse { status_line, status, headers, body: Vec::new(), trailers: Vec::new() };
            if with_body && !matches!(status, 101 | 204 | 304) {
                self.read_body(&mut response).await?;
            }
            return Ok(response);
        }
    }

    async fn read_body(&mut self, response: &mut RawResponse) -> io::Result<()> {
        if response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            loop {
                let line = self.line().await?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(size, 16).map_err(|_| bad(&line))?;
                if size == 0 {
                    response.trailers = self.fields().await?;
                    return Ok(());
                }
                response.body.extend(self.exactly(size).await?);
                self.line().await?;
            }
        }
        if let Some(length) = response.header("content-length") {
            let length = length.parse().map_err(|_| bad(length))?;
            response.body = self.exactly(length).await?;
            return Ok(());
        }
        // RFC 9112, section 6.3: without a length, the body goes on until the connection ends.
        let (body, ending) = Box::pin(self.to_end()).await?;
        response.body = body;
        match ending {
            Ending::Closed => Ok(()),
            Ending::Reset => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    async fn exactly(&mut self, size: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < size {
            self.more().await?;
        }
        Ok(self.ahead.drain(..size).collect())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection ended")]
struct Ended;

fn bad(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP/1.1: {line:?}"))
}

async fn patiently<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing happened for {PATIENCE:?}"))))
}
