//! Any beginning of a connection, in any pieces: a backend behind passthrough gets what the client has sent, byte for
//! byte, and the name that was read is the name that was asked for.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::Peeked;
use rustls::client::ClientConnection;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::server::Acceptor;
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_rustls::LazyConfigAcceptor;

/// A client that sends these bytes, a few at a time, and never waits.
struct Client<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl AsyncRead for Client<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = self.piece.min(self.bytes.len()).min(buf.remaining());
        let (now, later) = self.bytes.split_at(length);
        buf.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Nothing here waits for anything.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("somebody waits"),
    }
}

/// The server name that was read, or none where this is no ClientHello; and all that comes after rewinding.
fn peek(bytes: &[u8], piece: usize) -> (Option<Option<String>>, Vec<u8>) {
    let mut acceptor = LazyConfigAcceptor::new(Acceptor::default(), Peeked::new(Client { bytes, piece }));
    let (name, mut peeked) = match now(&mut acceptor) {
        Ok(start) => (Some(start.client_hello().server_name().map(ToOwned::to_owned)), start.io),
        Err(_) => (None, acceptor.take_io().unwrap()),
    };
    peeked.rewind();
    let mut all = Vec::new();
    now(peeked.read_to_end(&mut all)).unwrap();
    (name, all)
}

#[test]
fn fuzz_client_hello() {
    bolero::check!(name = "client_hello").for_each(|bytes| {
        let (name, all) = peek(bytes, usize::MAX);
        assert!(all == bytes, "something else is passed on than was sent");
        for piece in [1, 7] {
            let (again, all) = peek(bytes, piece);
            assert!(all == bytes, "something else is passed on than was sent, in pieces of {piece}");
            assert_eq!(again, name, "in pieces of {piece}");
        }
    });
}

/// A ClientHello for a name, cut into records at these places, with something after it.
#[test]
fn fuzz_client_hello_cut() {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    let hellos = ["a.example", "10.0.0.1", "a.very-long-label-of-some-length.b.c.d.e.example.com"].map(|name| {
        let asked = (!name.starts_with("10.")).then(|| name.to_owned());
        let name = ServerName::try_from(name).unwrap();
        let mut sent = Vec::new();
        ClientConnection::new(config.clone(), name).unwrap().write_tls(&mut sent).unwrap();
        (asked, sent)
    });
    bolero::check!().with_type::<(u8, Vec<u8>, Vec<u8>, u8)>().for_each(|(which, cuts, after, piece)| {
        let (asked, hello) = &hellos[usize::from(*which) % hellos.len()];
        let sent = [records(hello, cuts), after.clone()].concat();
        let (name, all) = peek(&sent, usize::from(*piece) + 1);
        assert!(all == sent, "something else is passed on than was sent");
        assert_eq!(name.as_ref(), Some(asked));
    });
}

/// The one record of a handshake as several, each with as much as a cut says (RFC 8446 section 5.1).
fn records(record: &[u8], cuts: &[u8]) -> Vec<u8> {
    let (header, mut rest) = record.split_at(5);
    let mut all = Vec::new();
    let mut cuts = cuts.iter().map(|cut| usize::from(*cut) + 1).chain(std::iter::repeat(usize::MAX));
    while !rest.is_empty() {
        let (now, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
        all.extend_from_slice(&header[..3]);
        all.extend_from_slice(&u16::try_from(now.len()).unwrap().to_be_bytes());
        all.extend_from_slice(now);
        rest = later;
    }
    all
}

/// What never becomes a ClientHello is given up before it takes much memory.
#[test]
fn a_client_hello_without_end_is_given_up() {
    let whole = [&[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[0; 0x4000 - 4]].concat();
    let part = [&[22, 3, 1, 0x40, 0][..], &[0; 0x4000]].concat();
    let floods = [
        ("a hello of 16 MiB", [whole, part.repeat(100)].concat()),
        ("empty pieces", [22, 3, 1, 0, 0].repeat(200_000)),
        ("pieces of one byte", [&[22, 3, 1, 0, 1, 1][..], &[22, 3, 1, 0, 1, 0].repeat(200_000)].concat()),
        ("alerts", [21, 3, 1, 0, 2, 1, 0].repeat(200_000)),
        ("changes of cipher", [20, 3, 1, 0, 1, 1].repeat(200_000)),
    ];
    for (what, bytes) in &floods {
        let client = Client { bytes, piece: 4096 };
        let mut acceptor = LazyConfigAcceptor::new(Acceptor::default(), Peeked::new(client));
        assert!(now(&mut acceptor).is_err(), "{what}");
        let read = bytes.len() - acceptor.take_io().unwrap().io.bytes.len();
        assert!(read <= 80 * 1024, "{what}: {read} bytes were read");
    }
}
