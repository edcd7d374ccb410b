//! What leaves through an egress Gateway: real clients, real origins, a real name server, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod beyond;
mod certainty;
mod changes;
mod credentials;
mod failures;
mod idle;
mod inspect;
mod leaving;
mod limits;
mod originate;
mod proxy;
mod routes;
mod sizes;
mod sources;
mod support;
mod transparent;
mod upgrades;
mod ways;
