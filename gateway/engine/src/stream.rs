//! Connections and datagrams that are carried without being read: TLSRoute, TCPRoute, UDPRoute.

mod relay;
mod table;
mod tcp;
mod udp;

pub(crate) use table::{StreamState, StreamTable};
pub(crate) use tcp::Streams;
pub(crate) use udp::serve as serve_udp;
