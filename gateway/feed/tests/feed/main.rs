//! The feed over real TLS: a server, and clients that follow it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod control;
mod support;

mod cache;
mod dial;
mod follow;
mod identity;
mod replicas;
mod skew;
mod slow;
