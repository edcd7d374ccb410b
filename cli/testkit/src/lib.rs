//! Certificates and clients for end-to-end tests.
//!
//! **Owns**: a public key infrastructure in memory ([`Authority`], [`Leaf`]), TLS settings from it ([`ClientTls`],
//! [`server_tls`]), and clients that say what they got: HTTP/1.1, h2c and HTTP/2 over TLS to a fixed address with any
//! name ([`Dial`]), exact bytes ([`RawConnection`]), WebSocket ([`WebSocket`]), gRPC ([`grpc`]), a name server and its
//! clients ([`dns`]).
//!
//! **Refuses**: to be used outside tests. What goes wrong in building a certificate panics, because a test that cannot
//! be set up has failed. What goes wrong on the wire is a [`ClientError`], because a test may want exactly that.
//! Nothing waits longer than [`PATIENCE`].

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed, and says where")]

mod client;
pub mod dns;
pub mod grpc;
mod pki;
mod ports;
mod raw;
mod tls;
mod websocket;

use std::time::Duration;

pub use client::{ClientError, Connected, Dial, Feed, Payload, Reply, TlsSeen};
pub use pki::{Authority, KeyKind, Leaf, LeafBuilder};
pub use ports::{free_addr, free_addrs, free_udp_addr};
pub use raw::{Ending, RawConnection, RawResponse};
pub use tls::{ClientTls, server_tls, server_tls_asking_clients, server_tls_by_name};
pub use websocket::WebSocket;

/// The longest that any helper waits for the other side. Far longer than anything takes on a busy machine, so that
/// running into it means that something hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);
