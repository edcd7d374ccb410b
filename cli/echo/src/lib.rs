//! An echo server for every protocol that the gate carries.
//!
//! **Owns**: one process that answers HTTP/1.1, HTTP/2 (TLS and h2c), gRPC, WebSocket, TCP and UDP, and tells the
//! client what arrived. `lychgate echo` runs it as the quickstart's backend; tests run it in-process as a real backend
//! on a real socket, steer it per request ([knobs](#knobs)) and read what it saw ([`EchoServer::requests`]).
//!
//! **Refuses**: to route, to proxy, to be fast. It knows nothing of the gateway, so that a test of the gateway never
//! agrees with itself.
//!
//! # Knobs
//! A query parameter, or a header of the same name with `x-echo-` before it (the query wins). What is not a knob is
//! ignored; a knob with a value it cannot have answers 400 and says what it wants.
//!
//! | knob | meaning | limit |
//! |---|---|---|
//! | `status=503` | the status of the answer | 200..=599 |
//! | `delay=200ms` | wait before the headers | [`limits::MAX_PAUSE`] |
//! | `size=1048576` | a body of so many bytes ([`pattern`]) in place of the report | [`limits::MAX_BODY`] |
//! | `echo=body` | stream the request's body (and trailers) back as it comes | |
//! | `read=0` | answer without reading the request's body | |
//! | `chunks=5`, `interval=100ms` | the body in so many pieces, with a pause between them | [`limits::MAX_CHUNKS`], [`limits::MAX_PAUSE`] |
//! | `trailers=1` | trailers `x-echo-trailer: done` and `x-echo-body-bytes`; HTTP/1.1 needs `TE: trailers` (RFC 9110, 6.5.1) | |
//! | `header=name:value` | a response header; may repeat | [`limits::MAX_KNOB_HEADERS`] |
//! | `abort=close` (or `1`) | no answer: HTTP/1.1 closes the connection, HTTP/2 resets the stream | |
//! | `abort=reset` | no answer: TCP RST for the whole connection | |
//! | `abort=body` | headers, half the body, then as `close` | |
//! | `fail=2`, `key=abc` | only the first two requests with this key (default: the path) misbehave, by `status` (default 503), `abort`, `delay` and `hold`; the rest are answered well | [`limits::MAX_KEYS`] |
//! | `hold=name` | wait before the headers until [`EchoServer::release`] | [`limits::MAX_HOLD`] |
//! | `hold-body=name` | the same after half of the body | [`limits::MAX_HOLD`] |
//! | `grpc-status=14` | the status of a gRPC call, which then has no message | 0..=16 |
//!
//! The requests of the Gateway API conformance suite (`/status/N`, `/retry/…`, `/health`, `X-Echo-Set-Header`) mean the
//! same here as there: see `src/conformance.rs`.

mod body;
#[cfg(feature = "cli")]
pub mod cli;
mod config;
mod conformance;
mod connection;
mod flaky;
mod gates;
pub mod grpc;
mod http;
mod introduction;
mod journal;
mod knobs;
pub mod limits;
mod report;
mod server;
mod tcp;
mod tls;
mod udp;
mod websocket;

pub use body::pattern;
pub use config::{EchoConfig, EchoIdentity, RawMode};
pub use introduction::Introduction;
pub use journal::{BodySeen, Counts, Kind, Recorded};
pub use report::{EchoReport, TlsReport};
pub use server::{EchoServer, Port};
