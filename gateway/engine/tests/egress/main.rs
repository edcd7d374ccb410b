//! What leaves through an egress Gateway: real clients, real origins, a real name server, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod certainty;
mod changes;
mod failures;
mod proxy;
mod sources;
mod support;
mod transparent;
