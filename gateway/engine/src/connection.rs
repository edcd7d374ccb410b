//! Connections of clients: TLS ended, protocol chosen, requests handed to the proxy.

mod app;
mod current;
mod parting;
mod peeked;
mod reclaim;
mod stream;
mod tls_facts;

pub(crate) use app::ConnectionApp;
pub(crate) use current::{Current, Ended, LastWord, drop_at};
pub(crate) use peeked::Peeked;
pub(crate) use reclaim::Reclaimable;
pub(crate) use stream::TlsIo;
pub(crate) use tls_facts::TlsFacts;

use crate::runtime::Bind;
use parting::Parting;
use reclaim::Left;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;

/// What is known of a connection before its first request.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The socket it was accepted on.
    pub(crate) bind: Bind,
    /// The client's end.
    pub(crate) peer: SocketAddr,
    /// Present if TLS was ended here.
    pub(crate) tls: Option<TlsFacts>,
    /// How it ends when its socket has to go.
    pub(crate) parting: Parting,
    /// Whether it turned out to speak HTTP/2: over TLS that is agreed on, in clear text it shows with the first request.
    pub(crate) http2: AtomicBool,
    /// The stream itself, after its request was dropped.
    left: Left,
}

impl Connection {
    pub(crate) fn new(bind: Bind, peer: SocketAddr, tls: Option<TlsFacts>) -> Self {
        Self { bind, peer, tls, parting: Parting::new(), http2: false.into(), left: Left::default() }
    }
}
