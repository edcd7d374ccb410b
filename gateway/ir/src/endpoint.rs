//! Endpoints: the addresses behind a backend. They change far more often than anything else, so they travel alone.

use crate::BackendId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// The endpoints of every backend that has [`crate::Resolution::Endpoints`].
pub type Endpoints = BTreeMap<BackendId, Arc<EndpointSet>>;

/// The endpoints of one backend, sorted by address, without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSet {
    /// The endpoints. Those that are not serving are not listed.
    #[serde(deserialize_with = "crate::dump::exact")]
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint that can serve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where it is.
    pub address: EndpointAddress,
    /// Still serving but about to go: used only while no other endpoint is ready (KEP-1669), and it keeps its sessions.
    pub terminating: bool,
}

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EndpointAddress {
    /// An IP address and port.
    Ip(SocketAddr),
    /// An EndpointSlice of address type FQDN: resolved in the data plane.
    Name {
        /// The name to resolve.
        hostname: Arc<str>,
        /// The port to connect to.
        port: u16,
    },
}
