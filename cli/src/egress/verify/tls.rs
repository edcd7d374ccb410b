//! TLS and HTTP on a connection, to find out whether somebody beyond the gate answers: a gate that catches connections
//! accepts them itself.

use super::attempt::Found;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of an answer that are looked at.
const HEAD: usize = 1024;

/// Sends a ClientHello. Somebody answers it: a certificate that nobody believes in is an answer as well, and an alert is
/// none.
pub(super) async fn hello(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), name: &str) -> Found {
    let mut client = match client(name) {
        Ok(client) => client,
        Err(error) => return Found::Skipped(error),
    };
    let mut bytes = Vec::new();
    while client.wants_write() {
        if let Err(error) = client.write_tls(&mut bytes) {
            return Found::Skipped(error.to_string());
        }
    }
    if let Err(error) = stream.write_all(&bytes).await {
        return Found::of_error(&error);
    }
    let mut first = [0; 1];
    match stream.read_exact(&mut first).await {
        // Content types of RFC 8446 section 5.1.
        Ok(_) if first == [22] => Found::Through(format!("a TLS server answers for {name}")),
        Ok(_) if first == [21] => Found::Stopped("TLS alert".to_owned()),
        Ok(_) => Found::Stopped("what answers does not speak TLS".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Found::Stopped("closed without an answer".to_owned())
        }
        Err(error) => Found::of_error(&error),
    }
}

fn client(name: &str) -> Result<ClientConnection, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        // Nothing is said after the handshake, which never ends here.
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())
}

/// Sends a request of HTTP. A gate that refuses answers as well, with a status that says so.
pub(super) async fn request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), target: &str, host: &str) -> Found {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    match status(stream, request.as_bytes()).await {
        Ok(Some(status @ (403 | 407 | 429 | 502..=504 | 421 | 400))) => {
            Found::Stopped(format!("refused with {status}"))
        }
        Ok(Some(status)) => Found::Through(format!("answered with {status}")),
        Ok(None) => Found::Stopped("closed without an answer".to_owned()),
        Err(error) => Found::of_error(&error),
    }
}

/// Sends the head of a request, and reads the status of the answer; `None` if there is none.
pub(super) async fn status(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> io::Result<Option<u16>> {
    stream.write_all(request).await?;
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while head.len() < HEAD * 16 && !head.ends_with(b"\r\n\r\n") {
        // Byte by byte, because what follows is not ours to read.
        if stream.read(&mut byte).await? == 0 {
            break;
        }
        head.extend_from_slice(&byte);
    }
    let line = String::from_utf8_lossy(head.get(..head.len().min(HEAD)).unwrap_or_default()).into_owned();
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
    Ok(status)
}
