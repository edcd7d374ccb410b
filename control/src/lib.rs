//! The control plane: a cluster's objects in, snapshots for data planes and statuses out.
//!
//! **Owns** everything that speaks with the API server: watching objects, writing statuses, and who of several replicas
//! does the writing. What objects mean is `lychgate-translate`'s business; what a snapshot does is the data plane's.
//!
//! **Refuses** to delete or to take back anything because a view of the cluster is empty or not complete yet.
//!
//! ```text
//! API server ──watch──> Store ──translate──> slices ──feed──> data planes
//!     ^                                └───> statuses         │
//!     └────────────── status writer <─────────┴── acknowledged ┘
//! ```

pub mod args;
pub mod ca;
pub mod clock;
pub mod cluster;
mod events;
pub mod feed;
pub mod fleet;
pub mod lease;
pub mod observe;
pub mod process;
pub mod provision;
pub mod read;
pub mod revision;
pub mod status;
pub mod store;
pub mod translation;
pub mod watch;
