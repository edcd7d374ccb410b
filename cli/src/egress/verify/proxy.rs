//! Tunnels through the proxy.

use super::attempt::Found;
use super::plan::ProxyUrl;
use super::tls::status;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks for a tunnel with CONNECT.
pub(super) async fn connect(proxy: &ProxyUrl, to: &str) -> Result<TcpStream, Found> {
    let mut stream = proxy.connect().await.map_err(|error| unreachable(&error))?;
    let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
    match status(&mut stream, request.as_bytes()).await {
        Ok(Some(200..=299)) => Ok(stream),
        Ok(Some(status)) => Err(Found::Stopped(format!("the proxy refuses with {status}"))),
        Ok(None) => Err(Found::Stopped("the proxy closes without an answer".to_owned())),
        Err(error) => Err(Found::of_error(&error)),
    }
}

/// Asks for a tunnel with SOCKS5 (RFC 1928), by name.
pub(super) async fn socks(proxy: &ProxyUrl, host: &str, port: u16) -> Result<TcpStream, Found> {
    let mut stream = proxy.connect().await.map_err(|error| unreachable(&error))?;
    match socks_on(&mut stream, host, port).await {
        Ok(0) => Ok(stream),
        Ok(code) => Err(Found::Stopped(format!("the proxy refuses with SOCKS5 reply {code}"))),
        Err(error) => Err(Found::Stopped(format!("the proxy ends it: {error}"))),
    }
}

async fn socks_on(stream: &mut TcpStream, host: &str, port: u16) -> io::Result<u8> {
    stream.write_all(&[5, 1, 0]).await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await?;
    if chosen != [5, 0] {
        return Err(io::Error::other("it wants a login"));
    }
    let length = u8::try_from(host.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut request = vec![5, 1, 0, 3, length];
    request.extend_from_slice(host.as_bytes());
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).await?;
    let mut reply = [0; 4];
    stream.read_exact(&mut reply).await?;
    let [_, code, _, kind] = reply;
    let rest = match kind {
        1 => 4,
        4 => 16,
        _ => usize::from(stream.read_u8().await?),
    };
    let mut bound = vec![0; rest + 2];
    stream.read_exact(&mut bound).await?;
    Ok(code)
}

fn unreachable(error: &io::Error) -> Found {
    Found::Unreachable(format!("the proxy cannot be reached: {error}"))
}
