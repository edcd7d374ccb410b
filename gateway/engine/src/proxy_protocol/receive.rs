//! Reads a header from a connection: its bytes and none of those behind it, so that whoever serves the connection need
//! not know.

use super::{Ends, Malformed, Progress, Said, parse};
use ipnet::IpNet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Bytes that are looked at in one go. A header without certificates among its TLVs is shorter: it is meant to fit into
/// the smallest segment that every host takes.
const WINDOW: usize = 536;

/// The proxies that are believed, by address. Nobody else is listened to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proxies(Vec<IpNet>);

/// Why a connection of a proxy is not served.
#[derive(Debug)]
pub(crate) enum Unproven {
    /// It ended before it began: a look at whether the port is open.
    Silent,
    /// It did not begin with a header, or not with a whole one.
    Malformed(&'static str),
    /// It broke.
    Broken(io::Error),
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("it ended without a word"),
            Self::Malformed(why) => f.write_str(why),
            Self::Broken(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Unproven {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<Malformed> for Unproven {
    fn from(Malformed(why): Malformed) -> Self {
        Self::Malformed(why)
    }
}

impl Proxies {
    pub(crate) fn new(addresses: Vec<IpNet>) -> Self {
        Self(addresses)
    }

    /// Whether connections from an address begin with a header.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// The ends of an accepted connection: those that it was introduced with if it comes from a proxy, else its own.
pub(crate) async fn ends(proxies: &Proxies, tcp: &mut TcpStream, peer: SocketAddr) -> Result<Ends, Unproven> {
    let own = Ends::new(peer, tcp.local_addr()?);
    if proxies.has(peer.ip()) { receive(tcp, own).await } else { Ok(own) }
}

/// The ends that a header tells; those of the connection itself if it tells none.
async fn receive(tcp: &mut TcpStream, own: Ends) -> Result<Ends, Unproven> {
    let mut seen = Vec::with_capacity(WINDOW);
    loop {
        let taken = seen.len();
        seen.resize(taken + WINDOW, 0);
        let fresh = tcp.peek(seen.get_mut(taken..).unwrap_or_default()).await?;
        if fresh == 0 {
            return Err(if taken == 0 { Unproven::Silent } else { Unproven::Malformed("it ended within a header") });
        }
        seen.truncate(taken + fresh);
        let (length, said) = match parse(&seen)? {
            Progress::Whole(length, said) => (length, Some(said)),
            Progress::Part => (seen.len(), None),
        };
        // They are there, so this waits for nothing.
        tcp.read_exact(seen.get_mut(taken..length).unwrap_or_default()).await?;
        match said {
            Some(Said::Ends(ends)) => return Ok(ends),
            Some(Said::Nothing) => return Ok(own),
            None => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    /// What is received of a client that sends these pieces, and what can still be read of it.
    async fn received(pieces: &[&[u8]]) -> (Result<Ends, Unproven>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.set_nodelay(true).unwrap();
        let (mut tcp, peer) = listener.accept().await.unwrap();
        let own = Ends::new(peer, tcp.local_addr().unwrap());
        let sending = async {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            client.shutdown().await.unwrap();
        };
        let (received, ()) = tokio::join!(receive(&mut tcp, own), sending);
        let mut rest = Vec::new();
        tcp.read_to_end(&mut rest).await.unwrap();
        (received.inspect(|ends| assert!(*ends != own)), rest)
    }

    const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 443\r\n";

    fn told() -> Ends {
        Ends::new("192.0.2.1:4000".parse().unwrap(), "192.0.2.2:443".parse().unwrap())
    }

    #[tokio::test]
    async fn the_header_is_taken_and_nothing_behind_it() {
        let block = super::super::v2::write(told());
        let long = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11"[..], &2012_u16.to_be_bytes(), &block[16..], &[0; 2000]].concat();
        for header in [LINE, &block, &long] {
            let whole = [header, b"PROXY is what comes next\r\n"].concat();
            let (ends, rest) = received(&[&whole]).await;
            assert_eq!((ends.unwrap(), rest.as_slice()), (told(), &b"PROXY is what comes next\r\n"[..]));
            let bytes: Vec<&[u8]> = whole.chunks(1).collect();
            let (ends, rest) = received(&bytes).await;
            assert_eq!((ends.unwrap(), rest.as_slice()), (told(), &b"PROXY is what comes next\r\n"[..]));
        }
    }

    #[tokio::test]
    async fn a_connection_that_ends_too_early_is_not_served() {
        let (silent, _) = received(&[]).await;
        assert!(matches!(silent, Err(Unproven::Silent)), "{silent:?}");
        let (cut, _) = received(&[&LINE[..20]]).await;
        assert!(matches!(cut, Err(Unproven::Malformed(_))), "{cut:?}");
    }

    #[tokio::test]
    async fn what_is_no_header_is_known_by_its_first_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut tcp, peer) = listener.accept().await.unwrap();
        client.write_all(b"GE").await.unwrap();
        // The client waits for an answer, and says nothing more.
        let ends = receive(&mut tcp, Ends::new(peer, peer)).await;
        assert!(matches!(ends, Err(Unproven::Malformed(_))), "{ends:?}");
    }

    #[tokio::test]
    async fn a_proxy_that_tells_nothing_is_taken_for_the_client() {
        for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut tcp, peer) = listener.accept().await.unwrap();
            client.write_all(header).await.unwrap();
            let own = Ends::new(peer, tcp.local_addr().unwrap());
            assert_eq!(receive(&mut tcp, own).await.unwrap(), own);
        }
    }

    #[tokio::test]
    async fn only_proxies_are_listened_to() {
        let proxies = |nets: &[&str]| Proxies::new(nets.iter().map(|net| net.parse().unwrap()).collect());
        let all = proxies(&["10.0.0.0/8", "2001:db8::1/128"]);
        for (address, listened) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("11.1.2.3", false),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
        ] {
            assert_eq!(all.has(address.parse().unwrap()), listened, "{address}");
        }
        assert!(!proxies(&[]).has("127.0.0.1".parse().unwrap()));
    }
}
