//! What the echo server never exceeds, whatever a client asks for.

use std::time::Duration;

/// The longest body that it makes for `size`, or reads before it answers. Bytes. More answers 400 or 413.
/// A body that is streamed back (`echo=body`) is not kept and has no limit.
pub const MAX_BODY: u64 = 64 * 1024 * 1024;
/// The longest single pause of `delay` and `interval`.
pub const MAX_PAUSE: Duration = Duration::from_secs(60);
/// The longest that a request waits at a gate nobody opens; after that it goes on as if it had been opened.
pub const MAX_HOLD: Duration = Duration::from_secs(300);
/// The most pieces of `chunks`.
pub const MAX_CHUNKS: u32 = 1_000;
/// The most response headers that one request may ask for.
pub const MAX_KNOB_HEADERS: usize = 64;
/// The most keys that `fail` counts for; a new key beyond that answers 400.
pub const MAX_KEYS: usize = 10_000;
/// The most names of gates; a new name beyond that answers 400.
pub const MAX_GATES: usize = 1_024;
/// The requests kept for [`EchoServer::requests`](crate::EchoServer::requests), unless the configuration says otherwise.
/// The oldest goes first.
pub const DEFAULT_RECORDED: usize = 1_000;
/// How much of a request's body is kept in the record. Bytes.
pub const MAX_RECORDED_BODY: usize = 16 * 1024;
/// Connections served at once by one server; more wait in the kernel's queue.
pub const MAX_CONNECTIONS: usize = 16_384;
/// Streams at once on one HTTP/2 connection.
pub const MAX_STREAMS: u32 = 1_024;
/// Header fields of one request (HTTP/1.1), and their size in all. More answers 431.
pub const MAX_HEADERS: usize = 256;
/// The size of all header fields of one request. Bytes.
pub const MAX_HEADER_BYTES: usize = 128 * 1024;
/// The largest gRPC message that is read whole, as most gRPC servers have it. Bytes.
pub const MAX_GRPC_MESSAGE: usize = 4 * 1024 * 1024;
/// The largest WebSocket message. Bytes.
pub const MAX_WEBSOCKET_MESSAGE: usize = 16 * 1024 * 1024;
/// The longest line of the TCP conformance protocol. Bytes.
pub const MAX_LINE: u64 = 64 * 1024;
/// How long a client may take over a TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to send the headers of a request (HTTP/1.1).
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long [`EchoServer::shutdown`](crate::EchoServer::shutdown) waits for what is in flight before it cuts it.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
