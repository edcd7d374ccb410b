//! Connections of clients: TLS ended, protocol chosen, requests handed to the proxy.

mod app;
mod current;
mod stream;

pub(crate) use app::ConnectionApp;
pub(crate) use current::{Current, set_deadline};
pub(crate) use stream::TlsIo;

use crate::runtime::Bind;
use http::HeaderValue;
use lychgate_ir::ListenerId;
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
    /// Whether a request is being served (HTTP/1 only; HTTP/2 keeps its own count).
    pub(crate) busy: AtomicBool,
}

/// What TLS said about the client.
#[derive(Debug)]
pub(crate) struct TlsFacts {
    /// The listener whose certificate was presented.
    pub(crate) listener: ListenerId,
    /// Who the client is, if it proved that with a certificate that the listener trusts; as backends are told.
    pub(crate) client: Option<HeaderValue>,
}
