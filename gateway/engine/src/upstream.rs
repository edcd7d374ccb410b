//! Backends at run time: their endpoints, how one is picked, and how it is reached.

mod backend;
mod balance;
pub(crate) mod connect;
mod connector;
mod endpoint;
mod introduction;
mod negotiated;
mod open;
mod peer;
mod persistence;
mod pools;
mod resolver;

pub(crate) use backend::{BackendCell, BackendState, Reach};
pub(crate) use balance::Picked;
pub(crate) use connect::NotConnected;
pub(crate) use connector::{Offer, carry};
pub(crate) use endpoint::EndpointState;
pub(crate) use introduction::{Introduction, Ownership};
pub(crate) use negotiated::Version as HttpVersion;
pub(crate) use open::Open;
pub(crate) use peer::{leaving as leaving_peer, peer};
pub(crate) use persistence::Session;
pub(crate) use pools::Pools;
pub(crate) use resolver::{Names, Pace, Resolver};
