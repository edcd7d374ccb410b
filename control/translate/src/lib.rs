//! Objects to snapshot and statuses.
//!
//! **Owns** the meaning of Gateway API v1.7.0: which Gateways are ours, which listeners can be served, which routes
//! attach to them, where references lead, which policy wins, and what is said about all of it in conditions.
//!
//! **Refuses** to touch the world: no client, no clock, no network, no files. The same objects and options always give
//! the same translation, whatever came before.
//!
//! ```text
//! Objects ──┬─ gateway_class ─ gateway ─ listener ──> listeners ─┐
//!           ├─ route (filter, backend::resolve) ────> routes ────┤
//!           ├─ backend, policy ─────────────────────> backends ──┼─> Snapshot
//!           ├─ certificate ─────────────────────────> certificates
//!           ├─ egress ──────────────────────────────> egress, policies, secrets, workloads
//!           ├─ backend::endpoints ──────────────────────────────────> Endpoints
//!           └─ every part ──────────────────────────────────────────> Statuses
//! ```
//!
//! **Broken config is a value.** What cannot be resolved or is not supported becomes a [`lychgate_ir::Refusal`] in its
//! place and a condition on its object; nothing is passed over, and no object harms another.
//!
//! **Incremental.** Given the translation before, whatever did not change is the same `Arc` again, and a route whose
//! object, references and parents are the same is not translated a second time.
//!
//! `Programmed` says that something is part of the snapshot; whoever binds sockets overlays what happened there.

mod assemble;
mod backend;
mod certificate;
mod egress;
mod filter;
mod gateway;
mod gateway_class;
mod keep;
mod listener;
mod memo;
mod names;
mod policy;
mod reference_grant;
mod route;
mod status;
mod world;

pub use certificate::key_pair_problem;
pub use gateway::parameters::parameters;
pub use gateway_class::Direction;
pub use names::{
    CONTROLLER_NAME, EGRESS_CONTROLLER_NAME, EGRESS_GATEWAY_CLASS, GATEWAY_CLASS, LOAD_BALANCER, MIN_TLS_VERSION,
    PROXY_PROTOCOL, PROXY_PROTOCOL_FROM, REMOTE, SHARE, TRUSTED_HOPS,
};
pub use status::{Assigned, Finding, MissingAddress, ObjectStatus, Overlay, Place, SocketTrouble, Statuses};

use lychgate_api::Objects;
use lychgate_ir::{Endpoints, Snapshot};
use memo::Memo;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// How objects are translated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// There is no cluster: our GatewayClasses need no object, all Gateways share the ports of one host, and we speak of
    /// references to nothing, since no other controller would.
    pub standalone: bool,
    /// Addresses at which Gateways that name none can be reached, for `status.addresses`.
    pub node_addresses: Vec<IpAddr>,
}

/// What became of the objects.
#[derive(Clone)]
pub struct Translation {
    /// What the data plane shall do.
    pub snapshot: Arc<Snapshot>,
    /// Where backends are.
    pub endpoints: Endpoints,
    /// What is said about the objects.
    pub statuses: Statuses,
    memo: Arc<Memo>,
}

/// What is remembered does not count: it changes how fast the next translation is, not what it says.
impl PartialEq for Translation {
    fn eq(&self, other: &Self) -> bool {
        let Self { snapshot, endpoints, statuses, memo: _ } = self;
        *snapshot == other.snapshot && *endpoints == other.endpoints && *statuses == other.statuses
    }
}

impl Eq for Translation {}

impl fmt::Debug for Translation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { snapshot, endpoints, statuses, memo: _ } = self;
        f.debug_struct("Translation")
            .field("snapshot", snapshot)
            .field("endpoints", endpoints)
            .field("statuses", statuses)
            .finish_non_exhaustive()
    }
}

/// Translates. `previous` makes it faster and shares what did not change; it never changes what is said.
#[must_use]
pub fn translate(objects: &Objects, options: &Options, previous: Option<&Translation>) -> Translation {
    // What was read under other options is read anew.
    let previous = previous.filter(|previous| previous.memo.options == *options);
    match previous.filter(|previous| assemble::only_pods_differ(&previous.memo.objects, objects)) {
        Some(previous) => assemble::pods_only(objects, previous),
        None => assemble::whole(objects, options, previous),
    }
}
