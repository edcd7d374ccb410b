//! The least of HTTP/1.1 that a client needs to ask once and to hear the whole answer.

use anyhow::Context;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// No answer that is asked for here is longer.
const LONGEST: usize = 64 << 10;

/// Asks for `/`, and reads the answer to its end; it has to be 200.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> anyhow::Result<()> {
    anyhow::ensure!(is_there(stream, "/").await?, "an answer that is not 200");
    Ok(())
}

/// Whether the answer is 200. It is read to its end, which its length tells.
pub(crate) async fn is_there<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, path: &str) -> anyhow::Result<bool> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: bench.example.com\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut read = Vec::with_capacity(1024);
    loop {
        if let Some(whole) = whole(&read)? {
            return Ok(whole);
        }
        anyhow::ensure!(read.len() < LONGEST, "an answer that does not end");
        anyhow::ensure!(stream.read_buf(&mut read).await? > 0, "the connection ended before the answer did");
    }
}

/// Whether the answer is all there, and then whether it is 200.
fn whole(read: &[u8]) -> anyhow::Result<Option<bool>> {
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(read.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).context("no length")?;
    let length: usize = length.trim().parse()?;
    Ok((read.len() >= end + 4 + length).then(|| head.starts_with("http/1.1 200")))
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap(), None);
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab").unwrap(), None);
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").unwrap(), Some(true));
        assert_eq!(whole(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").unwrap(), Some(false));
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
