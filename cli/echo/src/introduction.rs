//! The PROXY protocol: whose connection a proxy says that it carries.

use std::io;
use std::net::SocketAddr;

use proxy_header::io::ProxiedStream;
use proxy_header::{ParseConfig, ProxiedAddress};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;

/// The header that a connection began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// `v1` or `v2`.
    pub version: String,
    /// The client; none where the proxy speaks for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SocketAddr>,
    /// What the client connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<SocketAddr>,
}

/// Reads the header of a connection that has begun with this byte.
///
/// # Errors
/// It is no header, or the connection ended within.
pub(crate) async fn read<IO>(first: u8, io: IO) -> io::Result<(ProxiedStream<IO>, Introduction)>
where
    IO: AsyncRead + Unpin,
{
    let version = if first == b'P' { "v1" } else { "v2" };
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    let stream = ProxiedStream::create_from_tokio(io, config).await?;
    let (source, destination) = stream.proxy_header().proxied_address().map(ends).unzip();
    Ok((stream, Introduction { version: version.to_owned(), source, destination }))
}

fn ends(address: &ProxiedAddress) -> (SocketAddr, SocketAddr) {
    (address.source, address.destination)
}
