//! Connections of clients: TLS ended, protocol chosen, requests handed to the proxy.

mod app;
mod current;
mod guard;
mod life;
mod parting;
mod peeked;
mod pieces;
mod pipe;
mod quota;
mod reclaim;
mod stream;
mod streams;
mod tls_facts;
mod trailers;
mod websocket;

pub(crate) use app::ConnectionApp;
pub(crate) use current::{Current, Ended, LastWord, await_client, cut_when, drop_at};
pub(crate) use guard::{Flaw, GuardLimits, HeadLimits};
pub(crate) use peeked::Peeked;
pub(crate) use quota::{Pass, Quotas};
pub(crate) use reclaim::Reclaimable;
pub(crate) use stream::TlsIo;
pub(crate) use tls_facts::TlsFacts;

use crate::proxy_protocol::Ends;
use crate::runtime::Bind;
use crate::upstream::{EndpointState, Introduction, Ownership};
use guard::CALM_DOWN;
use lychgate_ir::ProxyProtocol;
use parting::Parting;
use pipe::Pipe;
use reclaim::{Left, say, say_and_leave};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use streams::Streams;
use trailers::Trailers;

/// What is known of a connection before its first request.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The socket it was accepted on.
    pub(crate) bind: Bind,
    /// The client, and what it connected to: as the proxy in front says, if one does.
    pub(crate) ends: Ends,
    /// Present if TLS was ended here.
    pub(crate) tls: Option<Arc<TlsFacts>>,
    /// How it ends when its socket has to go.
    pub(crate) parting: Parting,
    /// Whether it turned out to speak HTTP/2: over TLS that is agreed on, in clear text it shows with the first request.
    pub(crate) http2: AtomicBool,
    /// Those of HTTP/2 that are being served.
    pub(crate) streams: Streams,
    /// Requests that have begun.
    pub(crate) requests: AtomicU64,
    /// Whether it was upgraded: no more requests come.
    pub(crate) tunnel: AtomicBool,
    /// Trailers of the response that is being written to a client of HTTP/1.1.
    pub(crate) trailers: Trailers,
    /// What the guard found.
    refused: Mutex<Option<Refused>>,
    /// Whether it is a stream of a connection of HTTP/2, served as a connection of its own.
    pub(crate) is_stream: bool,
    /// The stream itself, after its request was dropped.
    left: Left,
    /// Connections to backends that are told whose they are.
    owned: Ownership,
}

/// What a client sent that is not let in.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) flaw: Flaw,
    /// The beginning of the request, if it is one of HTTP/1 that nobody has heard of.
    pub(crate) head: Vec<u8>,
}

/// No more of a refused head is kept: it is for the log.
const HEAD_KEPT: usize = 4096;

impl Connection {
    pub(crate) fn new(bind: Bind, ends: Ends, tls: Option<TlsFacts>) -> Self {
        Self {
            bind,
            ends,
            tls: tls.map(Arc::new),
            parting: Parting::new(),
            http2: false.into(),
            streams: Streams::new(),
            requests: AtomicU64::new(0),
            tunnel: false.into(),
            trailers: Trailers::default(),
            refused: Mutex::default(),
            is_stream: false,
            left: Left::default(),
            owned: Ownership::default(),
        }
    }

    /// A stream of a connection, as a connection.
    fn of_stream(whole: &Self) -> Self {
        Self { is_stream: true, tls: whole.tls.clone(), ..Self::new(whole.bind, whole.ends, None) }
    }

    /// How a connection begins that is made for this one, to a backend that wants to be told whose it is.
    pub(crate) fn introduce(&self, version: ProxyProtocol) -> Introduction {
        self.owned.introduce(version, self.ends)
    }

    /// A connection was made for this one that will be pooled under this key.
    pub(crate) fn owns(&self, endpoint: &Arc<EndpointState>, key: u64) {
        self.owned.connected(endpoint, key);
    }

    /// The connection ends for this reason, and shall be left behind for a last word.
    fn refuse(&self, flaw: Flaw, head: &[u8]) {
        self.left.want();
        self.set_refused(flaw, head);
    }

    /// The running request is broken for this reason.
    fn blame(&self, flaw: Flaw) {
        self.set_refused(flaw, &[]);
    }

    fn set_refused(&self, flaw: Flaw, head: &[u8]) {
        let head = head.get(..HEAD_KEPT).unwrap_or(head).to_vec();
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Refused { flaw, head });
    }

    /// What the guard found, once.
    pub(crate) fn take_refused(&self) -> Option<Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
