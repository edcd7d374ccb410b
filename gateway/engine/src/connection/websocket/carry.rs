//! Bytes both ways between a stream of HTTP/2 and a pipe. Neither way waits for the other, and neither takes more than the
//! other end has room for.

use super::{Broken, Http2Stream};
use bytes::{Bytes, BytesMut};
use h2::SendStream;
use std::future::poll_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Bytes that are taken from the pipe in one go.
const PIECE: usize = 16 * 1024;

/// Carries until the backend has said its last word, or the client breaks off. What the backend said `ahead` comes first.
pub(super) async fn carry(mut stream: Http2Stream, pipe: DuplexStream, ahead: Bytes) -> Result<(), Broken> {
    let mut writer = stream.take_response_body_writer().ok_or(Broken::Impossible("a response without a body"))?;
    let (mut from, mut to) = tokio::io::split(pipe);
    let up = async {
        while let Some(piece) = poll_fn(|cx| stream.poll_read_body_bytes(cx)).await {
            to.write_all(&piece?).await?;
        }
        // RFC 8441 section 5: the end of the stream is the end of what a connection would have carried.
        to.shutdown().await?;
        // The backend has the last word.
        std::future::pending::<Result<(), Broken>>().await
    };
    let down = async {
        send(&mut writer, ahead).await?;
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            let read = tokio::select! {
                read = from.read_buf(&mut piece) => read?,
                reset = poll_fn(|cx| writer.poll_reset(cx)) => return Err(Broken::Reset(reset?)),
            };
            if read == 0 {
                writer.send_data(Bytes::new(), true)?;
                return Ok(());
            }
            send(&mut writer, piece.freeze()).await?;
        }
    };
    tokio::select! {
        down = down => down,
        up = up => up,
    }
}

/// Sends a piece as far as the client has room, and waits until it has room for the rest.
pub(super) async fn send(writer: &mut SendStream<Bytes>, mut piece: Bytes) -> Result<(), Broken> {
    while !piece.is_empty() {
        writer.reserve_capacity(piece.len());
        let room = poll_fn(|cx| writer.poll_capacity(cx)).await;
        let room = room.ok_or(Broken::Impossible("a stream that takes nothing any more"))??;
        if room > 0 {
            writer.send_data(piece.split_to(room.min(piece.len())), false)?;
        }
    }
    Ok(())
}
