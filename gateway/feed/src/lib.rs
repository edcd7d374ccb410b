//! How snapshots travel from the control plane to data planes.
//!
//! **Owns** the wire: what is sent, in which order, what is acknowledged, who may have it, and what a data plane keeps on
//! disk for the day when nobody answers.
//!
//! **Refuses** to know where a snapshot comes from (that is the control plane), how it is served (that is the engine), and
//! anything of a cluster's API.
//!
//! ```text
//! publish(group, Snapshot, Endpoints)                          Config { Snapshot, Endpoints }
//!         │                                                            ^        │ Outcome
//!       Feed ── what is new since what this client has ──TLS──> Client ┴─> cache on disk
//!         ^                                                            │
//!         └──── Ack { version, rejected rules, sockets not bound } <───┘
//! ```
//!
//! **A snapshot is a set of resources**: listeners, routes, backends, certificates, endpoints. Each has a name and a hash;
//! only those travel that the other side does not have, whichever replica of the control plane it had them from. An update
//! is applied as a whole or not at all.
//!
//! **What is not understood fails closed.** A newer control plane may send what an older data plane does not know: it
//! becomes a refusal for its rule, and is said in the acknowledgement. Fields that are not known are passed over, unless
//! the resource says that they must be understood.
//!
//! **Latest wins.** A client has one update under way at most, and the next one holds all that came meanwhile; a slow one
//! delays nobody but itself.
//!
//! **Every replica serves, one hears all.** The control plane has several replicas, and statuses are the business of one. The
//! others tell it who follows them and what was acknowledged ([`relay`]), in words that mean the same to all: hashes of content.

mod ack;
mod cache;
mod channel;
pub mod client;
pub mod enroll;
mod group;
pub mod relay;
pub mod resource;
pub mod server;
mod tls;
mod version;
mod wire;

pub use ack::{Acknowledgement, Rejected, Socket, Unbound};
pub use group::{GroupId, NotAnIdentity};
pub use version::Version;

/// What travels: a data plane and a control plane speak with one another if they have one in common.
const PROTOCOL: u32 = 1;

/// The version of this program, which the other side is told.
const PRODUCT: &str = env!("CARGO_PKG_VERSION");
