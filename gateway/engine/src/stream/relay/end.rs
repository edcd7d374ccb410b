//! What bytes are carried between.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// One end of a stream.
pub(crate) trait End: AsyncRead + AsyncWrite + Unpin {
    /// Whether its bytes, from here on, are those of a socket, so that they can go from one to another without being
    /// looked at.
    fn is_socket(&self) -> bool;

    /// That socket. What was read of it already is not told again.
    fn socket(&mut self) -> Option<Socket<'_>>;
}

/// A socket, and what was read of it before.
pub(crate) struct Socket<'a> {
    pub(crate) seen: Bytes,
    pub(crate) tcp: &'a mut TcpStream,
}

impl End for TcpStream {
    fn is_socket(&self) -> bool {
        true
    }

    fn socket(&mut self) -> Option<Socket<'_>> {
        Some(Socket { seen: Bytes::new(), tcp: self })
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> End for TlsStream<IO> {
    fn is_socket(&self) -> bool {
        false
    }

    fn socket(&mut self) -> Option<Socket<'_>> {
        None
    }
}

#[cfg(test)]
impl End for tokio::io::DuplexStream {
    fn is_socket(&self) -> bool {
        false
    }

    fn socket(&mut self) -> Option<Socket<'_>> {
        None
    }
}
